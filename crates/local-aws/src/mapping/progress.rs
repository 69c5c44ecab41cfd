//! How far a mapping is.

use std::collections::BTreeMap;

/// How far a mapping is, over all partitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// By partition. Empty until the topic was found.
    pub partitions: BTreeMap<i32, PartitionProgress>,
    /// Whether the function is at work on a batch, or a batch waits to be tried again.
    pub in_flight: bool,
    /// Batches that succeeded.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Invocations that failed.
    pub failures: u64,
    /// Records that are above the payload limit by themselves.
    pub dropped: u64,
    /// The last thing that went wrong, until a batch succeeds.
    pub last_error: Option<String>,
    /// The last thing that went wrong with Kafka and not in the function, until a batch succeeds.
    pub kafka_error: Option<String>,
}

/// How far a mapping is in one partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The next offset to be gathered.
    pub position: i64,
    /// The next offset to be delivered: the committed one, or where the mapping started.
    pub committed: i64,
    /// The offset that the next record will get, when it was last looked up.
    pub high_watermark: i64,
}

impl PartitionProgress {
    /// How many offsets are not yet done.
    pub fn lag(&self) -> u64 {
        u64::try_from(self.high_watermark.saturating_sub(self.committed)).unwrap_or(0)
    }
}

impl Progress {
    /// How many offsets are not yet done, over all partitions.
    pub fn lag(&self) -> u64 {
        self.partitions.values().map(PartitionProgress::lag).fold(0, u64::saturating_add)
    }

    /// Whether all is done up to these high watermarks.
    pub(super) fn has_reached(&self, watermarks: &BTreeMap<i32, i64>) -> bool {
        !self.in_flight
            && watermarks.iter().all(|(partition, high)| self.partitions.get(partition).is_some_and(|progress| progress.committed >= *high))
    }
}

#[cfg(test)]
mod tests {
    use super::{PartitionProgress, Progress};
    use std::collections::BTreeMap;

    #[test]
    fn watermarks_are_reached_when_all_is_committed_and_nothing_in_flight() {
        let mut progress = Progress::default();
        let watermarks = BTreeMap::from([(0, 5), (1, 0)]);
        assert!(!progress.has_reached(&watermarks), "an unknown partition is not done");
        progress.partitions.insert(0, PartitionProgress { position: 5, committed: 4, high_watermark: 9 });
        progress.partitions.insert(1, PartitionProgress::default());
        assert_eq!(progress.lag(), 5);
        assert!(!progress.has_reached(&watermarks));
        progress.partitions.insert(0, PartitionProgress { position: 5, committed: 5, high_watermark: 9 });
        assert!(progress.has_reached(&watermarks));
        progress.in_flight = true;
        assert!(!progress.has_reached(&watermarks));
    }
}
