//! The Kafka client of a mapping: librdkafka's blocking calls, made on threads that may block.

use super::config::KafkaMappingConfig;
use super::error::Error;
use crate::template::StartingPosition;
use futures::FutureExt as _;
use rdkafka::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The longest that one request to the brokers may take; also how long stopping can take while they do not answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the brokers are listened to for the reason why they did not answer.
const LISTEN: Duration = Duration::from_millis(1500);

/// A client for one topic. Clones share the connection.
#[derive(Clone)]
pub(super) struct Consumer {
    client: Arc<RwLock<Arc<StreamConsumer>>>,
    topic: Arc<str>,
    group: Arc<str>,
    /// What the client was made of.
    config: Arc<ClientConfig>,
    /// Whether the brokers have refused the group: the client is told once, and then waits for a coordinator for ever.
    group_is_forbidden: Arc<AtomicBool>,
}

/// The topic as it is now.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The cluster's id, if it tells one.
    pub(super) cluster: Option<String>,
    /// The watermarks of all partitions.
    pub(super) watermarks: BTreeMap<i32, Watermarks>,
}

/// The low and high watermark of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watermarks {
    pub(super) low: i64,
    pub(super) high: i64,
}

impl Consumer {
    /// Does not connect yet.
    pub(super) fn new(config: &KafkaMappingConfig) -> Result<Self, Error> {
        let client_config = config.client();
        let client = client_config.create().map_err(|source| Error::Client { topic: config.topic.clone(), source })?;
        Ok(Self {
            client: Arc::new(RwLock::new(Arc::new(client))),
            topic: Arc::from(config.topic.as_str()),
            group: Arc::from(config.consumer_group.as_str()),
            config: Arc::new(client_config),
            group_is_forbidden: Arc::default(),
        })
    }

