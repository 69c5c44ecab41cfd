//! How far a replay came: kept in Kafka itself, next to what it is about.
//!
//! Each record carries its [`Mark`](super::mark::Mark). The consumer group `tickerlake-replay-<file>`
//! has for each partition the offset after its *anchor*, the last record of the last batch that
//! was stored whole. An anchor is committed only once every row up to its line is stored, in
//! whatever partition. So at the start:
//!
//! 1. A partition's anchor is the record before the committed offset; the greatest line of all
//!    anchors is the line through which everything is stored.
//! 2. What was produced after that commit, perhaps by a process that was killed before the next
//!    one, lies between the committed offsets and the ends of the partitions: those records' lines
//!    are stored too, in whatever order and with whatever gaps.
//!
//! Before anything was produced, the ends of the partitions are committed: whatever lies before
//! them is not this replay's. (Unless the record there is: Kafka forgets the offsets of an unused
//! group after a week, and the log remembers.)
//!
//! The line also stands in the commit's metadata. The embedded broker keeps metadata but never
//! returns it, and so it is only needed where retention has deleted an anchor, which the embedded
//! broker never does.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use quotes::CLUSTER_HEADER;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::mark::{FileId, Mark, REPLAY_HEADER};
use crate::config::KafkaConfig;
use crate::kafka::{self, LogContext, REQUEST_TIMEOUT};
use crate::producer::{self, ProduceError, code};

/// Why it is not known how far a replay came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgressError {
    /// The cluster or topic cannot be reached or used.
    #[error("it is not known how far the replay came")]
    Cluster(#[source] ProduceError),
    /// The cluster did not say or did not keep it.
    #[error("group {group}: {doing} failed")]
    Kafka {
        /// The consumer group.
        group: String,
        /// What was tried.
        doing: &'static str,
        #[source]
        source: RDKafkaErrorCode,
    },
    /// The log was not read to its end in the invocation's time.
    #[error("partition {partition} of {topic} was not read from offset {from} to {to} in time: raise the function's timeout")]
    Slow {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The first offset to be read.
        from: i64,
        /// The end of the log.
        to: i64,
    },
    /// Retention deleted the record that says how far the replay came.
    #[error(
        "partition {partition} of {topic}: the record at offset {offset}, which says how far the replay came, was deleted; \
         to replay the whole file again delete the consumer group {group}"
    )]
    Lost {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The record's offset.
        offset: i64,
        /// The consumer group.
        group: String,
    },
    /// The runtime stopped meanwhile.
    #[error("interrupted while the log was read")]
    Interrupted,
}

impl ProgressError {
    /// Whether the same can succeed later without anybody changing anything.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Cluster(error) => error.is_retryable(),
            Self::Kafka { source, .. } => *source != RDKafkaErrorCode::GroupAuthorizationFailed,
            Self::Slow { .. } | Self::Lost { .. } => false,
            Self::Interrupted => true,
        }
    }
}

/// Which lines of a file are in the log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// All up to this one.
    pub(super) line: u64,
    /// And these.
    pub(super) beyond: HashSet<u64>,
}

impl Position {
    /// Whether `line` is in the log.
    pub(super) fn has(&self, line: u64) -> bool {
        line <= self.line || self.beyond.contains(&line)
    }
}

/// A record up to whose line everything is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    /// Its offset.
    pub(super) offset: i64,
    /// Its line.
    pub(super) line: u64,
}

impl Anchor {
    /// The one of the greater line.
    pub(super) const fn max_by_line(self, other: Self) -> Self {
        if self.line > other.line { self } else { other }
    }
}

/// A replay's consumer group.
pub(super) struct Progress {
    consumer: BaseConsumer<LogContext>,
    topic: String,
    group: String,
    cluster: Option<String>,
}

/// A stretch of a partition that may hold lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    partition: i32,
    /// The first offset to read: the anchor's, if there is one.
    from: i64,
    /// The anchor's offset; -1: none.
    anchor: i64,
    /// The end of the log.
    to: i64,
}

