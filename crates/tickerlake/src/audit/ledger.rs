//! The comparison: which offsets are in the lake, how often, and which are not.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use quotes::cluster::UNKNOWN_CLUSTER;
use quotes::keys::LogId;
use serde::Serialize;

use super::kafka::Offsets;
use crate::stored::{Hole, Stored, StoredLog};

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Audit {
    /// The clusters that Kafka's offsets were read from; none where no Kafka could be asked.
    pub(crate) kafka: Vec<String>,
    /// The logs.
    pub(crate) logs: Vec<LogAudit>,
    /// Files whose rows no query sees: their day was compacted without them. Their offsets are gaps, too.
    pub(crate) invisible: Vec<String>,
}

/// What was found of one log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LogAudit {
    /// The cluster.
    pub(crate) cluster: String,
    /// The topic.
    pub(crate) topic: String,
    /// The partition.
    pub(crate) partition: i32,
    /// Kafka's earliest and next offset; `None` where Kafka was not asked, or is another cluster.
    pub(crate) kafka: Option<(i64, i64)>,
    /// Rows, each counted.
    pub(crate) rows: usize,
    /// Records in quarantine, without void ones.
    pub(crate) quarantined: usize,
    /// Objects in quarantine whose offset has a row: two versions of the code disagreed.
    pub(crate) void: usize,
    /// Records in quarantine whose offset the log had used before.
    pub(crate) reused: usize,
    /// Offsets with more than one row.
    pub(crate) doubles: Vec<Double>,
    /// Offsets that are neither a row nor in quarantine.
    pub(crate) gaps: Vec<Gap>,
}

/// An offset with more than one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Double {
    /// The offset.
    pub(crate) offset: i64,
    /// The files that its rows are in.
    pub(crate) files: Vec<String>,
}

/// Offsets that are not in the lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Gap {
    /// The first one.
    pub(crate) from: i64,
    /// The last one.
    pub(crate) to: i64,
    /// Why.
    pub(crate) reason: Reason,
}

/// Why an offset is not in the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// It should be: this is a fault.
    Missing,
    /// It had left Kafka (by retention, mostly) before it was stored.
    Expired,
    /// It is above the watermark: nobody has stored it yet.
    Pending,
}

impl Audit {
    /// Whether every offset is in the lake exactly once.
    pub(crate) fn is_sound(&self) -> bool {
        self.invisible.is_empty() && self.logs.iter().all(|log| log.doubles.is_empty() && log.gaps.is_empty())
    }
}

/// Compares what is stored with what Kafka has.
pub(crate) fn compare(stored: &Stored, offsets: &[Offsets]) -> Audit {
    let mut logs: BTreeSet<LogId> = stored.logs.keys().cloned().collect();
    for offsets in offsets {
        let log = |partition: &i32| LogId { cluster: offsets.cluster.clone(), topic: offsets.topic.clone(), partition: *partition };
        logs.extend(offsets.partitions.iter().filter(|(_, range)| range.end > 0).map(|(partition, _)| log(partition)));
    }
    let logs = logs.iter().map(|log| compare_log(log, stored, offsets)).collect();
    Audit { kafka: offsets.iter().map(|offsets| offsets.cluster.clone()).collect(), logs, invisible: stored.invisible.clone() }
}