    pub(super) fn stream(&self) -> Arc<StreamConsumer> {
        Arc::clone(&self.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a new client in place of one that knew a log which is no more: librdkafka believes no metadata whose leader epoch
    /// is below the one that it knows, and a new log's begins at 0.
    pub(super) async fn renew(&self) -> Result<(), Error> {
        let client = self.config.create().map_err(|source| Error::Client { topic: self.topic.to_string(), source })?;
        let former = std::mem::replace(&mut *self.client.write().unwrap_or_else(PoisonError::into_inner), Arc::new(client));
        let _ = tokio::task::spawn_blocking(move || drop(former)).await;
        Ok(())
    }

    /// The topic's partitions with their watermarks, and the cluster that it is in.
    pub(super) async fn look(&self) -> Result<Seen, Error> {
        let topic = self.topic.clone();
        let found = self.call("look up", move |client| {
            let metadata = client.fetch_metadata(Some(&topic), REQUEST_TIMEOUT)?;
            // From the answer above, which is newer than what the client remembers.
            let cluster = client.client().fetch_cluster_id(Duration::ZERO);
            let mut watermarks = BTreeMap::new();
            if let Some(found) = metadata.topics().iter().find(|found| found.name() == &*topic) {
                if let Some(error) = found.error() {
                    return Err(KafkaError::MetadataFetch(error.into()));
                }
                for partition in found.partitions() {
                    let (low, high) = client.fetch_watermarks(&topic, partition.id(), REQUEST_TIMEOUT)?;
                    watermarks.insert(partition.id(), Watermarks { low, high });
                }
            }
            Ok(Seen { cluster, watermarks })
        });
        match found.await? {
            Seen { watermarks, .. } if watermarks.is_empty() => Err(Error::NoTopic { topic: self.topic.to_string() }),
            found => Ok(found),
        }
    }

    /// Where to start in each partition: the committed offset, else by the starting position.
    pub(super) async fn starts(
        &self,
        watermarks: &BTreeMap<i32, Watermarks>,
        position: StartingPosition,
    ) -> Result<BTreeMap<i32, i64>, Error> {
        let topic = self.topic.clone();
        let mut asked = TopicPartitionList::new();
        for partition in watermarks.keys() {
            asked.add_partition(&topic, *partition);
        }
        let committed = self.call("look up committed offsets of", move |client| client.committed_offsets(asked, REQUEST_TIMEOUT));
        let committed = match committed.await {
            Ok(committed) => committed.to_topic_map(),
            Err(_) if self.is_group_forbidden() => return Err(self.forbidden(format!("consumer group {}", self.group))),
            Err(error) => return Err(error),
        };
        self.group_is_forbidden.store(false, Ordering::Relaxed);
        Ok(watermarks
            .iter()
            .map(|(partition, watermarks)| {
                let start = match (committed.get(&(self.topic.to_string(), *partition)), position) {
                    // Beyond the end: it was committed in a log that this one has replaced.
                    (Some(Offset::Offset(offset)), _) if *offset > watermarks.high => watermarks.low,
                    (Some(Offset::Offset(offset)), _) => *offset,
                    (_, StartingPosition::TrimHorizon) => watermarks.low,
                    (_, StartingPosition::Latest) => watermarks.high,
                };
                (*partition, start)
            })
            .collect())
    }

    /// Reads these partitions from these offsets, in place of what was read before.
    pub(super) async fn assign(&self, positions: &BTreeMap<i32, i64>) -> Result<(), Error> {
        let offsets = self.list(positions)?;
        self.call("assign", move |client| client.assign(&offsets)).await
    }

    /// Commits and waits for the answer.
    pub(super) async fn commit(&self, next: &BTreeMap<i32, i64>) -> Result<(), Error> {
        let offsets = self.list(next)?;
        self.call("commit offsets of", move |client| client.commit(&offsets, CommitMode::Sync)).await
    }

    /// Disconnects, which can take a moment.
    pub(super) async fn close(self) {
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }

    fn list(&self, offsets: &BTreeMap<i32, i64>) -> Result<TopicPartitionList, Error> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))
                .map_err(|source| self.failed("name offsets of", source))?;
        }
        Ok(list)
    }

    async fn call<T, F>(&self, what: &'static str, request: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&StreamConsumer) -> KafkaResult<T> + Send + 'static,
    {
        let client = self.stream();
        match tokio::task::spawn_blocking(move || request(&client)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(source)) => Err(self.explained(self.failed(what, source)).await),
            // The runtime is going down, or the closure panicked.
            Err(_) => Err(Error::Stopped { topic: self.topic.to_string() }),
        }
    }

    /// Looks for the one error that says so among what the client has to tell. Messages that come with it are thrown away: only
    /// to be called before an assignment, which fetches them again.
    fn is_group_forbidden(&self) -> bool {
        let client = self.stream();
        while let Some(told) = client.recv().now_or_never() {
            if told.err().and_then(|error| error.rdkafka_error_code()) == Some(RDKafkaErrorCode::GroupAuthorizationFailed) {
                self.group_is_forbidden.store(true, Ordering::Relaxed);
            }
        }
        self.group_is_forbidden.load(Ordering::Relaxed)
    }

    fn forbidden(&self, resource: String) -> Error {
        Error::Forbidden { user: self.config.get("sasl.username").unwrap_or("ANONYMOUS").to_owned(), resource }
    }

    fn failed(&self, what: &'static str, source: KafkaError) -> Error {
        let topic = self.topic.to_string();
        match source.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Error::NoTopic { topic },
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => self.forbidden(format!("topic {topic}")),
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => self.forbidden(format!("consumer group {}", self.group)),
            _ => Error::Request { what, topic, source },
        }
    }

    /// With the reason why the brokers did not answer, if that is what happened and it shows.
    async fn explained(&self, error: Error) -> Error {
        use RDKafkaErrorCode::{AllBrokersDown, Authentication, BrokerTransportFailure, OperationTimedOut, SSL};
        let Error::Request { what, topic, source } = error else { return error };
        let is_unanswered =
            matches!(source.rdkafka_error_code(), Some(AllBrokersDown | Authentication | BrokerTransportFailure | OperationTimedOut | SSL));
        let config = self.config.clone();
        let heard = async move { tokio::task::spawn_blocking(move || kafka_client::refusal(&config, LISTEN)).await.ok().flatten() };
        match if is_unanswered { heard.await } else { None } {
            Some(source) => Error::Refused { what, topic, source },
            None => Error::Request { what, topic, source },
        }
    }
}
