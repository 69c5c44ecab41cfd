//! Carries out the protocol's steps for one log.

use std::collections::HashMap;

use futures::stream::{self, StreamExt, TryStreamExt};
use lake_store::{Condition, Put, Store, Version};
use quotes::calendar::Calendar;
use quotes::keys;

use crate::batch::{Batch, Record};
use crate::error::WriteError;
use crate::parquet::{self, LAST_OFFSET};
use crate::protocol::{Answer, Covered, File, Known, Protocol, Quarantine, Step};
use crate::quarantine;
use crate::watermark::{Hole, Watermark};

/// Object metadata that, with [`LAST_OFFSET`], says how far a file covers its log.
const MAX_TIMESTAMP: &str = "max-timestamp";
/// The covered offsets that the log no longer held, as `from-to` joined by commas.
const HOLES: &str = "holes";

/// Metadata of a quarantine object: the Kafka time of its record.
const TIMESTAMP: &str = "timestamp";

/// Quarantine objects written at once: a batch may be poison from end to end.
const QUARANTINE_AT_ONCE: usize = 16;

/// What became of a log's records.
#[derive(Debug, Default)]
pub struct Written {
    /// Rows in files that this invocation wrote.
    pub rows: usize,
    /// Records that are in quarantine now.
    pub quarantined: usize,
    /// Keys of the files that this invocation wrote.
    pub files: Vec<String>,
    /// Offsets that the log no longer held.
    pub missing: i64,
    /// The watermark, for the next invocation.
    pub watermark: Option<Known<Version>>,
}

/// Stores every record of `batch`, each once, whatever earlier or concurrent invocations did.
pub async fn write(store: &Store, batch: &Batch<'_>, cached: Option<Known<Version>>) -> Result<Written, WriteError> {
    let mut calendar = Calendar::new();
    let mut protocol = Protocol::new(batch.entries(&mut calendar), cached);
    let mut written = Written::default();
    while *protocol.step() != Step::Finished {
        let answer = match protocol.step() {
            Step::Finished => break,
            Step::ReadWatermark => read_watermark(store, batch).await?,
            Step::SwapWatermark { from, to } => swap_watermark(store, batch, from.as_ref(), to).await?,
            Step::Quarantine(records) => {
                quarantine(store, batch, records).await?;
                written.quarantined += records.len();
                Answer::Done
            }
            Step::WriteFile(file) => {
                let answer = write_file(store, batch, file, &mut calendar).await?;
                if answer == Answer::Done {
                    written.rows += file.rows.len();
                    written.missing += file.covered.holes.iter().map(|hole| hole.to - hole.from + 1).sum::<i64>();
                    written.files.push(keys::data(&batch.log, file.day, file.first));
                }
                answer
            }
            Step::ReadCovered { day, first } => read_covered(store, &keys::data(&batch.log, *day, *first)).await?,
        };
        protocol.answer(answer);
    }
    written.watermark = protocol.cacheable();
    Ok(written)
}

async fn read_watermark(store: &Store, batch: &Batch<'_>) -> Result<Answer<Version>, WriteError> {
    let key = keys::state(&batch.log);
    let Some((json, version)) = store.get(&key).await? else { return Ok(Answer::Watermark(None)) };
    let watermark = Watermark::from_json(&batch.log, &json).map_err(|source| WriteError::Watermark { key, source })?;
    Ok(Answer::Watermark(Some((watermark, version))))
}

async fn swap_watermark(store: &Store, batch: &Batch<'_>, from: Option<&Version>, to: &Watermark) -> Result<Answer<Version>, WriteError> {
    let key = keys::state(&batch.log);
    let json = to.to_json(&batch.log).map_err(|source| WriteError::Json { key: key.clone(), source })?;
    let condition = from.map_or(Condition::Absent, |version| Condition::Version(version));
    Ok(match store.put(&key, json, "application/json", HashMap::new(), condition).await? {
        Put::Written(version) => Answer::Swapped(version),
        Put::ConditionFailed => Answer::Lost,
    })
}

async fn quarantine(store: &Store, batch: &Batch<'_>, records: &[(i64, Quarantine)]) -> Result<(), WriteError> {
    stream::iter(records)
        .map(|(offset, reason)| async move {
            // The protocol names only offsets at hand.
            match batch.record(*offset) {
                Some(record) => quarantine_one(store, batch, record, *reason).await,
                None => Ok(()),
            }
        })
        .buffer_unordered(QUARANTINE_AT_ONCE)
        .try_collect()
        .await
}