fn compare_log(log: &LogId, stored: &Stored, offsets: &[Offsets]) -> LogAudit {
    let nothing = StoredLog::default();
    let of = |log: &LogId| stored.logs.get(log).unwrap_or(&nothing);
    let own = of(log);
    // Records that carry no believable id share a partition's offsets with those that do.
    let siblings = |cluster: &str| of(&LogId { cluster: cluster.to_owned(), ..log.clone() });
    let others: Vec<&StoredLog> = if log.cluster == UNKNOWN_CLUSTER {
        let clusters = stored.logs.keys().filter(|other| other.topic == log.topic && other.partition == log.partition && *other != log);
        clusters.map(of).collect()
    } else {
        vec![siblings(UNKNOWN_CLUSTER)]
    };

    let mut rows: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (offset, file) in &own.rows {
        rows.entry(*offset).or_default().push(*file);
    }
    let doubles = rows.iter().filter(|(_, files)| files.len() > 1).map(|(offset, files)| Double {
        offset: *offset,
        files: files.iter().filter_map(|file| stored.files.get(*file).cloned()).collect(),
    });
    let quarantine: BTreeSet<i64> = own.quarantine.iter().copied().collect();
    let void = quarantine.iter().filter(|offset| rows.contains_key(offset)).count();

    let kafka = offsets
        .iter()
        .find(|offsets| offsets.cluster == log.cluster && offsets.topic == log.topic)
        .and_then(|offsets| offsets.partitions.get(&log.partition))
        .map(|range| (range.start, range.end));
    let next = own.watermark.as_ref().map_or(0, |watermark| watermark.next);
    let next = others.iter().filter_map(|other| other.watermark.as_ref()).map(|watermark| watermark.next).fold(next, i64::max);

    let mut known: BTreeSet<i64> = rows.keys().copied().chain(quarantine.iter().copied()).collect();
    let first = known.first().copied();
    known.extend(others.iter().flat_map(|other| other.rows.iter().map(|(offset, _)| *offset).chain(other.quarantine.iter().copied())));
    let from = match (first, kafka) {
        (Some(first), Some((earliest, _))) => first.min(earliest),
        (Some(first), None) => first,
        (None, Some((earliest, _))) => earliest,
        (None, None) => next,
    };
    // Without its Kafka, a log ends where its own watermark says.
    let own_next = own.watermark.as_ref().map_or(0, |watermark| watermark.next);
    let end = kafka.map_or(own_next, |(_, end)| end.max(own_next));
    let holes = own.watermark.as_ref().map_or(&[][..], |watermark| &watermark.holes);
    LogAudit {
        cluster: log.cluster.clone(),
        topic: log.topic.clone(),
        partition: log.partition,
        kafka,
        rows: own.rows.len(),
        quarantined: quarantine.len() - void,
        void,
        reused: own.reused,
        doubles: doubles.collect(),
        gaps: gaps(&known, from..end, next, kafka.map(|(earliest, _)| earliest), holes),
    }
}

