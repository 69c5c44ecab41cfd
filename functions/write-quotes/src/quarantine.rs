//! The object that keeps one poison record.

use base64_simd::STANDARD;
use chrono::NaiveDate;
use quotes::calendar::new_york_date;
use quotes::keys::{self, LogId};
use quotes::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::batch::Record;
use crate::event::Payload;
use crate::protocol::Quarantine;

/// A quarantine object: everything that came, byte for byte, and why it is here.
#[derive(Debug, Serialize, Deserialize)]
pub struct Object {
    /// The cluster that the record came from.
    pub cluster: String,
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Kafka's timestamp in milliseconds; -1 where the record has none.
    pub timestamp: i64,
    /// Why it is in quarantine: `poison`, `offset reused` or `day disagrees`.
    pub reason: String,
    /// What was wrong with it, in words.
    pub detail: String,
    /// The key's bytes in base64; null where there was none.
    pub key: Option<String>,
    /// The value's bytes in base64; null where there was none.
    pub value: Option<String>,
    /// The headers, as the event had them.
    pub headers: Option<Box<RawValue>>,
}

impl Object {
    /// The object for `record` of `log`.
    pub fn new(log: &LogId, record: &Record<'_>, reason: Quarantine) -> Self {
        let raw = record.raw;
        let base64 = |payload: &Option<Payload>| payload.as_ref().map(|payload| STANDARD.encode_to_string(payload.bytes()));
        let (reason, detail) = match (reason, &record.quote) {
            (Quarantine::Poison, Err(poison)) => ("poison", poison.to_string()),
            (Quarantine::Poison, Ok(_)) => ("poison", String::new()),
            (Quarantine::OffsetReused, _) => {
                ("offset reused", "the log began again under the same cluster id: this offset was stored before".to_owned())
            }
            (Quarantine::DayDisagrees, _) => ("day disagrees", "the file that covers this offset was begun for another day".to_owned()),
        };
        Self {
            cluster: log.cluster.clone(),
            topic: log.topic.clone(),
            partition: log.partition,
            offset: raw.offset,
            timestamp: raw.timestamp,
            reason: reason.to_owned(),
            detail,
            key: base64(&raw.key),
            value: base64(&raw.value),
            headers: raw.headers.clone(),
        }
    }
}

/// The object's key. Its day is that of Kafka's timestamp, since poison has no time of its own.
pub fn key(log: &LogId, record: &Record<'_>, reason: Quarantine) -> String {
    let raw = record.raw;
    let date = Timestamp::from_millis(raw.timestamp).map_or(NaiveDate::default(), new_york_date);
    match reason {
        Quarantine::Poison | Quarantine::DayDisagrees => keys::quarantine(log, date, raw.offset),
        Quarantine::OffsetReused => keys::quarantine_reused(log, date, raw.offset, raw.timestamp),
    }
}
