//! The protocol by which a day is compacted.
//!
//! ```text
//! gather    what the day consists of now
//! build     the parts of a new generation and its manifest, in a folder that nobody reads
//! claim     swap the generation into `_current.json`: of several runs, one wins, and the others follow it
//! fill      copy what landed meanwhile and is not in the manifest
//! switch    lead the partition to the folder, and see that it leads there
//! fill      copy what landed between the first look and the switch
//! settle    swap `switched_at` in: until SETTLE has passed, no other generation may be claimed
//! ```
//!
//! A run that finds a claim that was not settled goes on with it, whoever made it. `docs/compaction.md` has the argument; the
//! tests beside this file run this code through the interleavings of several runs, of files that land, of `start-crawler`'s
//! copies, and of crashes.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use lake_store::{Object, Version};
use quotes::compaction::{self, Manifest};
use quotes::keys::LogId;
use serde::Serialize;

use crate::content::{self, Content};
use crate::current::Current;
use crate::error::Error;

/// How often a switch that others get in the way of is begun anew.
const TRIES: usize = 10;

/// What the protocol needs of the lake and the catalog, for one day.
pub(crate) trait Day {
    /// The day.
    fn date(&self) -> NaiveDate;
    /// The time.
    fn now(&self) -> DateTime<Utc>;
    /// The folder in the lake that the day's partition leads to; `None` where the day is not registered.
    async fn location(&self) -> Result<Option<String>, Error>;
    /// Leads the day's partition to a folder.
    async fn lead_to(&self, folder: &str) -> Result<(), Error>;
    /// The objects in a folder, by key.
    async fn list(&self, folder: &str) -> Result<Vec<Object>, Error>;
    /// Which generation counts, if one does.
    async fn current(&self) -> Result<Option<(Current, Version)>, Error>;
    /// Makes another state count in the place of the version that was read; `None` if somebody else was quicker.
    async fn swap_current(&self, from: Option<&Version>, to: &Current) -> Result<Option<Version>, Error>;
    /// A generation's manifest.
    async fn manifest(&self, folder: &str) -> Result<Option<Manifest>, Error>;
    /// Writes a generation's manifest, if there is none.
    async fn put_manifest(&self, folder: &str, manifest: &Manifest) -> Result<(), Error>;
    /// Writes the rows of the inputs into parts in a folder; answers with a manifest that covers nothing yet.
    async fn build(&self, folder: &str, inputs: &[Object]) -> Result<Manifest, Error>;
    /// Copies an object to a key where there is none. One that is gone needs no copy.
    async fn copy(&self, from: &str, to: &str) -> Result<(), Error>;
    /// Removes an object.
    async fn delete(&self, key: &str) -> Result<(), Error>;
    /// The first offset of a log that is not stored yet; `None` where the log has no watermark.
    async fn next_offset(&self, log: &LogId) -> Result<Option<i64>, Error>;
}

/// What came of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Its partition is not registered: no query sees the day, and `start-crawler` registers it first.
    NotRegistered,
    /// There was nothing to gain.
    Compact,
    /// There is something to gain, but the latest switch is too fresh.
    Settling,
    /// It has a new generation.
    Compacted,
}

/// What a run did to a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Outcome {
    /// The day.
    pub(crate) day: NaiveDate,
    /// What came of it.
    pub(crate) state: State,
    /// Files that held the day's rows before the run, with their bytes.
    pub(crate) files_before: usize,
    pub(crate) bytes_before: u64,
    /// Files that readers are led to after the run, with their bytes.
    pub(crate) files_after: usize,
    pub(crate) bytes_after: u64,
    /// Rows in the parts of the generation that counts.
    pub(crate) rows: u64,
    /// Objects removed.
    pub(crate) removed: usize,
}

/// Compacts a day, or finishes what an earlier run began.
pub(crate) async fn compact(day: &impl Day, settle: TimeDelta) -> Result<Outcome, Error> {
    let date = day.date();
    let mut outcome =
        Outcome { day: date, state: State::Compact, files_before: 0, bytes_before: 0, files_after: 0, bytes_after: 0, rows: 0, removed: 0 };
    let Some(location) = day.location().await? else { return Ok(Outcome { state: State::NotRegistered, ..outcome }) };
    let current = match day.current().await? {
        Some(current) => Some(switch(day, current).await?),
        None if location == compaction::original_folder(date) => None,
        None => return Err(Error::Elsewhere { date, location }),
    };

    let content = gather(day, current.as_ref().map(|(current, _)| current)).await?;
    (outcome.files_before, outcome.bytes_before) = (content.inputs.len(), content.bytes());
    let settled = current.as_ref().is_none_or(|(current, _)| current.switched_at.is_some_and(|at| day.now() - at >= settle));
    let counts = if !content.is_worth_it() {
        current
    } else if !settled {
        outcome.state = State::Settling;
        current
    } else {
        outcome.state = State::Compacted;
        Some(renew(day, &content, current).await?)
    };

    let folder = counts.as_ref().map_or_else(|| compaction::original_folder(date), |(current, _)| current.folder(date));
    if outcome.state != State::Compacted && counts.is_some() {
        fill(day, &folder).await?;
    }
    let read: Vec<Object> = day.list(&folder).await?.into_iter().filter(content::is_data).collect();
    (outcome.files_after, outcome.bytes_after) = (read.len(), read.iter().map(|file| file.size).sum());
    if counts.is_some() {
        outcome.rows = manifest(day, &folder).await?.rows;
    }
    Ok(outcome)
}

