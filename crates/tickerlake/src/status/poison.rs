//! The records in quarantine, by the reasons for which they are there.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt, TryStreamExt};
use quotes::keys::{self, QUARANTINE_PREFIX};
use serde::Serialize;

use crate::failure::Failure;
use crate::lake::Lake;
use crate::quarantine::kept::{self, Kept, REPLAYED};

/// Objects that are looked into, the newest: a flood of poison is one reason many times.
const LOOKED_INTO: usize = 500;

/// Objects read at once.
const AT_ONCE: usize = 16;

/// What lies in quarantine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Poison {
    /// Records that wait for somebody: not those that were replayed. One whose offset has a row too counts here, though it is
    /// void; `tickerlake audit` tells them apart.
    pub(super) records: usize,
    /// Records that were replayed.
    pub(super) replayed: usize,
    /// The waiting ones by reason. Of more than 500 only the newest are looked into.
    pub(super) by_reason: BTreeMap<String, usize>,
}

/// Lists the quarantine, and looks into the newest objects.
pub(super) async fn of(lake: &Lake) -> Result<Poison, Failure> {
    let objects = lake.objects(QUARANTINE_PREFIX).await?;
    let marks: BTreeSet<&str> = objects.iter().filter_map(|(key, _)| key.strip_suffix(REPLAYED)).collect();
    let records =
        objects.iter().filter_map(|(key, _)| key.strip_suffix(".json")).filter(|stem| keys::parse(&format!("{stem}.json")).is_some());
    let (replayed, mut waiting): (Vec<&str>, Vec<&str>) = records.partition(|stem| marks.contains(stem));
    let (records, replayed) = (waiting.len(), replayed.len());

    // By day first: what stands last is newest, but for the order of logs within a day.
    waiting.reverse();
    waiting.truncate(LOOKED_INTO);
    let kept: Vec<Kept> =
        stream::iter(waiting).map(|stem| kept::read(lake, format!("{stem}.json"), false)).buffer_unordered(AT_ONCE).try_collect().await?;
    let mut by_reason = BTreeMap::new();
    for kept in &kept {
        *by_reason.entry(reason(&kept.record.reason, &kept.record.detail)).or_default() += 1;
    }
    Ok(Poison { records, replayed, by_reason })
}

/// What is wrong with poison stands in its detail, mostly with a place that differs from record to record.
fn reason(reason: &str, detail: &str) -> String {
    let detail = detail.split(" at line ").next().unwrap_or_default();
    if reason == "poison" && !detail.is_empty() { detail.to_owned() } else { reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn one_reason_at_many_places_is_one() {
        assert_eq!(reason("poison", "EOF while parsing a value at line 1 column 60"), "EOF while parsing a value");
        assert_eq!(reason("poison", ""), "poison");
        assert_eq!(reason("offset reused", "the log began again"), "offset reused");
    }
}
