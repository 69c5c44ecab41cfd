//! Compacted days: where their files lie, and what they cover.
//!
//! ```text
//! compacted/dt=2026-11-23/<generation>/part-<topic>-<number, 5 digits>.parquet
//! compacted/dt=2026-11-23/<generation>/_manifest.json
//! compacted/dt=2026-11-23/<generation>/<name of a file that landed later>.parquet
//! ```
//!
//! A day's files in [`QUOTES_PREFIX`] are rewritten into the few files of a *generation*, and the day's partition in the catalog
//! is switched to that generation's folder. Its manifest names the files that went in. A file of the day that it does not name
//! landed later: it is visible once a copy with the same name lies in the folder. A file that it names must never be copied
//! there, for its rows are in the parts.
//!
//! Trino hides names that begin with `_`, so no query takes the manifest for data.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::keys::{self, QUOTES_PREFIX};

/// Where compacted days lie: beside the table's own prefix, so that no crawl looks into it.
pub const COMPACTED_PREFIX: &str = "compacted/";

/// The name of a generation's manifest in its folder.
pub const MANIFEST: &str = "_manifest.json";

/// What a generation was made of. Written once, before any reader is led to its folder, and never changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Rows in all parts.
    pub rows: u64,
    /// Names of the parts.
    pub parts: Vec<String>,
    /// Names, without their folder, of the day's files in [`QUOTES_PREFIX`] whose rows are in the parts; also of those that were
    /// removed since.
    pub covers: BTreeSet<String>,
}

impl Manifest {
    /// Reads the object's bytes.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The object's bytes: the same for the same manifest.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Whether the rows of the object under `key` in [`QUOTES_PREFIX`] are in the parts.
    pub fn covers(&self, key: &str) -> bool {
        self.covers.contains(file_name(key))
    }
}

/// The folder of all generations of `date`.
pub fn day_folder(date: NaiveDate) -> String {
    format!("{COMPACTED_PREFIX}dt={date}/")
}

/// The folder of one generation: what the partition's Location ends with.
pub fn folder(date: NaiveDate, generation: &str) -> String {
    format!("{COMPACTED_PREFIX}dt={date}/{generation}/")
}

/// The day and the generation of a folder, with or without the slash at its end, or of a key in it.
pub fn parse_folder(key: &str) -> Option<(NaiveDate, &str)> {
    let (day, rest) = key.strip_prefix(COMPACTED_PREFIX)?.strip_prefix("dt=")?.split_once('/')?;
    let generation = rest.split('/').next().filter(|generation| !generation.is_empty() && !generation.starts_with(['_', '.']))?;
    let date: NaiveDate = day.parse().ok()?;
    (date.to_string() == day).then_some((date, generation))
}

/// The name of a part: the topic is in no column.
pub fn part(topic: &str, number: usize) -> String {
    format!("part-{topic}-{number:05}.parquet")
}

/// The topic of the rows of a part, or of a file as `write-quotes` names it, wherever it lies.
pub fn topic(key: &str) -> Option<String> {
    let in_some_day = || format!("{QUOTES_PREFIX}dt=1970-01-01/{}", file_name(key));
    topic_of_part(key).map(str::to_owned).or_else(|| Some(keys::parse(&in_some_day())?.log.topic))
}

/// The topic of a part's rows, from its name or key.
pub fn topic_of_part(key: &str) -> Option<&str> {
    let (topic, number) = file_name(key).strip_prefix("part-")?.strip_suffix(".parquet")?.rsplit_once('-')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(topic)
}

/// What stands behind the last slash.
pub fn file_name(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(_, name)| name)
}

/// The folder of the files that `write-quotes` writes for `date`.
pub fn original_folder(date: NaiveDate) -> String {
    format!("{QUOTES_PREFIX}dt={date}/")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_read_back() {
        let date = NaiveDate::from_ymd_opt(2013, 10, 7).unwrap();
        let folder = folder(date, "1f00");
        assert_eq!(folder, "compacted/dt=2013-10-07/1f00/");
        assert_eq!(parse_folder(&folder), Some((date, "1f00")));
        assert_eq!(parse_folder(folder.trim_end_matches('/')), Some((date, "1f00")));
        assert_eq!(parse_folder(&format!("{folder}{}", part("quotes", 3))), Some((date, "1f00")));
        for topic in ["quotes", "a-b.c_1-7"] {
            assert_eq!(topic_of_part(&format!("{folder}{}", part(topic, 12))), Some(topic));
        }
        for key in ["quotes/dt=2013-10-07/c-unknown-quotes-00000-00000000000000000042.parquet", "part-x.parquet", MANIFEST] {
            assert_eq!(topic_of_part(key), None, "{key}");
        }
        for key in
            ["compacted/dt=2013-10-07/", "compacted/dt=2013-1-7/a/", "compacted/dt=2013-10-07/_current.json", "quotes/dt=2013-10-07/a/"]
        {
            assert_eq!(parse_folder(key), None, "{key}");
        }
    }

    #[test]
    fn a_files_topic_is_in_its_name_wherever_it_lies() {
        let name = "c-unknown-my-topic-00000-00000000000000000042.parquet";
        for key in [format!("quotes/dt=2013-10-07/{name}"), format!("compacted/dt=2013-10-07/g/{name}")] {
            assert_eq!(topic(&key).as_deref(), Some("my-topic"), "{key}");
        }
        assert_eq!(topic("compacted/dt=2013-10-07/g/part-my-topic-00001.parquet").as_deref(), Some("my-topic"));
        assert_eq!(topic("quotes/dt=2013-10-07/by-hand.parquet"), None);
    }

    #[test]
    fn a_manifest_covers_what_it_names_wherever_that_lies() {
        let manifest = Manifest { rows: 1, parts: vec![part("quotes", 0)], covers: ["a.parquet".to_owned()].into() };
        assert!(manifest.covers("quotes/dt=2013-10-07/a.parquet") && manifest.covers("a.parquet"));
        assert!(!manifest.covers("quotes/dt=2013-10-07/b.parquet"));
        assert_eq!(Manifest::from_json(&manifest.to_json().unwrap()).unwrap(), manifest);
    }
}
