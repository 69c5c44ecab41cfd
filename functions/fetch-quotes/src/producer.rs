//! Quotes into the topic: every delivery awaited, every record stamped with its cluster.

use std::time::Duration;

use kafka_client::Refusal;
use quotes::CLUSTER_HEADER;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};

use crate::config::KafkaConfig;
use crate::kafka::{self, LogContext, REQUEST_TIMEOUT};
use crate::partition;
use crate::source::{Fetched, Invocation};
use crate::sources::replay::mark::REPLAY_HEADER;

/// How long a record may take to be acknowledged: longer than a cluster takes to choose new leaders.
pub(crate) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// What an invocation must have left to produce a batch: Lambda freezes the process where it
/// stands, so a delivery must have succeeded or failed by then, and there is an answer to give.
pub(crate) const TIME_NEEDED: Duration = Duration::from_secs(12);

/// Records in flight at once: enough to fill librdkafka's batches, and about 2 MB.
const IN_FLIGHT: usize = 2_000;

/// How often a batch is produced again because the cluster was another one afterwards.
const TRIES: usize = 3;

/// What a metadata response says, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cluster {
    /// The cluster's id; `None`: the brokers don't tell one.
    pub(crate) id: Option<String>,
    /// How many partitions the topic has.
    pub(crate) partitions: i32,
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) struct Delivered {
    /// The id of the cluster that has it.
    pub(crate) cluster: Option<String>,
    /// One for each row, in the rows' order.
    pub(crate) outcomes: Vec<Outcome>,
}

impl Delivered {
    /// Whether each row is stored or never will be: there is none worth another try.
    pub(crate) fn is_settled(&self) -> bool {
        !self.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(failure) if !failure.is_permanent()))
    }
}

/// What became of one row.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All in-sync replicas have it.
    Stored {
        /// Its partition.
        partition: i32,
        /// Its offset there.
        offset: i64,
    },
    /// It was not acknowledged. After a time-out it may be in the log all the same.
    Failed(RowError),
}

/// Why one row was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowError {
    /// The quote has no JSON form.
    #[error("it has no JSON form: {0}")]
    Json(#[from] serde_json::Error),
    /// Kafka, or our client of it, refused or lost it.
    #[error("{0}")]
    Kafka(RDKafkaErrorCode),
}

impl RowError {
    /// Whether this very record will be refused each time, whatever state the cluster is in.
    pub(crate) const fn is_permanent(&self) -> bool {
        use RDKafkaErrorCode::{InvalidMessage, InvalidMessageSize, InvalidRecord, MessageSizeTooLarge};
        match self {
            Self::Json(_) => true,
            Self::Kafka(code) => {
                matches!(code, MessageSizeTooLarge | InvalidMessage | InvalidMessageSize | InvalidRecord)
            }
        }
    }
}

/// Why nothing of a batch was produced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProduceError {
    /// The client cannot be made from this configuration.
    #[error("the Kafka client cannot be made: {reason}")]
    Client {
        /// librdkafka's words, without any value.
        reason: String,
    },
    /// The function's timeout is too short to end a delivery before the process is frozen.
    #[error("{left:?} of the invocation are left, producing may take {TIME_NEEDED:?}: raise the function's timeout")]
    NotEnoughTime {
        /// What was left.
        left: Duration,
    },
    /// No broker answered.
    #[error("no answer from {brokers}: check that the brokers run, the network and the security settings")]
    NoAnswer {
        /// The bootstrap servers.
        brokers: String,
        #[source]
        source: RDKafkaErrorCode,
    },
    /// The brokers don't let us in, and say why.
    #[error("no access to Kafka at {brokers}")]
    Refused {
        /// The bootstrap servers.
        brokers: String,
        #[source]
        source: Refusal,
    },
    /// The user may not do what it must.
    #[error("the user {user} may not produce to topic {topic}: grant it Write and Describe there, and IdempotentWrite on the cluster")]
    Forbidden {
        /// The user.
        user: String,
        /// The topic.
        topic: String,
        #[source]
        source: RDKafkaErrorCode,
    },
    /// The cluster has no such topic.
    #[error("topic {topic} does not exist: create it, or correct KAFKA_TOPIC")]
    TopicMissing {
        /// Its name.
        topic: String,
    },
    /// The cluster has the topic but does not let us use it now.
    #[error("topic {topic} cannot be used")]
    Topic {
        /// Its name.
        topic: String,
        #[source]
        source: RDKafkaErrorCode,
    },
    /// Not one record was acknowledged.
    #[error("topic {topic} acknowledged none of {rows} records")]
    NotDelivered {
        /// The topic's name.
        topic: String,
        /// How many were tried.
        rows: usize,
        /// What happened to the first.
        #[source]
        source: RowError,
    },
    /// The cluster was another one after each try.
    #[error("the cluster behind {brokers} changed its id {TRIES} times in a row: are these brokers of several clusters?")]
    Unsettled {
        /// The bootstrap servers.
        brokers: String,
    },
}