/// The offsets of `log` that are not `known`, as few spans as there are. What is stored ends before `next`, and what Kafka
/// still has begins with `earliest`.
fn gaps(known: &BTreeSet<i64>, log: Range<i64>, next: i64, earliest: Option<i64>, holes: &[Hole]) -> Vec<Gap> {
    let Range { start: from, end } = log;
    if from >= end {
        return Vec::new();
    }
    let mut gaps: Vec<Gap> = Vec::new();
    let mut expected = from;
    for offset in known.range(from..end).copied().chain([end]) {
        for missing in expected..offset {
            let reason = if missing >= next {
                // Nobody can store any more what Kafka no longer has.
                if earliest.is_some_and(|earliest| missing < earliest) { Reason::Expired } else { Reason::Pending }
            } else if holes.iter().any(|hole| (hole.from..=hole.to).contains(&missing)) {
                Reason::Expired
            } else {
                Reason::Missing
            };
            match gaps.last_mut() {
                Some(gap) if gap.to + 1 == missing && gap.reason == reason => gap.to = missing,
                _ => gaps.push(Gap { from: missing, to: missing, reason }),
            }
        }
        expected = offset + 1;
    }
    gaps
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::stored::Watermark;

    const CLUSTER: &str = "AAAAAAAAAAAAAAAAAAAAAA";

    fn log(cluster: &str) -> LogId {
        LogId { cluster: cluster.into(), topic: "quotes".into(), partition: 0 }
    }

    fn stored_log(rows: &[i64], quarantine: &[i64], next: i64, holes: &[(i64, i64)]) -> StoredLog {
        StoredLog {
            rows: rows.iter().map(|offset| (*offset, 0)).collect(),
            quarantine: quarantine.to_vec(),
            reused: 0,
            watermark: Some(Watermark { next, holes: holes.iter().map(|(from, to)| Hole { from: *from, to: *to }).collect() }),
        }
    }

    fn stored(logs: Vec<(LogId, StoredLog)>) -> Stored {
        Stored { logs: logs.into_iter().collect(), files: vec!["a.parquet".into()], invisible: Vec::new() }
    }

    fn kafka(earliest: i64, end: i64) -> Offsets {
        Offsets { cluster: CLUSTER.into(), topic: "quotes".into(), partitions: BTreeMap::from([(0, earliest..end)]) }
    }

    #[test]
    fn a_sound_lake_has_every_offset_once() {
        let stored = stored(vec![(log(CLUSTER), stored_log(&[0, 2, 1], &[3], 4, &[]))]);
        let audit = compare(&stored, &[kafka(0, 4)]);
        assert!(audit.is_sound(), "{audit:?}");
        assert_eq!((audit.logs[0].rows, audit.logs[0].quarantined), (3, 1));
    }

    #[test]
    fn gaps_are_named_with_their_reasons() {
        // 0 and 1 expired, 4 is lost, 6 and 7 are not stored yet.
        let stored = stored(vec![(log(CLUSTER), stored_log(&[2, 3, 5], &[], 6, &[(0, 1)]))]);
        let audit = compare(&stored, &[kafka(0, 8)]);
        let gaps: Vec<_> = audit.logs[0].gaps.iter().map(|gap| (gap.from, gap.to, gap.reason)).collect();
        assert_eq!(gaps, [(0, 1, Reason::Expired), (4, 4, Reason::Missing), (6, 7, Reason::Pending)]);
        assert!(!audit.is_sound());
    }

    #[test]
    fn what_left_kafka_above_the_watermark_is_not_waited_for() {
        let stored = stored(vec![(log(CLUSTER), stored_log(&[0, 1], &[], 2, &[]))]);
        let audit = compare(&stored, &[kafka(5, 7)]);
        let gaps: Vec<_> = audit.logs[0].gaps.iter().map(|gap| (gap.from, gap.to, gap.reason)).collect();
        assert_eq!(gaps, [(2, 4, Reason::Expired), (5, 6, Reason::Pending)]);
    }

    #[test]
    fn a_file_that_no_query_reads_is_a_fault_even_if_it_has_no_rows() {
        let stored = Stored { invisible: vec!["b.parquet".into()], ..stored(vec![(log(CLUSTER), stored_log(&[0, 1], &[], 2, &[]))]) };
        assert!(!compare(&stored, &[]).is_sound());
    }

    #[test]
    fn two_clusters_are_compared_each_with_its_own() {
        let mut other = kafka(0, 9);
        other.cluster = "BBBBBBBBBBBBBBBBBBBBBB".into();
        let stored = stored(vec![(log(CLUSTER), stored_log(&[0, 1], &[], 2, &[]))]);
        let audit = compare(&stored, &[kafka(0, 2), other]);
        assert!(audit.logs[0].gaps.is_empty());
        assert_eq!(audit.logs[1].gaps, [Gap { from: 0, to: 8, reason: Reason::Pending }]);
    }

    #[test]
    fn doubles_are_named_with_their_files() {
        let stored = stored(vec![(log(CLUSTER), stored_log(&[0, 1, 1], &[], 2, &[]))]);
        let audit = compare(&stored, &[]);
        assert_eq!(audit.logs[0].doubles, [Double { offset: 1, files: vec!["a.parquet".into(), "a.parquet".into()] }]);
        assert!(!audit.is_sound());
    }

    #[test]
    fn a_log_that_kafka_has_and_the_lake_does_not_is_a_gap() {
        let audit = compare(&Stored::default(), &[kafka(0, 3)]);
        assert_eq!(audit.logs[0].gaps, [Gap { from: 0, to: 2, reason: Reason::Pending }]);
    }

    #[test]
    fn records_without_an_id_fill_the_gaps_of_the_cluster_that_they_are_in() {
        let stored =
            stored(vec![(log(CLUSTER), stored_log(&[0, 1, 4], &[], 5, &[(2, 3)])), (log(UNKNOWN_CLUSTER), stored_log(&[2], &[3], 4, &[]))]);
        let audit = compare(&stored, &[kafka(0, 5)]);
        assert!(audit.is_sound(), "{audit:?}");
    }

    #[test]
    fn a_quarantine_object_beside_a_row_is_void() {
        let stored = stored(vec![(log(CLUSTER), stored_log(&[0, 1], &[1], 2, &[]))]);
        let audit = compare(&stored, &[kafka(0, 2)]);
        assert_eq!((audit.logs[0].void, audit.logs[0].quarantined, audit.is_sound()), (1, 0, true));
    }
}
