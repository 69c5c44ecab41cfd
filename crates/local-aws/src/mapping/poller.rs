//! The mapping at work: gathers, invokes, commits.

use super::batch::Batch;
use super::config::KafkaMappingConfig;
use super::consumer::{Consumer, Seen};
use super::error::Error;
use super::progress::{PartitionProgress, Progress};
use super::record::Record;
use crate::lambda::Invoke;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How long to wait after the brokers could not be reached.
const RECONNECT: Duration = Duration::from_millis(250);

/// A running event source mapping. Dropping it ends it at once; what was under way is delivered again by the next one.
pub struct KafkaMapping {
    consumer: Consumer,
    topic: String,
    progress: watch::Receiver<Progress>,
    stop: CancellationToken,
    tasks: [AbortOnDropHandle<()>; 2],
}

impl KafkaMapping {
    /// Starts to read. A broker or topic that is not there yet is waited for; `progress` tells.
    pub fn start(config: KafkaMappingConfig, function: Arc<dyn Invoke>) -> Result<Self, Error> {
        let consumer = Consumer::new(&config)?;
        let (progress_in, progress) = watch::channel(Progress::default());
        let (found_in, found) = watch::channel(Found::default());
        let stop = CancellationToken::new();
        let topic = config.topic.clone();
        let monitor = Monitor {
            consumer: consumer.clone(),
            refresh: config.refresh,
            progress: progress_in.clone(),
            found: found_in,
            stop: stop.clone(),
        };
        let poller = Poller {
            consumer: consumer.clone(),
            function,
            progress: progress_in,
            found,
            stop: stop.clone(),
            log: 0,
            from_its_beginning: false,
            positions: BTreeMap::new(),
            held: None,
            config,
        };
        let tasks = [tokio::spawn(poller.run()), tokio::spawn(monitor.run())].map(AbortOnDropHandle::new);
        Ok(Self { consumer, topic, progress, stop, tasks })
    }

    /// How far the mapping is.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Waits until every record that is in the topic now was delivered and committed.
    pub async fn drain(&self) -> Result<(), Error> {
        let stopped = || Error::Stopped { topic: self.topic.clone() };
        let watermarks = loop {
            match self.consumer.look().await {
                Ok(seen) => break seen.watermarks.into_iter().map(|(partition, found)| (partition, found.high)).collect(),
                Err(error) if error.is_retryable() && !self.stop.is_cancelled() => sleep(RECONNECT).await,
                Err(error) => return Err(error),
            }
        };
        let mut progress = self.progress.clone();
        let reached = progress.wait_for(|progress| progress.has_reached(&watermarks)).await;
        reached.map(|_| ()).map_err(|_| stopped())
    }

    /// Lets an invocation that is under way end and commits it; a batch that is being gathered, or waits to be tried again,
    /// is left to the next start. Disconnects before it returns.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            let _ = task.await;
        }
        self.consumer.close().await;
    }
}

/// What the monitor found out for the poller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Found {
    /// The topic's partitions.
    partitions: Vec<i32>,
    /// How often the log has begun again, seen from here: another cluster behind the same address, or a topic that was deleted
    /// and made again.
    log: u64,
}

/// Looks up partitions and high watermarks, also while the function is at work.
struct Monitor {
    consumer: Consumer,
    refresh: Duration,
    progress: watch::Sender<Progress>,
    found: watch::Sender<Found>,
    stop: CancellationToken,
}