impl ProduceError {
    /// Whether the same can succeed later without anybody changing anything.
    pub(crate) const fn is_retryable(&self) -> bool {
        match self {
            Self::Client { .. } | Self::TopicMissing { .. } | Self::NotEnoughTime { .. } | Self::Forbidden { .. } => false,
            Self::Refused { source, .. } => source.is_retryable(),
            Self::NoAnswer { source, .. } | Self::Topic { source, .. } | Self::NotDelivered { source: RowError::Kafka(source), .. } => {
                !is_refusal(*source)
            }
            Self::NotDelivered { source: RowError::Json(_), .. } => false,
            Self::Unsettled { .. } => true,
        }
    }
}

/// Whether the cluster does not want us, rather than being unable.
const fn is_refusal(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{Authentication, SSL, SaslAuthenticationFailed};
    matches!(code, Authentication | SSL | SaslAuthenticationFailed) || is_forbidden(code)
}

/// Whether the user lacks a right.
const fn is_forbidden(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed)
}

/// The error's code; errors of a client without one do not occur once it is made.
pub(crate) fn code(error: &KafkaError) -> RDKafkaErrorCode {
    error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown)
}

/// Produces to one topic.
pub(crate) struct Producer {
    kafka: KafkaConfig,
    client: FutureProducer<LogContext>,
    /// The cluster that `client` first met: its idempotence is a promise of that cluster only.
    met: Option<String>,
}

impl Producer {
    /// Makes the client, which connects in the background.
    pub(crate) fn new(kafka: KafkaConfig) -> Result<Self, ProduceError> {
        let client = client(&kafka)?;
        Ok(Self { kafka, client, met: None })
    }

    /// Asks the cluster for its id and the topic's partitions. To be called before an invocation's
    /// first [`Producer::produce`].
    ///
    /// librdkafka keeps the id of the last metadata response that it saw and answers from memory
    /// (`rd_kafka_clusterid` asks nobody once it has one). A process that was frozen while the
    /// broker was rebuilt still remembers the old id. `rd_kafka_metadata` with a topic always sends
    /// a request and stores the response's id before it returns, so the id read after it is of now.
    pub(crate) async fn refresh(&mut self, invocation: &Invocation) -> Result<Cluster, ProduceError> {
        let left = invocation.left();
        if left < TIME_NEEDED {
            return Err(ProduceError::NotEnoughTime { left });
        }
        let cluster = self.ask(invocation).await?;
        let is_another = self.met.is_some() && self.met != cluster.id;
        let is_broken = self.client.client().fatal_error();
        if is_another || is_broken.is_some() {
            tracing::warn!(
                met = self.met.as_deref(),
                found = cluster.id.as_deref(),
                fatal = is_broken.map(|(_, reason)| reason),
                "The Kafka client is made anew, because its cluster is another or it met a fatal error."
            );
            self.client = client(&self.kafka)?;
            self.met = None;
            return self.ask(invocation).await;
        }
        Ok(cluster)
    }

    async fn ask(&mut self, invocation: &Invocation) -> Result<Cluster, ProduceError> {
        let (client, kafka) = (self.client.clone(), self.kafka.clone());
        let timeout = invocation.at_most(REQUEST_TIMEOUT);
        let asked = tokio::task::spawn_blocking(move || ask(client.client(), &kafka, timeout)).await;
        // The task neither panics nor is cancelled.
        let answer = asked.unwrap_or(Err(AskError::NoAnswer(RDKafkaErrorCode::Fail)));
        let cluster = answer.map_err(|error| error.into_produce_error(&self.kafka))?;
        if self.met.is_none() {
            self.met.clone_from(&cluster.id);
        }
        Ok(cluster)
    }