async fn quarantine_one(store: &Store, batch: &Batch<'_>, record: &Record<'_>, reason: Quarantine) -> Result<(), WriteError> {
    let key = quarantine::key(&batch.log, record, reason);
    let object = quarantine::Object::new(&batch.log, record, reason);
    tracing::warn!(key, reason = object.reason, detail = object.detail, "A record went to quarantine.");
    let json = serde_json::to_vec(&object).map_err(|source| WriteError::Json { key: key.clone(), source })?;
    let timestamp = record.raw.timestamp.to_string();
    let metadata = HashMap::from([(TIMESTAMP.to_owned(), timestamp.clone())]);
    while store.put(&key, json.clone(), "application/json", metadata.clone(), Condition::Absent).await? == Put::ConditionFailed {
        // Something there already: an earlier try's, or, where the log began again, another
        // record's of this offset, which Kafka's timestamp tells apart.
        let Some(there) = store.metadata(&key).await? else {
            // Nothing there after all: the record is not safe before S3 says that it wrote it.
            continue;
        };
        if there.get(TIMESTAMP) != Some(&timestamp) {
            let key = quarantine::key(&batch.log, record, Quarantine::OffsetReused);
            store.put(&key, json, "application/json", metadata, Condition::Absent).await?;
        }
        break;
    }
    Ok(())
}

async fn write_file(store: &Store, batch: &Batch<'_>, file: &File, calendar: &mut Calendar) -> Result<Answer<Version>, WriteError> {
    let key = keys::data(&batch.log, file.day, file.first);
    let covered = &file.covered;
    let bytes = parquet::encode(&batch.log, batch.rows(&file.rows), covered.last, calendar)
        .map_err(|source| WriteError::Parquet { key: key.clone(), source })?;
    let metadata = metadata_of(covered);
    Ok(match store.put(&key, bytes, "application/vnd.apache.parquet", metadata, Condition::Absent).await? {
        Put::Written(_) => Answer::Done,
        Put::ConditionFailed => Answer::Exists,
    })
}

async fn read_covered(store: &Store, key: &str) -> Result<Answer<Version>, WriteError> {
    let Some(metadata) = store.metadata(key).await? else { return Ok(Answer::Covered(None)) };
    match covered_of(&metadata) {
        Some(covered) => Ok(Answer::Covered(Some(covered))),
        None => Err(WriteError::Uncovered { bucket: store.bucket().to_owned(), key: key.to_owned() }),
    }
}

fn metadata_of(covered: &Covered) -> HashMap<String, String> {
    // S3 keeps 2 KB of metadata: the latest holes are told, as in the watermark.
    let latest = &covered.holes[covered.holes.len().saturating_sub(Watermark::HOLES)..];
    let holes: Vec<_> = latest.iter().map(|hole| format!("{}-{}", hole.from, hole.to)).collect();
    HashMap::from([
        (LAST_OFFSET.to_owned(), covered.last.to_string()),
        (MAX_TIMESTAMP.to_owned(), covered.max_timestamp.to_string()),
        (HOLES.to_owned(), holes.join(",")),
    ])
}

fn covered_of(metadata: &HashMap<String, String>) -> Option<Covered> {
    let hole = |text: &str| {
        let (from, to) = text.split_once('-')?;
        Some(Hole { from: from.parse().ok()?, to: to.parse().ok()? })
    };
    Some(Covered {
        last: metadata.get(LAST_OFFSET)?.parse().ok()?,
        max_timestamp: metadata.get(MAX_TIMESTAMP)?.parse().ok()?,
        holes: metadata.get(HOLES).map_or("", String::as_str).split(',').filter_map(hole).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_covers_is_read_back_from_its_metadata() {
        for holes in [vec![], vec![Hole { from: 3, to: 3 }, Hole { from: 5, to: 9 }]] {
            let covered = Covered { last: 12, max_timestamp: -1, holes };
            assert_eq!(covered_of(&metadata_of(&covered)), Some(covered));
        }
        assert_eq!(covered_of(&HashMap::new()), None);
    }
}