impl Progress {
    /// Finds out, blocking, what of `file` is in the log, within `time`.
    pub(super) fn open(kafka: &KafkaConfig, file: &FileId, time: Duration) -> Result<(Self, Position), ProgressError> {
        let deadline = Instant::now() + time;
        let group = format!("tickerlake-replay-{file}");
        let consumer: BaseConsumer<LogContext> = kafka::client_config(kafka)
            .set("group.id", &group)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            // Between the answer about a partition's bounds and the read, retention may move them.
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100")
            // Of the records only a header is looked at: few need to wait in memory.
            .set("queued.max.messages.kbytes", "2048")
            .create_with_context(LogContext)
            .map_err(|error| ProgressError::Kafka { group: group.clone(), doing: "making a client", source: code(&error) })?;
        let cluster = producer::ask(consumer.client(), kafka, time.min(REQUEST_TIMEOUT))
            .map_err(|error| ProgressError::Cluster(error.into_produce_error(kafka)))?;

        let progress = Self { consumer, topic: kafka.topic.clone(), group, cluster: cluster.id };
        let mut found = Found::default();
        let mut stretches = progress.stretches(cluster.partitions, &mut found)?;
        stretches.retain(|stretch| stretch.from < stretch.to);
        progress.scan(&stretches, file, deadline, &mut found)?;
        Ok((progress, found.into_position()))
    }

    /// The cluster whose log was read.
    pub(super) fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }

    /// Commits, blocking. To be called only when every line up to the greatest of `anchors` is stored.
    pub(super) fn commit(&self, anchors: &BTreeMap<i32, Anchor>) -> Result<(), ProgressError> {
        let next = anchors.iter().map(|(partition, anchor)| (*partition, anchor.offset + 1, anchor.line));
        self.commit_offsets(next).map_err(|error| self.error("committing the position", &error))
    }

    fn commit_offsets(&self, offsets: impl Iterator<Item = (i32, i64, u64)>) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        for (partition, offset, line) in offsets {
            let mut element = list.add_partition(&self.topic, partition);
            element.set_offset(Offset::Offset(offset))?;
            element.set_metadata(line.to_string());
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.consumer.commit(&list, CommitMode::Sync)
    }

    /// What is to be read of each partition. Commits the ends where nothing is committed yet.
    fn stretches(&self, partitions: i32, found: &mut Found) -> Result<Vec<Stretch>, ProgressError> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range(&self.topic, 0, partitions - 1);
        let committed =
            self.consumer.committed_offsets(asked, REQUEST_TIMEOUT).map_err(|error| self.error("asking for the position", &error))?;

        let mut parts = Vec::new();
        for element in committed.elements_for_topic(&self.topic) {
            let partition = element.partition();
            let (low, high) = self
                .consumer
                .fetch_watermarks(&self.topic, partition, REQUEST_TIMEOUT)
                .map_err(|error| self.error("asking for the ends of the log", &error))?;
            let offset = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            parts.push(Part { partition, low, high, offset, line: element.metadata().parse().ok() });
        }
        if parts.iter().all(|part| part.offset.is_none()) {
            self.commit_offsets(parts.iter().map(|part| (part.partition, part.high, 0)))
                .map_err(|error| self.error("committing the beginning", &error))?;
            for part in &mut parts {
                part.offset = Some(part.high);
                part.line = Some(0);
            }
        }
        let mut stretches = Vec::with_capacity(parts.len());
        for part in &parts {
            let stretch = part.stretch().map_err(|offset| ProgressError::Lost {
                topic: self.topic.clone(),
                partition: part.partition,
                offset,
                group: self.group.clone(),
            })?;
            stretches.push(stretch);
            found.anchors.extend(part.line);
        }
        Ok(stretches)
    }

    /// Reads the stretches' marks.
    fn scan(&self, stretches: &[Stretch], file: &FileId, deadline: Instant, found: &mut Found) -> Result<(), ProgressError> {
        if stretches.is_empty() {
            return Ok(());
        }
        let failed = |error: &KafkaError| self.error("reading the log", error);
        let mut open: BTreeMap<i32, Stretch> = stretches.iter().map(|stretch| (stretch.partition, *stretch)).collect();
        let mut assignment = TopicPartitionList::new();
        for stretch in stretches {
            assignment
                .add_partition_offset(&self.topic, stretch.partition, Offset::Offset(stretch.from))
                .map_err(|error| failed(&error))?;
        }
        self.consumer.assign(&assignment).map_err(|error| failed(&error))?;
        while let Some(stretch) = open.values().next() {
            if Instant::now() >= deadline {
                let Stretch { partition, from, to, .. } = *stretch;
                return Err(ProgressError::Slow { topic: self.topic.clone(), partition, from, to });
            }
            match self.consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Ok(message)) => {
                    if let Some(stretch) = open.get(&message.partition()).copied() {
                        if let Some(line) = self.line(&message, file) {
                            found.add(line, message.offset() == stretch.anchor);
                        }
                        if message.offset() + 1 >= stretch.to {
                            open.remove(&stretch.partition);
                        }
                    }
                }
                // The end, where the last offsets are not records but transactions' markers.
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                }
                Some(Err(error)) => return Err(failed(&error)),
            }
        }
        self.consumer.unassign().map_err(|error| failed(&error))
    }

    /// The record's line, if it is one of `file` that was meant for this very cluster.
    fn line(&self, message: &BorrowedMessage<'_>, file: &FileId) -> Option<u64> {
        let headers = message.headers()?;
        let value = |key: &str| headers.iter().find(|header| header.key == key).and_then(|header| header.value);
        // Mirrored from elsewhere, or stamped with the id of a cluster that is gone: produced again.
        if value(CLUSTER_HEADER) != self.cluster.as_deref().map(str::as_bytes) {
            return None;
        }
        Mark::line_of(value(REPLAY_HEADER)?, file)
    }

    fn error(&self, doing: &'static str, error: &KafkaError) -> ProgressError {
        ProgressError::Kafka { group: self.group.clone(), doing, source: code(error) }
    }
}