impl Monitor {
    /// Requests are waited for, even when the mapping is stopped: they hold the client on a thread of their own.
    async fn run(self) {
        let mut history = History::default();
        while !self.stop.is_cancelled() {
            // Before the look: what was read up to now is in the log by then.
            let read: BTreeMap<_, _> =
                self.progress.borrow().partitions.iter().map(|(partition, progress)| (*partition, progress.position)).collect();
            match self.consumer.look().await {
                Ok(seen) => {
                    let began_again = history.began_again(&seen, &read);
                    if began_again {
                        tracing::warn!(cluster = seen.cluster.as_deref(), "The log has begun again; it is read from its beginning.");
                    }
                    self.note_watermarks(&seen, began_again);
                    let partitions: Vec<_> = seen.watermarks.into_keys().collect();
                    self.found.send_if_modified(|found| {
                        let changed = began_again || found.partitions != partitions;
                        found.log += u64::from(began_again);
                        found.partitions = partitions;
                        changed
                    });
                }
                Err(error) => {
                    history.topic_is_gone |= matches!(error, Error::NoTopic { .. });
                    note(&self.progress, &error.chain());
                }
            }
            self.stop.run_until_cancelled(sleep(self.refresh)).await;
        }
    }

    fn note_watermarks(&self, seen: &Seen, began_again: bool) {
        self.progress.send_if_modified(|progress| {
            let mut changed = began_again;
            if began_again {
                // Offsets of the former log say nothing of this one.
                progress.partitions.clear();
            }
            for (partition, found) in &seen.watermarks {
                // Unknown ones are the poller's to add: it knows where they start.
                if let Some(known) = progress.partitions.get_mut(partition) {
                    changed |= known.high_watermark != found.high;
                    known.high_watermark = found.high;
                }
            }
            changed
        });
    }
}

/// What tells a log from one that has taken its place.
///
/// The client itself does not: it goes on at the same offset, and what the new log holds below that is never read. Offsets
/// that were committed say nothing either, for they may have been committed by a client that went on so.
#[derive(Debug, Default)]
struct History {
    /// The cluster that was seen last.
    cluster: Option<String>,
    /// Whether the topic was missing when it was last looked for.
    topic_is_gone: bool,
}

impl History {
    /// `read` are the offsets up to which partitions had been read before what was `seen`; none: nothing was read yet.
    fn began_again(&mut self, seen: &Seen, read: &BTreeMap<i32, i64>) -> bool {
        let is_another_cluster = seen.cluster.is_some() && self.cluster.is_some() && seen.cluster != self.cluster;
        self.cluster = seen.cluster.clone().or(self.cluster.take());
        let was_gone = std::mem::take(&mut self.topic_is_gone);
        let is_shorter = seen.watermarks.iter().any(|(partition, found)| read.get(partition).is_some_and(|read| found.high < *read));
        !read.is_empty() && (is_another_cluster || was_gone || is_shorter)
    }
}

struct Poller {
    config: KafkaMappingConfig,
    consumer: Consumer,
    function: Arc<dyn Invoke>,
    progress: watch::Sender<Progress>,
    /// What the monitor found.
    found: watch::Receiver<Found>,
    stop: CancellationToken,
    /// The log that `positions` are in, as [`Found::log`] counts.
    log: u64,
    /// Whether the next assignment starts where the log does.
    from_its_beginning: bool,
    /// The next offset to be gathered, by partition.
    positions: BTreeMap<i32, i64>,
    /// A record that did not fit into the last batch.
    held: Option<Record>,
}

impl Poller {
    async fn run(mut self) {
        let stop = self.stop.clone();
        while !stop.is_cancelled() {
            if let Err(error) = self.assign_new_partitions().await {
                note(&self.progress, &error.chain());
                stop.run_until_cancelled(sleep(RECONNECT)).await;
                continue;
            }
            let Some(Some(batch)) = stop.run_until_cancelled(self.gather()).await else { continue };
            self.deliver(batch).await;
        }
        self.consumer.close().await;
    }

