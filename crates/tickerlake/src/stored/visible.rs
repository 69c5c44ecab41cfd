//! Which files hold the lake's rows: those that a query reads.

use std::collections::{BTreeMap, BTreeSet};

use quotes::compaction::{self, MANIFEST, Manifest};
use quotes::keys;

use crate::failure::Failure;
use crate::lake::Lake;

/// The lake's Parquet files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// Keys of the files that hold rows, each row once. Of a day that the catalog does not know yet: the files that it will lead to.
    pub(super) counted: Vec<String>,
    /// Keys of files as they were written whose rows no query sees, because their day was compacted without them.
    pub(super) invisible: Vec<String>,
}

/// Lists what the catalog leads to, and what it should lead to.
pub(super) async fn files(lake: &Lake) -> Result<Files, Failure> {
    // The catalog first: what lands or moves meanwhile is then rather seen twice than not at all.
    let folders = lake.folders().await?;
    let mut originals: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, _) in lake.objects(keys::QUOTES_PREFIX).await? {
        let day = key.strip_prefix(keys::QUOTES_PREFIX).and_then(|rest| rest.strip_prefix("dt=")).and_then(|rest| rest.split('/').next());
        if let Some(day) = day.filter(|_| is_data(&key)) {
            originals.entry(day.to_owned()).or_default().push(key);
        }
    }
    let mut files = Files::default();
    let days: BTreeSet<&String> = folders.keys().chain(originals.keys()).collect();
    for day in days {
        let written = originals.get(day).cloned().unwrap_or_default();
        match folders.get(day) {
            None => files.counted.extend(written),
            Some(Some(folder)) if *folder == format!("{}dt={day}/", keys::QUOTES_PREFIX) => files.counted.extend(written),
            Some(Some(folder)) => compacted(lake, folder, written, &mut files).await?,
            Some(None) => files.invisible.extend(written),
        }
    }
    Ok(files)
}

/// A day that the catalog leads elsewhere than to where it was written.
async fn compacted(lake: &Lake, folder: &str, written: Vec<String>, files: &mut Files) -> Result<(), Failure> {
    let there: Vec<String> = lake.objects(folder).await?.into_iter().map(|(key, _)| key).collect();
    let key = format!("{folder}{MANIFEST}");
    let manifest = if there.contains(&key) {
        let json = lake.object(&key).await?;
        Manifest::from_json(&json).map_err(|error| Failure::new(format_args!("{key} is not a manifest"), error))?
    } else {
        Manifest::default()
    };
    let names: BTreeSet<&str> = there.iter().map(|key| compaction::file_name(key)).collect();
    let is_invisible = |key: &String| !manifest.covers(key) && !names.contains(compaction::file_name(key));
    files.invisible.extend(written.into_iter().filter(is_invisible));
    files.counted.extend(there.iter().filter(|key| is_data(key)).cloned());
    Ok(())
}

/// Whether the table's files are named so: Trino hides the others.
fn is_data(key: &str) -> bool {
    key.ends_with(".parquet") && !compaction::file_name(key).starts_with(['_', '.'])
}