    /// Produces `rows` and waits until each is acknowledged or given up.
    ///
    /// `cluster` is what [`Producer::refresh`] or the call before this one left there. Afterwards
    /// the cluster is asked again: if it is another one, the records carry a wrong id (a reader
    /// would take their offsets for the old log's), so the whole batch is produced again.
    pub(crate) async fn produce(
        &mut self,
        rows: &[Fetched],
        cluster: &mut Cluster,
        invocation: &Invocation,
    ) -> Result<Delivered, ProduceError> {
        for _ in 0..TRIES {
            let outcomes = self.send_all(rows, cluster).await;
            let before = std::mem::replace(cluster, self.ask(invocation).await?);
            if before.id != cluster.id {
                tracing::warn!(
                    before = before.id.as_deref(),
                    after = cluster.id.as_deref(),
                    rows = rows.len(),
                    "The cluster changed while quotes were produced; they are produced again."
                );
                *cluster = self.refresh(invocation).await?;
                continue;
            }
            let delivered = Delivered { cluster: cluster.id.clone(), outcomes };
            // It is the reason why the client gave up all other records, too.
            let fatal = self.client.client().fatal_error().map(|(code, _)| code);
            if !delivered.is_settled() {
                // librdkafka believes no leader that is older than the one it knows. After a topic was deleted and made again,
                // whose leaders are counted from 0, this client might never find them.
                self.client = client(&self.kafka)?;
                self.met = None;
            }
            return self.none_lost(delivered, fatal);
        }
        Err(ProduceError::Unsettled { brokers: self.kafka.bootstrap_servers.clone() })
    }

    /// Sends without waiting for each, then waits for all.
    async fn send_all(&self, rows: &[Fetched], cluster: &Cluster) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(rows.len());
        for window in rows.chunks(IN_FLIGHT) {
            let sent: Vec<_> = window.iter().map(|row| self.send(row, cluster)).collect();
            for delivery in sent {
                let outcome = match delivery {
                    Ok(delivery) => match delivery.await {
                        Ok(Ok(stored)) => Outcome::Stored { partition: stored.partition, offset: stored.offset },
                        Ok(Err((error, _))) => Outcome::Failed(RowError::Kafka(code(&error))),
                        // The client was dropped, which `&self` rules out.
                        Err(_) => Outcome::Failed(RowError::Kafka(RDKafkaErrorCode::BrokerDestroy)),
                    },
                    Err(error) => Outcome::Failed(error),
                };
                outcomes.push(outcome);
            }
        }
        outcomes
    }

    /// Hands one record to the client. Its Kafka time is never set: the topic's is the time of
    /// arrival, from which retention counts.
    fn send(&self, row: &Fetched, cluster: &Cluster) -> Result<DeliveryFuture, RowError> {
        let symbol = row.quote.symbol.as_ref();
        let json = quotes::json::to_json(&row.quote)?;
        let mut headers = OwnedHeaders::new_with_capacity(2);
        if let Some(id) = &cluster.id {
            headers = headers.insert(Header { key: CLUSTER_HEADER, value: Some(id) });
        }
        if let Some(mark) = &row.mark {
            headers = headers.insert(Header { key: REPLAY_HEADER, value: Some(&mark.to_string()) });
        }
        let record = FutureRecord::to(&self.kafka.topic)
            .partition(partition::of(symbol.as_bytes(), cluster.partitions))
            .key(symbol)
            .payload(&json)
            .headers(headers);
        self.client.send_result(record).map_err(|(error, _)| RowError::Kafka(code(&error)))
    }

    /// An error where nothing was stored that another try could store.
    fn none_lost(&self, delivered: Delivered, fatal: Option<RDKafkaErrorCode>) -> Result<Delivered, ProduceError> {
        let is_stored = |outcome: &Outcome| matches!(outcome, Outcome::Stored { .. });
        if delivered.is_settled() || delivered.outcomes.iter().any(is_stored) {
            return Ok(delivered);
        }
        let (topic, rows) = (self.kafka.topic.clone(), delivered.outcomes.len());
        let lost = delivered.outcomes.into_iter().find_map(|outcome| match outcome {
            Outcome::Failed(error) if !error.is_permanent() => Some(error),
            _ => None,
        });
        let source = fatal.map(RowError::Kafka).or(lost).unwrap_or(RowError::Kafka(RDKafkaErrorCode::Fail));
        if let RowError::Kafka(source) = source
            && is_forbidden(source)
        {
            return Err(forbidden(&self.kafka, source));
        }
        Err(ProduceError::NotDelivered { topic, rows, source })
    }
}

