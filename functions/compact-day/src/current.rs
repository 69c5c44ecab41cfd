//! Which generation of a day counts: one small object, changed by compare-and-swap only.

use chrono::{DateTime, NaiveDate, Utc};
use quotes::compaction;
use serde::{Deserialize, Serialize};

/// The generation that counts, whatever the catalog says: Glue cannot compare and swap, so its partition follows this object.
///
/// The day's partition may be led to a generation only while this object names it without `switched_at`, and another generation
/// may take its place only a while after `switched_at`. So nobody who still wants to lead the partition to the one before is
/// alive by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Current {
    /// The generation's name.
    pub(crate) generation: String,
    /// Counts the changes, so that no two versions of the object are the same bytes, which would have the same ETag.
    pub(crate) revision: u64,
    /// When the partition was seen to lead to the generation; `None` while it is being switched.
    pub(crate) switched_at: Option<DateTime<Utc>>,
}

impl Current {
    /// `generation` in the place of `before`.
    pub(crate) fn claim(generation: String, before: Option<&Self>) -> Self {
        Self { generation, revision: before.map_or(0, |before| before.revision) + 1, switched_at: None }
    }

    /// The same generation, switched at `at` or being switched again.
    #[must_use]
    pub(crate) fn switched(&self, at: Option<DateTime<Utc>>) -> Self {
        Self { generation: self.generation.clone(), revision: self.revision + 1, switched_at: at }
    }

    /// The generation's folder.
    pub(crate) fn folder(&self, date: NaiveDate) -> String {
        compaction::folder(date, &self.generation)
    }
}

/// The object's key. Its name begins with `_`, so it is no generation.
pub(crate) fn key(date: NaiveDate) -> String {
    format!("{}_current.json", compaction::day_folder(date))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_two_states_on_the_way_are_the_same_bytes() {
        let (mut state, mut seen) = (Current::claim("g".into(), None), Vec::new());
        for _ in 0..3 {
            for at in [Some(DateTime::UNIX_EPOCH), None] {
                seen.push(serde_json::to_string(&state).unwrap());
                state = state.switched(at);
            }
        }
        seen.push(serde_json::to_string(&Current::claim("g".into(), Some(&state))).unwrap());
        assert_eq!(seen[0], r#"{"generation":"g","revision":1,"switched_at":null}"#);
        assert_eq!(seen[1], r#"{"generation":"g","revision":2,"switched_at":"1970-01-01T00:00:00Z"}"#);
        let all = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }
}
