//! From a day's many sorted files to few: an external merge sort over compressed data.
//!
//! Files are fetched and sorted in groups of a few MB, each group becoming a *run*: one Parquet file in memory, with small pages.
//! Then all runs are merged, row by row, into the parts, of which one is in memory at a time. So memory holds the day's rows
//! once, compressed (some 80 bytes a row), and of what is decoded one group, or a few hundred rows of each run.

mod lineage;
mod merge;
mod parts;
mod read;
mod runs;

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use lake_store::{Condition, Object, Put, Store};
use quotes::compaction::{self, Manifest};
use quotes::schema;

use crate::error::Error;
use lineage::Lineage;
use merge::Merge;
use parts::{Part, Parts};
use runs::Runs;

/// Files fetched at once.
const FETCHED_AT_ONCE: usize = 16;

/// Metadata of a part: its rows.
const ROWS: &str = "rows";

/// Writes the rows of `inputs` into parts in `folder`, each row once.
///
/// A topic has parts of its own, because it is in no column: offsets of two topics would be taken for one another.
pub(crate) async fn build(store: &Store, folder: &str, inputs: &[Object]) -> Result<Manifest, Error> {
    let mut topics: BTreeMap<String, Vec<&Object>> = BTreeMap::new();
    for input in inputs {
        // A file of another form is taken for the table's usual topic, as the audit takes it.
        let topic = compaction::topic(&input.key).unwrap_or_else(|| schema::TABLE.to_owned());
        topics.entry(topic).or_default().push(input);
    }
    let mut manifest = Manifest::default();
    for (topic, inputs) in topics {
        build_topic(store, folder, &topic, &inputs, &mut manifest).await?;
    }
    Ok(manifest)
}

async fn build_topic(store: &Store, folder: &str, topic: &str, inputs: &[&Object], manifest: &mut Manifest) -> Result<(), Error> {
    let mut runs = Runs::default();
    let mut fetched = stream::iter(inputs).map(|input| async move { fetch(store, input).await }).buffered(FETCHED_AT_ONCE);
    while let Some((key, bytes)) = fetched.try_next().await? {
        let is_sorted = compaction::topic_of_part(&key).is_some();
        runs.add(&key, bytes, is_sorted)?;
    }
    let (runs, expected) = runs.finish()?;

    let mut lineage = Lineage::default();
    let mut parts = Parts::new(topic);
    let mut found = 0;
    let mut merge = Merge::of(runs)?;
    while let Some(batch) = merge.next_batch()? {
        lineage.add(&batch)?;
        for part in parts.add(&batch)? {
            found += put(store, folder, part, manifest).await?;
        }
        // Merging is work without waiting: the deadline is looked at here.
        tokio::task::yield_now().await;
    }
    if let Some(part) = parts.finish()? {
        found += put(store, folder, part, manifest).await?;
    }
    lineage.check()?;
    if found != expected {
        return Err(Error::Counts { what: folder.to_owned(), expected, found });
    }
    Ok(())
}

async fn fetch(store: &Store, input: &Object) -> Result<(String, Bytes), Error> {
    let bytes = store.get_version(&input.key, &input.version).await?;
    Ok((input.key.clone(), bytes.ok_or_else(|| Error::Changed(input.key.clone()))?))
}

/// Puts a part, and answers how many rows it has.
async fn put(store: &Store, folder: &str, part: Part, manifest: &mut Manifest) -> Result<u64, Error> {
    let key = format!("{folder}{}", part.name);
    let metadata = HashMap::from([(ROWS.to_owned(), part.rows.to_string())]);
    let put = store.put(&key, part.bytes, "application/vnd.apache.parquet", metadata, Condition::Absent).await?;
    if put == Put::ConditionFailed {
        // An earlier or concurrent run's, made of the same files.
        let there = store.metadata(&key).await?.unwrap_or_default();
        let found = there.get(ROWS).and_then(|rows| rows.parse().ok()).unwrap_or(0);
        if found != part.rows {
            return Err(Error::Counts { what: key, expected: part.rows, found });
        }
    }
    manifest.rows += part.rows;
    manifest.parts.push(part.name);
    Ok(part.rows)
}

#[cfg(test)]
mod tests;
