//! The event source mapping of a queue: receives, invokes, deletes what succeeded.

use super::error::Error;
use super::event::event;
use super::queue::{Queue, ReceivedMessage};
use super::response::failures;
use crate::lambda::{Invoke, Outcome, PAYLOAD_LIMIT};
use crate::template::QueueTrigger;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How many bytes of bodies go into one event: as JSON texts they grow, at most to twice their size in practice, and each
/// message brings half a kilobyte of its own.
const BODIES_LIMIT: usize = PAYLOAD_LIMIT / 4;

/// How long to wait after the queue's file could not be written.
const RETRY: Duration = Duration::from_secs(1);

/// A mapping's settings.
#[derive(Debug, Clone)]
pub struct QueueMappingConfig {
    /// The most messages in one event.
    pub batch_size: usize,
    /// The longest that messages are gathered, from the first one on.
    pub batch_window: Duration,
    /// Whether the function's response names the messages that failed.
    pub partial_batch_responses: bool,
    /// How long a failed message stays hidden. `None`, as on AWS: for what is left of its visibility timeout.
    pub retry_after: Option<Duration>,
}

impl QueueMappingConfig {
    /// The mapping that a template's trigger describes, with AWS's timing.
    pub fn from_trigger(trigger: &QueueTrigger) -> Self {
        Self {
            batch_size: trigger.batch_size,
            batch_window: trigger.batch_window,
            partial_batch_responses: trigger.partial_batch_responses,
            retry_after: None,
        }
    }
}

/// How far a mapping is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueProgress {
    /// Whether the function is at work on a batch.
    pub in_flight: bool,
    /// Messages that succeeded.
    pub succeeded: u64,
    /// Times that a message failed.
    pub failed: u64,
    /// The last thing that went wrong, until a batch succeeds as a whole.
    pub last_error: Option<String>,
}