/// A partition as the cluster describes it.
#[derive(Debug, Clone, Copy)]
struct Part {
    partition: i32,
    low: i64,
    high: i64,
    /// The committed offset.
    offset: Option<i64>,
    /// The committed line, from a broker that returns metadata.
    line: Option<u64>,
}

impl Part {
    /// What is to be read of it, or the offset of an anchor that is deleted and nowhere else told.
    fn stretch(&self) -> Result<Stretch, i64> {
        let Self { partition, low, high, .. } = *self;
        match self.offset {
            // Deleted records, and no word of what they were.
            Some(offset) if 0 < offset && offset <= low && self.line.is_none() => Err(offset - 1),
            Some(offset) if offset <= high => Ok(Stretch { partition, from: (offset - 1).max(low), anchor: offset - 1, to: high }),
            // A partition that was added since, or a log that began again: all of it may be ours.
            _ => Ok(Stretch { partition, from: low, anchor: -1, to: high }),
        }
    }
}

/// The lines found so far.
#[derive(Debug, Default)]
struct Found {
    /// Lines up to each of which everything is stored.
    anchors: Vec<u64>,
    /// Other lines that are stored.
    lines: HashSet<u64>,
}

impl Found {
    fn add(&mut self, line: u64, is_anchor: bool) {
        if is_anchor {
            self.anchors.push(line);
        } else {
            self.lines.insert(line);
        }
    }

    fn into_position(self) -> Position {
        let line = self.anchors.into_iter().max().unwrap_or(0);
        let beyond = self.lines.into_iter().filter(|found| *found > line).collect();
        Position { line, beyond }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(low: i64, high: i64, offset: Option<i64>, line: Option<u64>) -> Part {
        Part { partition: 3, low, high, offset, line }
    }

    #[test]
    fn a_partition_is_read_from_its_anchor_to_its_end() {
        let stretch = |from, anchor, to| Ok(Stretch { partition: 3, from, anchor, to });
        // The anchor is the record before the committed offset.
        assert_eq!(part(0, 50, Some(20), None).stretch(), stretch(19, 19, 50));
        // Nothing was there at the start.
        assert_eq!(part(0, 50, Some(0), None).stretch(), stretch(0, -1, 50));
        // A new partition, and a log that began again.
        assert_eq!(part(5, 50, None, None).stretch(), stretch(5, -1, 50));
        assert_eq!(part(0, 50, Some(51), Some(9)).stretch(), stretch(0, -1, 50));
        // Retention reached the anchor: metadata tells its line, or nobody does.
        assert_eq!(part(20, 50, Some(20), Some(9)).stretch(), stretch(20, 19, 50));
        assert_eq!(part(20, 50, Some(20), None).stretch(), Err(19));
    }

    #[test]
    fn the_position_is_the_greatest_anchor_and_what_came_after_it() {
        let mut found = Found::default();
        assert_eq!(Found::default().into_position(), Position::default());
        for (line, is_anchor) in [(40, true), (42, true), (43, false), (45, false), (41, false)] {
            found.add(line, is_anchor);
        }
        let position = found.into_position();
        assert_eq!(position, Position { line: 42, beyond: HashSet::from([43, 45]) });
        assert!(position.has(41) && position.has(43) && !position.has(44));
    }
}
