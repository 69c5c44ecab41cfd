//! Which partition of the table an object lies in.

use std::fmt;

use chrono::NaiveDate;
use quotes::compaction::{folder, original_folder, parse_folder};
use quotes::keys::QUOTES_PREFIX;

/// One day of the table, in the bucket that holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Partition {
    bucket: String,
    date: NaiveDate,
}

/// Where a partition's Location leads its readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// To the folder that the day's objects land in.
    Original,
    /// To the folder of a compacted generation of the day, with a slash at the end.
    Compacted(String),
}

impl Partition {
    /// The partition of the object under `key`, decoded; `None` for a key that is no data file's.
    pub(crate) fn of(bucket: &str, key: &str) -> Option<Self> {
        let (day, file) = key.strip_prefix(QUOTES_PREFIX)?.strip_prefix("dt=")?.split_once('/')?;
        let date: NaiveDate = day.parse().ok()?;
        // `2026-1-5` is a date too, but in another folder than the one that is registered.
        let canonical = date.to_string() == day;
        // Athena reads no file whose name begins so.
        let visible = !file.starts_with(['_', '.']);
        let data = visible && file.ends_with(".parquet") && !file.contains('/');
        (canonical && data).then(|| Self { bucket: bucket.to_owned(), date })
    }

    /// The bucket.
    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The value of the partition key `dt`, `YYYY-MM-DD`.
    pub(crate) fn value(&self) -> String {
        self.date.to_string()
    }

    /// The address of the folder that its objects land in, with a slash at the end.
    pub(crate) fn location(&self) -> String {
        format!("s3://{}/{}", self.bucket, original_folder(self.date))
    }

    /// What `location`, with or without a slash at its end, is to this partition; `None` if it is none of its places.
    pub(crate) fn place(&self, location: &str) -> Option<Place> {
        let (bucket, key) = location.strip_prefix("s3://")?.split_once('/')?;
        let key = key.trim_end_matches('/');
        if bucket != self.bucket {
            return None;
        }
        if key == original_folder(self.date).trim_end_matches('/') {
            return Some(Place::Original);
        }
        let (date, generation) = parse_folder(key)?;
        let compacted = folder(date, generation);
        // Another day's folder would double its rows, and one further down would hide the generation's own.
        (date == self.date && key == compacted.trim_end_matches('/')).then_some(Place::Compacted(compacted))
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

    fn day() -> Partition {
        Partition::of("lake", "quotes/dt=2026-11-23/c-unknown-quotes-00000-00000000000000000000.parquet").unwrap()
    }

    #[test]
    fn a_data_file_lies_in_its_days_partition() {
        assert_eq!(day().value(), "2026-11-23");
        assert_eq!(day().location(), "s3://lake/quotes/dt=2026-11-23/");
        assert_eq!(Partition::of("lake", "quotes/dt=2026-11-23/any name.parquet"), Some(day()));
    }

    #[test]
    fn other_keys_lie_in_none() {
        for key in [
            "quotes/dt=2026-11-23/",
            "quotes/dt=2026-11-23",
            "quotes/dt=2026-1-5/a.parquet",
            "quotes/dt=2026-02-30/a.parquet",
            "quotes/dt=__HIVE_DEFAULT_PARTITION__/a.parquet",
            "quotes/dt=2026-11-23/_a.parquet",
            "quotes/dt=2026-11-23/.a.parquet",
            "quotes/dt=2026-11-23/a.txt",
            "quotes/dt=2026-11-23/deeper/a.parquet",
            "quotes/a.parquet",
            "compacted/dt=2026-11-23/1f00/a.parquet",
            "state/dt=2026-11-23/a.json",
            "",
        ] {
            assert_eq!(Partition::of("lake", key), None, "{key}");
        }
    }

    #[test]
    fn a_location_is_the_days_own_folder_or_a_generation_of_it() {
        let compacted = Some(Place::Compacted("compacted/dt=2026-11-23/1f00/".to_owned()));
        for (location, place) in [
            ("s3://lake/quotes/dt=2026-11-23/", Some(Place::Original)),
            ("s3://lake/quotes/dt=2026-11-23", Some(Place::Original)),
            ("s3://lake/compacted/dt=2026-11-23/1f00/", compacted.clone()),
            ("s3://lake/compacted/dt=2026-11-23/1f00", compacted),
            ("s3://lake/quotes/dt=2026-11-22/", None),
            ("s3://lake/compacted/dt=2026-11-22/1f00/", None),
            ("s3://lake/compacted/dt=2026-11-23/", None),
            ("s3://lake/compacted/dt=2026-11-23/1f00/deeper/", None),
            ("s3://other/quotes/dt=2026-11-23/", None),
            ("", None),
        ] {
            assert_eq!(day().place(location), place, "{location}");
        }
    }
}