/// What the day consists of now.
async fn gather(day: &impl Day, current: Option<&Current>) -> Result<Content, Error> {
    let generation = match current.map(|current| current.folder(day.date())) {
        Some(folder) => Some((manifest(day, &folder).await?, day.list(&folder).await?)),
        None => None,
    };
    let originals = originals(day).await?;
    Ok(Content::of(originals, generation.as_ref().map(|(manifest, files)| (manifest, files.clone()))))
}

/// Builds a generation of the content, and makes it count unless another run was quicker with one of its own.
async fn renew(day: &impl Day, content: &Content, current: Option<(Current, Version)>) -> Result<(Current, Version), Error> {
    let before = current.as_ref().map(|(current, _)| current);
    let generation = content.generation(before.map(|before| before.generation.as_str()), day.now());
    let folder = compaction::folder(day.date(), &generation);
    if day.manifest(&folder).await?.is_none() {
        let built = day.build(&folder, &content.inputs).await?;
        day.put_manifest(&folder, &Manifest { covers: content.covers.clone(), ..built }).await?;
    }
    let claim = Current::claim(generation, before);
    let claimed = match day.swap_current(current.as_ref().map(|(_, version)| version), &claim).await? {
        Some(version) => (claim, version),
        None => counting(day).await?,
    };
    switch(day, claimed).await
}

/// Sees to it that the partition leads to the generation that counts, and that its folder has all of the day.
async fn switch(day: &impl Day, mut current: (Current, Version)) -> Result<(Current, Version), Error> {
    for _ in 0..TRIES {
        let (state, version) = &current;
        let folder = state.folder(day.date());
        let is_led_there = day.location().await?.as_ref() == Some(&folder);
        let next = if state.switched_at.is_none() {
            fill(day, &folder).await?;
            if !is_led_there {
                day.lead_to(&folder).await?;
                if day.location().await?.as_ref() != Some(&folder) {
                    continue;
                }
                fill(day, &folder).await?;
            }
            state.switched(Some(day.now()))
        } else if is_led_there {
            return Ok(current);
        } else {
            // Somebody led it elsewhere. It is told before it is led back, so that no other generation takes its place meanwhile.
            tracing::warn!(folder, "The partition led elsewhere, and is led back.");
            state.switched(None)
        };
        current = match day.swap_current(Some(version), &next).await? {
            Some(version) => (next, version),
            None => counting(day).await?,
        };
    }
    Err(Error::Contended(day.date()))
}

/// Copies into a generation's folder what it does not have: the files of the day that landed after it was gathered.
async fn fill(day: &impl Day, folder: &str) -> Result<(), Error> {
    let manifest = manifest(day, folder).await?;
    let there = day.list(folder).await?;
    let there: BTreeSet<&str> = there.iter().map(|file| compaction::file_name(&file.key)).collect();
    for file in originals(day).await?.iter().filter(|file| content::is_data(file)) {
        let name = compaction::file_name(&file.key);
        if !manifest.covers(name) && !there.contains(name) {
            tracing::info!(key = file.key, folder, "A file that landed later is copied to the compacted ones.");
            day.copy(&file.key, &format!("{folder}{name}")).await?;
        }
    }
    Ok(())
}

async fn originals(day: &impl Day) -> Result<Vec<Object>, Error> {
    let originals = day.list(&compaction::original_folder(day.date())).await?;
    content::check_flat(day.date(), &originals)?;
    Ok(originals)
}

/// The state that counts, where there must be one.
async fn counting(day: &impl Day) -> Result<(Current, Version), Error> {
    day.current().await?.ok_or(Error::Contended(day.date()))
}

/// The manifest of a generation that counts.
pub(crate) async fn manifest(day: &impl Day, folder: &str) -> Result<Manifest, Error> {
    day.manifest(folder).await?.ok_or_else(|| Error::NoManifest(folder.to_owned()))
}