/// An idempotent producer that acknowledges when all in-sync replicas have a record.
fn client(kafka: &KafkaConfig) -> Result<FutureProducer<LogContext>, ProduceError> {
    kafka::client_config(kafka)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // lz4, because the embedded broker cannot serve what snappy wrote.
        .set("compression.type", "lz4")
        .set("message.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string())
        .create_with_context(LogContext)
        .map_err(|error| {
            let reason = match error {
                // Without the value: it may be a secret.
                KafkaError::ClientConfig(_, description, key, _) => format!("{key}: {description}"),
                error => error.to_string(),
            };
            ProduceError::Client { reason }
        })
}

fn forbidden(kafka: &KafkaConfig, source: RDKafkaErrorCode) -> ProduceError {
    let user = kafka.security.login().map_or("ANONYMOUS", |login| &login.username).to_owned();
    ProduceError::Forbidden { user, topic: kafka.topic.clone(), source }
}

/// Why [`ask`] has no answer.
#[derive(Debug)]
pub(crate) enum AskError {
    /// No broker answered.
    NoAnswer(RDKafkaErrorCode),
    /// No broker answered, and it shows why.
    Refused(Refusal),
    /// The topic is missing or barred.
    Topic(RDKafkaErrorCode),
}

impl AskError {
    /// With the names that the person who reads it needs.
    pub(crate) fn into_produce_error(self, kafka: &KafkaConfig) -> ProduceError {
        use RDKafkaErrorCode::{UnknownTopic, UnknownTopicOrPartition};
        match self {
            Self::NoAnswer(source) => ProduceError::NoAnswer { brokers: kafka.bootstrap_servers.clone(), source },
            Self::Refused(source) => ProduceError::Refused { brokers: kafka.bootstrap_servers.clone(), source },
            Self::Topic(source) if is_forbidden(source) => forbidden(kafka, source),
            Self::Topic(UnknownTopic | UnknownTopicOrPartition) => ProduceError::TopicMissing { topic: kafka.topic.clone() },
            Self::Topic(source) => ProduceError::Topic { topic: kafka.topic.clone(), source },
        }
    }
}

/// Asks the cluster for its id and the topic's partitions, blocking.
pub(crate) fn ask<C: rdkafka::ClientContext>(
    client: &rdkafka::client::Client<C>,
    kafka: &KafkaConfig,
    timeout: Duration,
) -> Result<Cluster, AskError> {
    let topic = kafka.topic.as_str();
    // What is left is for finding out why there is no answer.
    let metadata = client.fetch_metadata(Some(topic), timeout * 3 / 5).map_err(|error| {
        let reason = kafka_client::refusal(&kafka::client_config(kafka), timeout * 2 / 5);
        reason.map_or_else(|| AskError::NoAnswer(code(&error)), AskError::Refused)
    })?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let Some(found) = found else {
        return Err(AskError::Topic(RDKafkaErrorCode::UnknownTopicOrPartition));
    };
    if let Some(error) = found.error() {
        return Err(AskError::Topic(error.into()));
    }
    let partitions = i32::try_from(found.partitions().len()).unwrap_or(i32::MAX);
    if partitions == 0 {
        return Err(AskError::Topic(RDKafkaErrorCode::UnknownTopicOrPartition));
    }
    // From memory: see `Producer::refresh`.
    Ok(Cluster { id: client.fetch_cluster_id(Duration::ZERO), partitions })
}
