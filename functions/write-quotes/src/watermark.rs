//! The watermark: how far a log has been stored, and the file that is under way.

use chrono::NaiveDate;
use quotes::keys::{self, LogId};
use serde::{Deserialize, Serialize};

/// The offsets `from..=to`, which the log no longer held when they should have been stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hole {
    /// The first missing offset.
    pub from: i64,
    /// The last missing offset.
    pub to: i64,
}

/// What one log's watermark object says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Watermark {
    /// The first offset that is not yet stored.
    pub next: i64,
    /// The newest Kafka time of any stored record, in milliseconds. A record below `next` that is
    /// newer shows that the log began again.
    pub max_timestamp: i64,
    /// The partition of the file under way: whoever finds this writes that file, whose key is made
    /// of this date and `next`, and no other.
    pub writing: Option<NaiveDate>,
    /// How many offsets the log no longer held when they should have been stored.
    pub missing: i64,
    /// The latest of those holes, at most [`Watermark::HOLES`].
    pub holes: Vec<Hole>,
}

/// A watermark object that is not one.
#[derive(Debug, thiserror::Error)]
pub enum WatermarkError {
    /// Not JSON of a watermark's form.
    #[error("the watermark is not readable")]
    Json(#[from] serde_json::Error),
    /// It claims a file that is not this log's next one.
    #[error("the watermark claims {0:?}, which is not the log's next file")]
    Claim(String),
}

/// The object's form.
#[derive(Serialize, Deserialize)]
struct Form {
    next: i64,
    max_timestamp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    writing: Option<String>,
    #[serde(default)]
    missing: i64,
    #[serde(default)]
    holes: Vec<Hole>,
}

impl Watermark {
    /// How many holes are remembered one by one.
    pub const HOLES: usize = 16;

    /// A log's first watermark: nothing below `next` is this lake's.
    pub fn starting_at(next: i64) -> Self {
        Self { next, max_timestamp: -1, ..Self::default() }
    }

    /// The watermark after offsets up to `last` have been stored.
    #[must_use]
    pub fn advanced(&self, last: i64, max_timestamp: i64, holes: &[Hole]) -> Self {
        let mut all = self.holes.clone();
        all.extend_from_slice(holes);
        all.drain(..all.len().saturating_sub(Self::HOLES));
        Self {
            next: last + 1,
            max_timestamp: self.max_timestamp.max(max_timestamp),
            writing: None,
            missing: self.missing + holes.iter().map(|hole| hole.to - hole.from + 1).sum::<i64>(),
            holes: all,
        }
    }

    /// This watermark with a file of `date` under way.
    #[must_use]
    pub fn claiming(&self, date: NaiveDate) -> Self {
        Self { writing: Some(date), ..self.clone() }
    }

    /// The object's bytes.
    pub fn to_json(&self, log: &LogId) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Form {
            next: self.next,
            max_timestamp: self.max_timestamp,
            writing: self.writing.map(|date| keys::data(log, date, self.next)),
            missing: self.missing,
            holes: self.holes.clone(),
        })
    }

    /// Reads the object of `log`.
    pub fn from_json(log: &LogId, json: &[u8]) -> Result<Self, WatermarkError> {
        let form: Form = serde_json::from_slice(json)?;
        let writing = match form.writing {
            None => None,
            Some(key) => match keys::parse(&key) {
                Some(name) if keys::data(log, name.date, form.next) == key => Some(name.date),
                _ => return Err(WatermarkError::Claim(key)),
            },
        };
        Ok(Self { next: form.next, max_timestamp: form.max_timestamp, writing, missing: form.missing, holes: form.holes })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn log() -> LogId {
        LogId { cluster: "unknown".into(), topic: "quotes".into(), partition: 0 }
    }

    #[test]
    fn the_object_names_the_file_under_way() {
        let date = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
        let watermark = Watermark::starting_at(40).advanced(41, 7, &[Hole { from: 40, to: 40 }]).claiming(date);
        let json = watermark.to_json(&log()).unwrap();
        assert_eq!(
            String::from_utf8(json.clone()).unwrap(),
            r#"{"next":42,"max_timestamp":7,"writing":"quotes/dt=2026-11-23/c-unknown-quotes-00000-00000000000000000042.parquet","missing":1,"holes":[{"from":40,"to":40}]}"#
        );
        assert_eq!(Watermark::from_json(&log(), &json).unwrap(), watermark);
    }

    #[test]
    fn another_logs_claim_is_refused() {
        let json = br#"{"next":42,"max_timestamp":7,"writing":"quotes/dt=2026-11-23/c-unknown-quotes-00001-00000000000000000042.parquet"}"#;
        assert!(matches!(Watermark::from_json(&log(), json), Err(WatermarkError::Claim(_))));
        assert!(matches!(Watermark::from_json(&log(), b"{"), Err(WatermarkError::Json(_))));
    }

    #[test]
    fn holes_are_counted_all_and_remembered_in_part() {
        let mut watermark = Watermark::starting_at(0);
        for n in 0..20 {
            watermark = watermark.advanced(n * 10 + 9, 0, &[Hole { from: n * 10, to: n * 10 + 2 }]);
        }
        assert_eq!((watermark.missing, watermark.holes.len()), (60, Watermark::HOLES));
        assert_eq!(watermark.holes[15], Hole { from: 190, to: 192 });
    }
}
