//! The objects in quarantine.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{self, StreamExt, TryStreamExt};
use quotes::keys;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::lake::Lake;
use crate::stored::Stored;

/// Objects read at once.
const AT_ONCE: usize = 16;

/// What takes the place of `.json` in the name of the mark beside an object whose record was replayed.
pub(crate) const REPLAYED: &str = ".replayed";

/// A record as `write-quotes` kept it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Record {
    /// Its offset.
    pub(crate) offset: i64,
    /// Why it is in quarantine, in a word or two.
    pub(crate) reason: String,
    /// What was wrong with it.
    pub(crate) detail: String,
    /// The value in base64.
    pub(crate) value: Option<String>,
    /// The headers as the event had them: objects of a name and a list of bytes each.
    pub(crate) headers: serde_json::Value,
}

/// A record in quarantine.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// The object's key.
    pub(crate) object: String,
    /// The log that the record came from.
    pub(crate) log: keys::LogId,
    /// The record.
    pub(crate) record: Record,
    /// Whether it was produced again.
    pub(crate) replayed: bool,
}

/// A record as it is listed for mending: one line of JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    /// The object's key: which record this is.
    pub(crate) object: String,
    /// Why it is in quarantine.
    pub(crate) reason: String,
    /// What was wrong with it.
    pub(crate) detail: String,
    /// Whether it was produced again.
    pub(crate) replayed: bool,
    /// The value as text, to be mended; bytes that are no UTF-8 are shown as U+FFFD. Null for a tombstone.
    pub(crate) value: Option<String>,
}

impl Kept {
    /// The value as text.
    pub(crate) fn value_text(&self) -> Option<String> {
        let bytes = decoded(self.record.value.as_deref())?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The record for mending.
    pub(crate) fn line(&self) -> Line {
        Line {
            object: self.object.clone(),
            reason: self.record.reason.clone(),
            detail: self.record.detail.clone(),
            replayed: self.replayed,
            value: self.value_text(),
        }
    }
}

/// Bytes from base64.
pub(crate) fn decoded(base64: Option<&str>) -> Option<Vec<u8>> {
    base64.and_then(|text| STANDARD.decode(text).ok())
}

/// Every record in quarantine whose offset has no row: one beside a row is void.
pub(crate) async fn list(lake: &Lake) -> Result<Vec<Kept>, Failure> {
    let objects = lake.objects(keys::QUARANTINE_PREFIX).await?;
    let stored = Stored::read(lake).await?;
    let marks: BTreeSet<String> = objects.iter().filter_map(|(key, _)| Some(key.strip_suffix(REPLAYED)?.to_owned())).collect();
    let is_kept = |key: &String| key.ends_with(".json") && keys::parse(key).is_some_and(|name| !is_void(&name, &stored));
    let records = objects.into_iter().map(|(key, _)| key).filter(is_kept);
    let mut kept: Vec<Kept> = stream::iter(records)
        .map(|object| {
            let replayed = object.strip_suffix(".json").is_some_and(|stem| marks.contains(stem));
            async move { read(lake, object, replayed).await }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    kept.sort_by(|a, b| a.object.cmp(&b.object));
    Ok(kept)
}

/// Two versions of the code may disagree about a record; where it has a row, the row counts.
fn is_void(name: &keys::ObjectName, stored: &Stored) -> bool {
    let rows = || stored.logs.get(&name.log).map_or(&[][..], |log| &log.rows);
    name.reused_at.is_none() && rows().iter().any(|(offset, _)| *offset == name.offset)
}

/// One record.
pub(crate) async fn read(lake: &Lake, object: String, replayed: bool) -> Result<Kept, Failure> {
    let Some(name) = keys::parse(&object) else {
        return Err(Failure::plain(format_args!("{object} is not the name of a record in quarantine")));
    };
    let json = lake.object(&object).await?;
    let record =
        serde_json::from_slice(&json).map_err(|error| Failure::new(format_args!("{object} is not a record in quarantine"), error))?;
    Ok(Kept { object, log: name.log, record, replayed })
}
