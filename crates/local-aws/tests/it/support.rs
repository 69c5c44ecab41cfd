//! What several tests need.

use bytes::Bytes;
use local_aws::broker::{Broker, Topic};
use local_aws::lambda::{Invocation, Invoke, InvokeError, Outcome, Start};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The longest that anything is waited for: only a failing test takes that long.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Polls until the condition holds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The example function, which `cargo test` builds beside the tests.
pub(crate) fn test_function() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().unwrap().parent().unwrap().join("examples/test-function");
    assert!(path.exists(), "{} is missing: run `cargo build --workspace --examples`", path.display());
    path
}

/// A process's state letter in `/proc`: `T` is stopped, `Z` ended but not yet waited for. `None` if there is no such process.
pub(crate) fn state(pid: i64) -> Option<char> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("State:"))?.trim().chars().next()
}

/// Whether a process has ended with all its threads: the first of them may be a `Z` while others are still ending.
pub(crate) fn is_gone(pid: i64) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    match state(pid) {
        None => true,
        Some(state) => state == 'Z' && threads <= 1,
    }
}

pub(crate) async fn broker(folder: &Path, topic: &str, partitions: i32) -> Broker {
    Broker::start(folder, 0, &[Topic { name: topic.to_owned(), partitions }]).await.unwrap()
}

pub(crate) fn producer(broker: &Broker) -> FutureProducer {
    ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .create()
        .unwrap()
}

/// Produces `values`, the one at index `i` to partition `i % partitions`, each with a header, and waits for all.
pub(crate) async fn produce(broker: &Broker, topic: &str, partitions: i32, values: &[String]) {
    let producer = producer(broker);
    let deliveries = values.iter().enumerate().map(|(index, value)| {
        let headers = OwnedHeaders::new().insert(Header { key: "kafka_cluster", value: Some(broker.cluster_id()) });
        let record =
            FutureRecord::to(topic).partition(i32::try_from(index).unwrap() % partitions).key("AAPL").payload(value).headers(headers);
        producer.send(record, LIMIT)
    });
    for delivery in futures::future::join_all(deliveries).await {
        delivery.map_err(|(error, _)| error).unwrap();
    }
}

/// A function in this process: keeps the events, and fails as often as it is told to.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) events: Mutex<Vec<Bytes>>,
    pub(crate) failures_left: Mutex<u32>,
}

impl Recorder {
    pub(crate) fn failing(times: u32) -> Self {
        Self { failures_left: Mutex::new(times), ..Self::default() }
    }

    /// `(partition, offset)` of every record that was delivered, in order.
    pub(crate) fn offsets(&self) -> Vec<(i64, i64)> {
        let mut offsets = Vec::new();
        for event in self.events.lock().unwrap().iter() {
            let event: Value = serde_json::from_slice(event).unwrap();
            for records in event["records"].as_object().unwrap().values() {
                for record in records.as_array().unwrap() {
                    offsets.push((record["partition"].as_i64().unwrap(), record["offset"].as_i64().unwrap()));
                }
            }
        }
        offsets
    }
}

#[async_trait::async_trait]
impl Invoke for Recorder {
    fn name(&self) -> &str {
        "recorder"
    }

    async fn invoke(&self, payload: Bytes) -> Result<Invocation, InvokeError> {
        self.events.lock().unwrap().push(payload);
        let mut failures = self.failures_left.lock().unwrap();
        let outcome = if *failures > 0 {
            *failures -= 1;
            Outcome::FunctionError { error_type: "Retryable".into(), error_message: "not yet".into() }
        } else {
            Outcome::Success(Bytes::from_static(b"null"))
        };
        Ok(Invocation {
            request_id: "test".into(),
            outcome,
            duration: Duration::ZERO,
            init_duration: None,
            peak_memory: None,
            start: Start::Warm,
        })
    }
}
