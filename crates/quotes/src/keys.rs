//! Names of objects in the lake's bucket.
//!
//! ```text
//! quotes/dt=2026-11-23/<log>-<first offset, 20 digits>.parquet
//! state/<log>.json
//! quarantine/dt=2026-11-23/<log>-<offset, 20 digits>.json
//! ```

use std::fmt;

use chrono::NaiveDate;

use crate::cluster::is_cluster_id;

/// Where the table's partitions lie.
pub const QUOTES_PREFIX: &str = "quotes/";
/// Where poison records lie.
pub const QUARANTINE_PREFIX: &str = "quarantine/";
/// Where the watermarks lie.
pub const STATE_PREFIX: &str = "state/";

/// One Kafka log: a topic's partition in one cluster. Offsets mean something only within it.
///
/// Its name starts with `c-`, because one Kafka cluster id in 63 begins with `_`, and Trino hides
/// files whose names begin with `_` or `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// The Kafka cluster's id, or a configured name for records that carry none.
    pub cluster: String,
    /// The topic's name.
    pub topic: String,
    /// The partition's number, from 0.
    pub partition: i32,
}

impl LogId {
    /// Reads a log's name back: `c-<cluster>-<topic>-<partition>`.
    pub fn parse(name: &str) -> Option<Self> {
        let (rest, partition) = name.strip_prefix("c-")?.rsplit_once('-')?;
        // A cluster id may hold a `-`, a configured name may not.
        let (cluster, topic) = match (rest.get(..22), rest.get(22..)) {
            (Some(id), Some(topic)) if is_cluster_id(id.as_bytes()) && topic.starts_with('-') => (id, &topic[1..]),
            _ => rest.split_once('-')?,
        };
        let partition = partition.parse().ok()?;
        Some(Self { cluster: cluster.to_owned(), topic: topic.to_owned(), partition })
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c-{}-{}-{:05}", self.cluster, self.topic, self.partition)
    }
}

/// The key of the Parquet file of `log` that starts at `first_offset` and lies in partition `date`.
pub fn data(log: &LogId, date: NaiveDate, first_offset: i64) -> String {
    format!("{QUOTES_PREFIX}dt={date}/{log}-{first_offset:020}.parquet")
}

/// The key of the watermark of `log`.
pub fn state(log: &LogId) -> String {
    format!("{STATE_PREFIX}{log}.json")
}

/// The key of the poison record at `offset`; `date` is the New York date of Kafka's timestamp.
pub fn quarantine(log: &LogId, date: NaiveDate, offset: i64) -> String {
    format!("{QUARANTINE_PREFIX}dt={date}/{log}-{offset:020}.json")
}

/// The key of a record whose offset the log used before, told apart by Kafka's timestamp.
///
/// Its offset has a row or a quarantine object of its own already, perhaps under the very key that
/// [`quarantine`] gives, and must not be taken for that one.
pub fn quarantine_reused(log: &LogId, date: NaiveDate, offset: i64, kafka_millis: i64) -> String {
    format!("{QUARANTINE_PREFIX}dt={date}/{log}-{offset:020}-at-{kafka_millis}.json")
}

/// What the name of an object under [`QUOTES_PREFIX`] or [`QUARANTINE_PREFIX`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectName {
    /// The partition that it lies in.
    pub date: NaiveDate,
    /// The log that its records came from.
    pub log: LogId,
    /// The first offset that it covers.
    pub offset: i64,
    /// Kafka's timestamp in milliseconds, only in a name made by [`quarantine_reused`].
    pub reused_at: Option<i64>,
}

/// Reads a key made by [`data`], [`quarantine`] or [`quarantine_reused`] back.
pub fn parse(key: &str) -> Option<ObjectName> {
    let rest = key.strip_prefix(QUOTES_PREFIX).or_else(|| key.strip_prefix(QUARANTINE_PREFIX))?;
    let (date, file) = rest.strip_prefix("dt=")?.split_once('/')?;
    let stem = file.strip_suffix(".parquet").or_else(|| file.strip_suffix(".json"))?;
    let (stem, reused_at) = match stem.rsplit_once("-at-") {
        Some((stem, millis)) if millis.bytes().all(|b| b.is_ascii_digit()) => (stem, Some(millis.parse().ok()?)),
        _ => (stem, None),
    };
    let (log, offset) = stem.rsplit_once('-')?;
    Some(ObjectName { date: date.parse().ok()?, log: LogId::parse(log)?, offset: offset.parse().ok()?, reused_at })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_the_contracts() {
        let log = LogId { cluster: "_yoOKcqsu4P39LQPPzqCZw".into(), topic: "quotes".into(), partition: 3 };
        let date = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
        assert_eq!(data(&log, date, 42), "quotes/dt=2026-11-23/c-_yoOKcqsu4P39LQPPzqCZw-quotes-00003-00000000000000000042.parquet");
        assert_eq!(state(&log), "state/c-_yoOKcqsu4P39LQPPzqCZw-quotes-00003.json");
        assert_eq!(quarantine(&log, date, 7), "quarantine/dt=2026-11-23/c-_yoOKcqsu4P39LQPPzqCZw-quotes-00003-00000000000000000007.json");
    }

    #[test]
    fn other_names_are_not_ours() {
        for key in [
            "quotes/dt=2026-11-23/part-0.parquet",
            "quotes/x.parquet",
            "state/a.json",
            "",
            "quotes/dt=today/c-unknown-quotes-00000-00000000000000000000.parquet",
        ] {
            assert_eq!(parse(key), None, "{key}");
        }
    }

    proptest! {
        #[test]
        fn names_read_back(
            cluster in "[A-Za-z0-9_-]{22}|unknown|blue",
            topic in "[a-z][a-z0-9._]{0,20}",
            partition in 0..100_000_i32,
            offset in 0..i64::MAX,
            millis in prop::option::of(0..i64::MAX),
        ) {
            let log = LogId { cluster, topic, partition };
            let date = NaiveDate::from_ymd_opt(2013, 10, 7).unwrap();
            let key = match millis {
                Some(millis) => quarantine_reused(&log, date, offset, millis),
                None => data(&log, date, offset),
            };
            prop_assert_eq!(parse(&key), Some(ObjectName { date, log, offset, reused_at: millis }));
        }
    }
}
