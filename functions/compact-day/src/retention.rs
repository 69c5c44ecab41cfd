//! Removes what no reader is led to any more.
//!
//! In a bucket with versions a removed object stays as an older version until its lifecycle rule drops it.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use lake_store::Object;
use quotes::{compaction, keys};

use crate::day::{self, Day};
use crate::error::Error;

/// Removes the files that the generation that counts has covered, and generations that no longer count, once both they and the
/// switch are older than `after`: longer than any query that was led to them may run, and than any invocation of `write-quotes`
/// may live that could write their keys again. Answers how many objects it removed.
///
/// A file of a log whose watermark has not passed it stays, however old: its key is what keeps its records from being written
/// twice.
pub(crate) async fn remove(day: &impl Day, after: TimeDelta) -> Result<usize, Error> {
    let Some((current, _)) = day.current().await? else { return Ok(0) };
    let (folder, now) = (current.folder(day.date()), day.now());
    let is_old_switch = current.switched_at.is_some_and(|at| now - at >= after);
    if !is_old_switch || day.location().await?.as_ref() != Some(&folder) {
        return Ok(0);
    }
    let is_old = |file: &Object| now - file.modified >= after;
    let mut removed = 0;

    let manifest = day::manifest(day, &folder).await?;
    let mut watermarks = BTreeMap::new();
    for file in day.list(&compaction::original_folder(day.date())).await? {
        // A file of a form that write-quotes does not write is somebody else's to remove.
        let Some(name) = keys::parse(&file.key) else { continue };
        if !manifest.covers(&file.key) || !is_old(&file) {
            continue;
        }
        let next = match watermarks.get(&name.log) {
            Some(next) => *next,
            None => {
                let next = day.next_offset(&name.log).await?;
                watermarks.insert(name.log.clone(), next);
                next
            }
        };
        // A watermark goes from a file's first offset to the one after its last in one step.
        if next.is_some_and(|next| next > name.offset) {
            day.delete(&file.key).await?;
            removed += 1;
        }
    }

    let mut generations: BTreeMap<String, Vec<Object>> = BTreeMap::new();
    for file in day.list(&compaction::day_folder(day.date())).await? {
        let generation = compaction::parse_folder(&file.key).map(|(_, generation)| generation.to_owned());
        if let Some(generation) = generation.filter(|generation| *generation != current.generation) {
            generations.entry(generation).or_default().push(file);
        }
    }
    for mut files in generations.into_values().filter(|files| files.iter().all(is_old)) {
        // Its manifest first: nobody takes half of a generation for a whole one.
        files.sort_by_key(|file| compaction::file_name(&file.key) != compaction::MANIFEST);
        for file in files {
            day.delete(&file.key).await?;
            removed += 1;
        }
    }
    Ok(removed)
}