    /// Reads partitions that are not read yet: all of them at the start and when the log has begun again, later those that
    /// were added to the topic.
    async fn assign_new_partitions(&mut self) -> Result<(), Error> {
        let found = self.found.borrow_and_update().clone();
        if found.log != self.log {
            self.consumer.renew().await?;
            self.log = found.log;
            self.from_its_beginning = true;
            self.positions.clear();
        }
        let is_known = found.partitions.iter().all(|partition| self.positions.contains_key(partition));
        if is_known && !self.positions.is_empty() {
            return Ok(());
        }
        let watermarks = self.consumer.look().await?.watermarks;
        let starts = if self.from_its_beginning {
            watermarks.iter().map(|(partition, found)| (*partition, found.low)).collect()
        } else {
            self.consumer.starts(&watermarks, self.config.starting_position).await?
        };
        let mut positions = self.positions.clone();
        for (partition, start) in &starts {
            positions.entry(*partition).or_insert(*start);
        }
        // The whole assignment anew: what librdkafka has fetched ahead is fetched again from where the poller is.
        self.consumer.assign(&positions).await?;
        // It would come twice: it is at its partition's position, which does not count it yet.
        self.held = None;
        self.from_its_beginning = false;
        self.positions = positions;
        self.progress.send_modify(|progress| {
            for (partition, found) in &watermarks {
                let Some(position) = self.positions.get(partition).copied() else { continue };
                progress.partitions.entry(*partition).or_insert(PartitionProgress {
                    position,
                    committed: position,
                    high_watermark: found.high,
                });
            }
        });
        Ok(())
    }

    /// Gathers one batch. `None` if there is reason to look around first: new partitions, or an error.
    async fn gather(&mut self) -> Option<Batch> {
        let mut found = self.found.clone();
        let first = match self.held.take() {
            Some(record) => record,
            None => tokio::select! {
                received = self.receive() => received?,
                changed = found.changed() => {
                    // The monitor lives as long as the poller; without it there is nothing to hurry for.
                    if changed.is_err() {
                        sleep(RECONNECT).await;
                    }
                    return None;
                }
            },
        };
        let mut batch = Batch::new(&self.config.topic, &self.config.bootstrap_servers, self.config.payload_limit);
        let deadline = Instant::now() + self.config.batch_window;
        self.add(&mut batch, first);
        while batch.len() < self.config.batch_size && self.held.is_none() {
            match timeout_at(deadline, self.receive()).await {
                Ok(Some(record)) => self.add(&mut batch, record),
                Ok(None) => {}
                Err(_) => break,
            }
        }
        Some(batch)
    }

    /// Puts a record into the batch, drops it if no batch can take it, or holds it for the next one.
    fn add(&mut self, batch: &mut Batch, record: Record) {
        if batch.fits(&record) {
            self.advance(&record);
            batch.push(record);
        } else if batch.is_empty() {
            tracing::error!(
                topic = %self.config.topic, partition = record.partition, offset = record.offset,
                bytes = record.json.len(), limit = self.config.payload_limit,
                "A record is too large for any event and is dropped, as on AWS."
            );
            self.progress.send_modify(|progress| progress.dropped = progress.dropped.saturating_add(1));
            self.advance(&record);
            batch.skip(&record);
        } else {
            self.held = Some(record);
        }
    }

    fn advance(&mut self, record: &Record) {
        let next = record.offset.saturating_add(1);
        self.positions.insert(record.partition, next);
        self.progress.send_if_modified(|progress| {
            if let Some(partition) = progress.partitions.get_mut(&record.partition) {
                partition.position = next;
                partition.high_watermark = partition.high_watermark.max(next);
            }
            // Not worth waking anyone for: what matters is told when the batch is delivered.
            false
        });
    }

