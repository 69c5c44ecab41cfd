//! Which partition of the table an object lies in.

use std::fmt;

use chrono::NaiveDate;
use quotes::keys::QUOTES_PREFIX;

/// One day of the table, in the bucket that holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Partition {
    bucket: String,
    date: NaiveDate,
}

impl Partition {
    /// The partition of the object under `key`, decoded; `None` for a key that is no data file's.
    ///
    /// Only the folder decides: a compacted file has another name than a written one.
    pub(crate) fn of(bucket: &str, key: &str) -> Option<Self> {
        let (day, file) = key.strip_prefix(QUOTES_PREFIX)?.strip_prefix("dt=")?.split_once('/')?;
        let date: NaiveDate = day.parse().ok()?;
        // `2026-1-5` is a date too, but in another folder than the one that is registered.
        let canonical = date.to_string() == day;
        (canonical && !file.is_empty()).then(|| Self { bucket: bucket.to_owned(), date })
    }

    /// The value of the partition key `dt`, `YYYY-MM-DD`.
    pub(crate) fn value(&self) -> String {
        self.date.to_string()
    }

    /// Where Glue must look for the partition's objects, with a slash at the end.
    pub(crate) fn location(&self) -> String {
        format!("s3://{}/{QUOTES_PREFIX}dt={}/", self.bucket, self.date)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dt={}", self.date)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_data_file_lies_in_its_days_partition() {
        let partition = Partition::of("lake", "quotes/dt=2026-11-23/c-unknown-quotes-00000-00000000000000000000.parquet").unwrap();
        assert_eq!(partition.value(), "2026-11-23");
        assert_eq!(partition.location(), "s3://lake/quotes/dt=2026-11-23/");
        assert_eq!(Partition::of("lake", "quotes/dt=2026-11-23/compacted.parquet"), Some(partition));
    }

    #[test]
    fn other_keys_lie_in_none() {
        for key in [
            "quotes/dt=2026-11-23/",
            "quotes/dt=2026-11-23",
            "quotes/dt=2026-1-5/a.parquet",
            "quotes/dt=2026-02-30/a.parquet",
            "quotes/dt=__HIVE_DEFAULT_PARTITION__/a.parquet",
            "quotes/a.parquet",
            "state/dt=2026-11-23/a.json",
            "",
        ] {
            assert_eq!(Partition::of("lake", key), None, "{key}");
        }
    }
}
