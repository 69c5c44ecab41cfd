//! What Kafka itself says: its cluster's id and each partition's offsets.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

use crate::failure::Failure;
use crate::kafka::{self, Cluster};

const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the brokers are listened to for the reason why they did not answer.
const LISTEN: Duration = Duration::from_secs(3);

/// The topic's offsets at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offsets {
    /// The cluster's id.
    pub(crate) cluster: String,
    /// The topic.
    pub(crate) topic: String,
    /// By partition: from the earliest offset that is still there to the next one that will be given.
    pub(crate) partitions: BTreeMap<i32, Range<i64>>,
}

/// Asks the cluster.
pub(crate) async fn offsets(cluster: Cluster) -> Result<Offsets, Failure> {
    let what = format!("cannot read the offsets of Kafka at {}", cluster.servers);
    let config = cluster.client();
    let asked = tokio::task::spawn_blocking(move || {
        let answer = ask(&config);
        // To a request librdkafka says no more than that no broker answered.
        let refusal = answer.is_err().then(|| kafka_client::refusal(&config, LISTEN)).flatten();
        (answer, refusal)
    });
    match asked.await {
        Ok((Ok(Some(offsets)), _)) => Ok(offsets),
        Ok((Ok(None), _)) => Err(Failure::plain(format_args!("{what}: it does not tell its cluster's id"))),
        Ok((Err(_), Some(refusal))) => Err(Failure::new(what, refusal)),
        Ok((Err(error), None)) => Err(Failure::new(what, error)),
        Err(error) => Err(Failure::new(what, error)),
    }
}

fn ask(config: &ClientConfig) -> Result<Option<Offsets>, KafkaError> {
    let topic = kafka::topic();
    let consumer: BaseConsumer = config.create()?;
    let metadata = consumer.fetch_metadata(Some(&topic), TIMEOUT)?;
    let Some(cluster) = consumer.client().fetch_cluster_id(TIMEOUT) else { return Ok(None) };
    let mut partitions = BTreeMap::new();
    if let Some(error) = metadata.topics().iter().find_map(|topic| topic.error()) {
        return Err(KafkaError::MetadataFetch(error.into()));
    }
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        let (earliest, latest) = consumer.fetch_watermarks(&topic, partition.id(), TIMEOUT)?;
        partitions.insert(partition.id(), earliest..latest);
    }
    Ok(Some(Offsets { cluster, topic, partitions }))
}