    /// The next record; `None` after an error that was noted. Cancelling it loses nothing.
    async fn receive(&self) -> Option<Record> {
        let client = self.consumer.stream();
        let error = match client.recv().await {
            Ok(message) => match Record::new(&message) {
                Ok(record) => return Some(record),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        note(&self.progress, &error);
        sleep(RECONNECT).await;
        None
    }

    /// Invokes the function until it succeeds, then commits. Returns early only if the mapping is stopped between two tries.
    async fn deliver(&self, batch: Batch) {
        self.progress.send_modify(|progress| progress.in_flight = true);
        let delivered = batch.is_empty() || self.invoke_until_success(&batch).await;
        if delivered {
            self.commit(&batch).await;
        }
        self.progress.send_modify(|progress| progress.in_flight = false);
    }

    async fn invoke_until_success(&self, batch: &Batch) -> bool {
        let payload = batch.payload();
        let mut failures = 0_u32;
        loop {
            let error = match self.function.invoke(payload.clone()).await {
                Ok(invocation) => match invocation.outcome.error() {
                    None => break,
                    Some((error_type, message)) => format!("{error_type}: {message}"),
                },
                Err(error) => error.to_string(),
            };
            failures = failures.saturating_add(1);
            tracing::warn!(
                function = self.function.name(), topic = %self.config.topic, records = batch.len(), failures, error = %error,
                "A batch failed and will be tried again."
            );
            self.progress.send_modify(|progress| {
                progress.failures = progress.failures.saturating_add(1);
                progress.last_error = Some(error);
            });
            if self.stop.run_until_cancelled(sleep(self.config.backoff.after(failures))).await.is_none() {
                return false;
            }
        }
        self.progress.send_modify(|progress| {
            progress.batches = progress.batches.saturating_add(1);
            progress.records = progress.records.saturating_add(u64::try_from(batch.len()).unwrap_or(u64::MAX));
            progress.last_error = None;
            progress.kafka_error = None;
        });
        true
    }

    /// Tries until the group's offsets are stored: a commit that is lost would deliver the batch again after a restart.
    async fn commit(&self, batch: &Batch) {
        if self.found.borrow().log != self.log {
            // They are offsets of a log that is no more.
            return;
        }
        while let Err(error) = self.consumer.commit(batch.next()).await {
            tracing::warn!(topic = %self.config.topic, error = %error.chain(), "Offsets could not be committed.");
            note(&self.progress, &error.chain());
            if self.stop.run_until_cancelled(sleep(RECONNECT)).await.is_none() {
                return;
            }
        }
        self.progress.send_modify(|progress| {
            for (partition, next) in batch.next() {
                if let Some(partition) = progress.partitions.get_mut(partition) {
                    partition.committed = *next;
                }
            }
        });
    }
}

fn note(progress: &watch::Sender<Progress>, error: &str) {
    progress.send_if_modified(|progress| {
        let is_new = progress.kafka_error.as_deref() != Some(error);
        if is_new {
            progress.last_error = Some(error.to_owned());
            progress.kafka_error = Some(error.to_owned());
        }
        is_new
    });
}

#[cfg(test)]
mod tests {
    use super::super::consumer::Watermarks;
    use super::*;

    fn seen(cluster: &str, highs: &[i64]) -> Seen {
        let watermarks = (0..).zip(highs).map(|(partition, high)| (partition, Watermarks { low: 0, high: *high })).collect();
        Seen { cluster: Some(cluster.to_owned()), watermarks }
    }

    #[test]
    fn a_log_that_began_again_is_told_from_one_that_goes_on() {
        let read = BTreeMap::from([(0, 5), (1, 9)]);
        let mut history = History::default();
        assert!(!history.began_again(&seen("a", &[5, 9]), &BTreeMap::new()), "nothing was read yet");
        assert!(!history.began_again(&seen("a", &[6, 9]), &read));
        assert!(history.began_again(&seen("a", &[6, 8]), &read), "offset 8 was read, and is not there");
        assert!(history.began_again(&seen("b", &[6, 9]), &read), "another cluster");
        assert!(!history.began_again(&seen("b", &[7, 9]), &read));
        history.topic_is_gone = true;
        assert!(history.began_again(&seen("b", &[7, 9]), &read), "it was gone meanwhile");
        assert!(!history.began_again(&seen("b", &[7, 9]), &read));
    }
}