/// A running event source mapping of a queue: one batch at a time. Dropping it ends it at once.
pub struct QueueMapping {
    queue: Queue,
    progress: watch::Receiver<QueueProgress>,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl QueueMapping {
    /// Starts to poll.
    pub fn start(config: QueueMappingConfig, queue: Queue, function: Arc<dyn Invoke>) -> Self {
        let (progress_in, progress) = watch::channel(QueueProgress::default());
        let stop = CancellationToken::new();
        let poller = Poller { config, queue: queue.clone(), function, progress: progress_in };
        let task = AbortOnDropHandle::new(tokio::spawn(poller.run(stop.clone())));
        Self { queue, progress, stop, task }
    }

    /// How far the mapping is.
    pub fn progress(&self) -> watch::Receiver<QueueProgress> {
        self.progress.clone()
    }

    /// Waits until the queue is empty and nothing is in flight. Messages that always fail leave it for the dead-letter queue.
    pub async fn drain(&self) {
        self.queue.emptied().await;
        let mut progress = self.progress.clone();
        // An error means that the mapping has ended: nothing is in flight either.
        let _ = progress.wait_for(|progress| !progress.in_flight).await;
    }

    /// Lets an invocation that is under way end. What was gathered for the next one is received again by the next start.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

struct Poller {
    config: QueueMappingConfig,
    queue: Queue,
    function: Arc<dyn Invoke>,
    progress: watch::Sender<QueueProgress>,
}

impl Poller {
    async fn run(self, stop: CancellationToken) {
        while let Some(gathered) = stop.run_until_cancelled(self.gather()).await {
            let done = match gathered {
                Ok(batch) => self.deliver(&batch).await,
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                tracing::error!(queue = self.queue.name(), error = %error, "The queue does not work.");
                self.progress.send_modify(|progress| progress.last_error = Some(error.to_string()));
                stop.run_until_cancelled(sleep(RETRY)).await;
            }
        }
    }

    /// Waits for messages and gathers them until the batch is full or its window has passed.
    async fn gather(&self) -> Result<Vec<ReceivedMessage>, Error> {
        let mut batch = loop {
            let received = self.queue.receive(self.config.batch_size, BODIES_LIMIT)?;
            if !received.is_empty() {
                break received;
            }
            self.queue.stirred().await;
        };
        let deadline = Instant::now() + self.config.batch_window;
        loop {
            let bytes: usize = batch.iter().map(|message| message.body.len()).sum();
            if batch.len() >= self.config.batch_size || bytes >= BODIES_LIMIT {
                return Ok(batch);
            }
            if timeout_at(deadline, self.queue.stirred()).await.is_err() {
                return Ok(batch);
            }
            let room = self.config.batch_size.saturating_sub(batch.len());
            batch.extend(self.queue.receive(room, BODIES_LIMIT.saturating_sub(bytes))?);
            if Instant::now() >= deadline {
                return Ok(batch);
            }
        }
    }

    async fn deliver(&self, batch: &[ReceivedMessage]) -> Result<(), Error> {
        self.progress.send_modify(|progress| progress.in_flight = true);
        let outcome = self.invoke(batch).await;
        let mut settled = Ok(());
        let mut failed = 0_u64;
        for message in batch {
            let has_failed = match &outcome {
                Ok(failures) => failures.contains(&message.id),
                Err(_) => true,
            };
            if !has_failed {
                settled = settled.and(self.queue.delete(&message.receipt_handle));
                continue;
            }
            failed = failed.saturating_add(1);
            if let Some(delay) = self.config.retry_after {
                self.queue.release(&message.receipt_handle, delay);
            }
        }
        let all = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.progress.send_modify(|progress| {
            progress.in_flight = false;
            progress.succeeded = progress.succeeded.saturating_add(all.saturating_sub(failed));
            progress.failed = progress.failed.saturating_add(failed);
            progress.last_error = match outcome {
                Ok(failures) if failures.is_empty() => None,
                Ok(failures) => Some(format!("{} of {all} messages failed", failures.len())),
                Err(error) => Some(error),
            };
        });
        settled
    }

    /// The ids of the messages that failed, or why all of them did.
    async fn invoke(&self, batch: &[ReceivedMessage]) -> Result<BTreeSet<String>, String> {
        let event = event(batch, self.queue.arn()).map_err(|error| error.to_string())?;
        let result = match self.function.invoke(Bytes::from(event)).await {
            Ok(invocation) => match (invocation.outcome.error(), invocation.outcome) {
                (Some((error_type, message)), _) => Err(format!("{error_type}: {message}")),
                (None, Outcome::Success(response)) if self.config.partial_batch_responses => {
                    let ids: Vec<_> = batch.iter().map(|message| message.id.as_str()).collect();
                    failures(&response, &ids).map_err(|error| error.to_string())
                }
                (None, _) => Ok(BTreeSet::new()),
            },
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = &result {
            tracing::warn!(
                function = self.function.name(), queue = self.queue.name(), messages = batch.len(), error = %error,
                "A batch of messages failed."
            );
        }
        result
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{QueueMapping, QueueMappingConfig};
    use crate::lambda::{Invocation, Invoke, InvokeError, Outcome, Start};
    use crate::sqs::{Queue, QueueConfig, Redrive};
    use bytes::Bytes;
    use serde_json::{Value, json};
    use std::path::Path;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    /// Reports the messages whose body is `bad`, and keeps what it was given.
    #[derive(Default)]
    struct Picky(Mutex<Vec<Vec<String>>>);

    #[async_trait::async_trait]
    impl Invoke for Picky {
        fn name(&self) -> &str {
            "picky"
        }

        async fn invoke(&self, payload: Bytes) -> Result<Invocation, InvokeError> {
            let event: Value = serde_json::from_slice(&payload).unwrap();
            let records = event["Records"].as_array().unwrap();
            let bodies: Vec<_> = records.iter().map(|record| record["body"].as_str().unwrap().to_owned()).collect();
            let failures: Vec<_> = records
                .iter()
                .filter(|record| record["body"] == "bad")
                .map(|record| json!({"itemIdentifier": record["messageId"]}))
                .collect();
            let fails = bodies.iter().any(|body| body == "fatal");
            self.0.lock().unwrap().push(bodies);
            let outcome = match fails {
                true => Outcome::FunctionError { error_type: "Fatal".into(), error_message: "no".into() },
                false => Outcome::Success(Bytes::from(json!({"batchItemFailures": failures}).to_string())),
            };
            Ok(Invocation {
                request_id: "id".into(),
                outcome,
                duration: Duration::ZERO,
                init_duration: None,
                peak_memory: None,
                start: Start::Warm,
            })
        }
    }

    fn open(folder: &Path, name: &str, redrive: Option<Redrive>) -> Queue {
        let config = QueueConfig {
            name: name.into(),
            arn: format!("arn:aws:sqs:us-east-1:000000000000:{name}"),
            visibility_timeout: Duration::from_secs(60),
        };
        Queue::open(folder, config, redrive).unwrap()
    }

    fn config() -> QueueMappingConfig {
        QueueMappingConfig {
            batch_size: 3,
            batch_window: Duration::from_secs(1),
            partial_batch_responses: true,
            retry_after: Some(Duration::from_secs(2)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_failed_messages_come_again_until_they_are_dead() {
        let folder = tempfile::tempdir().unwrap();
        let dead = open(folder.path(), "dead", None);
        let queue = open(folder.path(), "q", Some(Redrive { dead_letter_queue: dead.clone(), max_receive_count: 2 }));
        for body in ["a", "bad", "b"] {
            queue.send(body).unwrap();
        }
        let function = Arc::new(Picky::default());
        let mapping = QueueMapping::start(config(), queue.clone(), function.clone());
        mapping.drain().await;
        assert_eq!(*function.0.lock().unwrap(), [vec!["a", "bad", "b"], vec!["bad"]]);
        assert_eq!(dead.receive(9, usize::MAX).unwrap()[0].body, "bad");
        let progress = mapping.progress().borrow().clone();
        assert_eq!((progress.succeeded, progress.failed), (2, 2));
        mapping.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_error_brings_the_whole_batch_back() {
        let folder = tempfile::tempdir().unwrap();
        let queue = open(folder.path(), "q", None);
        for body in ["a", "fatal"] {
            queue.send(body).unwrap();
        }
        let function = Arc::new(Picky::default());
        let mapping = QueueMapping::start(config(), queue.clone(), function.clone());
        let mut progress = mapping.progress();
        progress.wait_for(|progress| progress.failed >= 4).await.unwrap();
        mapping.stop().await;
        assert_eq!(queue.len(), 2);
        assert_eq!(function.0.lock().unwrap().get(1).unwrap(), &["a", "fatal"]);
    }

    #[tokio::test(start_paused = true)]
    async fn messages_are_gathered_for_the_window_and_up_to_the_batch_size() {
        let folder = tempfile::tempdir().unwrap();
        let queue = open(folder.path(), "q", None);
        let function = Arc::new(Picky::default());
        let mapping = QueueMapping::start(config(), queue.clone(), function.clone());
        queue.send("1").unwrap();
        tokio::task::yield_now().await;
        for body in ["2", "3", "4"] {
            queue.send(body).unwrap();
        }
        mapping.drain().await;
        mapping.stop().await;
        assert_eq!(*function.0.lock().unwrap(), [vec!["1", "2", "3"], vec!["4"]]);
    }
}
