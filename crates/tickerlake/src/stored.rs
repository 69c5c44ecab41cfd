//! What the lake holds: the offsets of all rows and quarantine objects, and the watermarks.

mod visible;

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type};
use futures::stream::{self, StreamExt, TryStreamExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use quotes::keys::{self, LogId};
use quotes::{compaction, schema};
use serde::Deserialize;

use crate::failure::Failure;
use crate::lake::Lake;

/// Objects read at once.
const AT_ONCE: usize = 16;

/// What one log's watermark says, as far as an audit needs it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Watermark {
    /// The first offset that is not yet stored.
    pub(crate) next: i64,
    /// Offsets that had left Kafka before they were stored, the latest of them.
    #[serde(default)]
    pub(crate) holes: Vec<Hole>,
}

/// The offsets `from..=to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Hole {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// What is stored of one log.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoredLog {
    /// Each row's offset and the file that it is in (an index into [`Stored::files`]).
    pub(crate) rows: Vec<(i64, usize)>,
    /// The offsets in quarantine.
    pub(crate) quarantine: Vec<i64>,
    /// Records in quarantine whose offsets the log had used before.
    pub(crate) reused: usize,
    /// The watermark, if there is one.
    pub(crate) watermark: Option<Watermark>,
}

/// What is stored of all logs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    /// The logs.
    pub(crate) logs: BTreeMap<LogId, StoredLog>,
    /// Keys of the Parquet files that queries read.
    pub(crate) files: Vec<String>,
    /// Keys of Parquet files that no query reads, though no other file has their rows.
    pub(crate) invisible: Vec<String>,
}

impl Stored {
    /// Reads every file's lineage columns, and the names of the objects in quarantine.
    pub(crate) async fn read(lake: &Lake) -> Result<Self, Failure> {
        let mut stored = Self::default();
        for (log, watermark) in watermarks(lake).await? {
            stored.logs.entry(log).or_default().watermark = Some(watermark);
        }
        for (key, _) in lake.objects(keys::QUARANTINE_PREFIX).await? {
            let Some(name) = keys::parse(&key) else { continue };
            let log = stored.logs.entry(name.log).or_default();
            match name.reused_at {
                Some(_) => log.reused += 1,
                None => log.quarantine.push(name.offset),
            }
        }
        let files = visible::files(lake).await?;
        (stored.files, stored.invisible) = (files.counted, files.invisible);
        let lineages: Vec<Lineage> = stream::iter(stored.files.clone().into_iter().enumerate())
            .map(|(file, key)| async move { lineage(lake, file, &key).await })
            // In the files' order, so that two audits of one lake read the same.
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        for (log, offset, file) in lineages.into_iter().flatten() {
            stored.logs.entry(log).or_default().rows.push((offset, file));
        }
        Ok(stored)
    }
}

/// The watermarks of all logs.
pub(crate) async fn watermarks(lake: &Lake) -> Result<BTreeMap<LogId, Watermark>, Failure> {
    let mut found = BTreeMap::new();
    for (key, _) in lake.objects(keys::STATE_PREFIX).await? {
        let name = key.strip_prefix(keys::STATE_PREFIX).and_then(|rest| rest.strip_suffix(".json"));
        let Some(log) = name.and_then(LogId::parse) else { continue };
        let json = lake.object(&key).await?;
        let watermark = serde_json::from_slice(&json).map_err(|error| Failure::new(format_args!("{key} is not a watermark"), error))?;
        found.insert(log, watermark);
    }
    Ok(found)
}

/// Where each row of a file came from, and the file's index.
type Lineage = Vec<(LogId, i64, usize)>;

async fn lineage(lake: &Lake, file: usize, key: &str) -> Result<Lineage, Failure> {
    let what = || format!("s3://{}/{key} is not readable Parquet", lake.bucket());
    // The topic is in the name of a file, not in its rows.
    let topic = compaction::topic(key).unwrap_or_else(|| schema::TABLE.to_owned());
    let builder = ParquetRecordBatchReaderBuilder::try_new(lake.object(key).await?).map_err(|error| Failure::new(what(), error))?;
    let columns = ["kafka_cluster", "kafka_partition", "kafka_offset"];
    let projection = ProjectionMask::columns(builder.parquet_schema(), columns);
    let reader = builder.with_projection(projection).build().map_err(|error| Failure::new(what(), error))?;
    let mut found = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| Failure::new(what(), error))?;
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| Failure::plain(format_args!("{} with a column {name}", what())));
        let (clusters, partitions, offsets) = (column(columns[0])?, column(columns[1])?, column(columns[2])?);
        let (Some(clusters), Some(partitions), Some(offsets)) =
            (clusters.as_string_opt::<i32>(), partitions.as_primitive_opt::<Int32Type>(), offsets.as_primitive_opt::<Int64Type>())
        else {
            return Err(Failure::plain(format_args!("{} with the lineage's types", what())));
        };
        for ((cluster, partition), offset) in clusters.iter().zip(partitions.iter()).zip(offsets.iter()) {
            let (Some(cluster), Some(partition), Some(offset)) = (cluster, partition, offset) else {
                return Err(Failure::plain(format_args!("{} whose lineage is never null", what())));
            };
            found.push((LogId { cluster: cluster.to_owned(), topic: topic.clone(), partition }, offset, file));
        }
    }
    Ok(found)
}
