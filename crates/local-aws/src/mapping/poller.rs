//! The mapping at work: gathers, invokes, commits.

use super::batch::Batch;
use super::config::KafkaMappingConfig;
use super::consumer::Consumer;
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
        let (partitions_in, partitions) = watch::channel(Vec::new());
        let stop = CancellationToken::new();
        let topic = config.topic.clone();
        let monitor = Monitor {
            consumer: consumer.clone(),
            refresh: config.refresh,
            progress: progress_in.clone(),
            partitions: partitions_in,
            stop: stop.clone(),
        };
        let poller = Poller {
            consumer: consumer.clone(),
            function,
            progress: progress_in,
            partitions,
            stop: stop.clone(),
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
            match self.consumer.watermarks().await {
                Ok(found) => break found.into_iter().map(|(partition, found)| (partition, found.high)).collect(),
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

/// Looks up partitions and high watermarks, also while the function is at work.
struct Monitor {
    consumer: Consumer,
    refresh: Duration,
    progress: watch::Sender<Progress>,
    partitions: watch::Sender<Vec<i32>>,
    stop: CancellationToken,
}

impl Monitor {
    /// Requests are waited for, even when the mapping is stopped: they hold the client on a thread of their own.
    async fn run(self) {
        while !self.stop.is_cancelled() {
            match self.consumer.watermarks().await {
                Ok(watermarks) => {
                    self.progress.send_if_modified(|progress| {
                        let mut changed = false;
                        for (partition, found) in &watermarks {
                            // Unknown ones are the poller's to add: it knows where they start.
                            if let Some(known) = progress.partitions.get_mut(partition) {
                                changed |= known.high_watermark != found.high;
                                known.high_watermark = found.high;
                            }
                        }
                        changed
                    });
                    let partitions: Vec<_> = watermarks.into_keys().collect();
                    self.partitions.send_if_modified(|known| {
                        let changed = *known != partitions;
                        *known = partitions;
                        changed
                    });
                }
                Err(error) => note(&self.progress, &error.chain()),
            }
            self.stop.run_until_cancelled(sleep(self.refresh)).await;
        }
    }
}

struct Poller {
    config: KafkaMappingConfig,
    consumer: Consumer,
    function: Arc<dyn Invoke>,
    progress: watch::Sender<Progress>,
    /// The partitions that the monitor found.
    partitions: watch::Receiver<Vec<i32>>,
    stop: CancellationToken,
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

    /// Reads partitions that are not read yet: all of them at the start, later those that were added to the topic.
    async fn assign_new_partitions(&mut self) -> Result<(), Error> {
        let is_known = self.partitions.borrow_and_update().iter().all(|partition| self.positions.contains_key(partition));
        if is_known && !self.positions.is_empty() {
            return Ok(());
        }
        let watermarks = self.consumer.watermarks().await?;
        let starts = self.consumer.starts(&watermarks, self.config.starting_position).await?;
        let mut positions = self.positions.clone();
        for (partition, start) in &starts {
            positions.entry(*partition).or_insert(*start);
        }
        // The whole assignment anew: what librdkafka has fetched ahead is fetched again from where the poller is.
        self.consumer.assign(&positions).await?;
        // It would come twice: it is at its partition's position, which does not count it yet.
        self.held = None;
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
        let mut partitions = self.partitions.clone();
        let first = match self.held.take() {
            Some(record) => record,
            None => tokio::select! {
                received = self.receive() => received?,
                changed = partitions.changed() => {
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
        let error = match self.consumer.stream().recv().await {
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
        });
        true
    }

    /// Tries until the group's offsets are stored: a commit that is lost would deliver the batch again after a restart.
    async fn commit(&self, batch: &Batch) {
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
        let is_new = progress.last_error.as_deref() != Some(error);
        if is_new {
            progress.last_error = Some(error.to_owned());
        }
        is_new
    });
}
