//! What can go wrong between a mapping and Kafka.

use kafka_client::Refusal;
use rdkafka::error::KafkaError;

/// Why a mapping could not read or commit. The mapping itself goes on trying, as on AWS; only `Client` is final.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// librdkafka does not take the configuration.
    #[error("the Kafka client for the topic {topic} cannot be configured")]
    Client {
        /// The topic.
        topic: String,
        /// Why.
        #[source]
        source: KafkaError,
    },
    /// The brokers do not know the topic.
    #[error("the Kafka topic {topic} does not exist")]
    NoTopic {
        /// The topic.
        topic: String,
    },
    /// A request to the brokers failed.
    #[error("cannot {what} the Kafka topic {topic}")]
    Request {
        /// What was tried.
        what: &'static str,
        /// The topic.
        topic: String,
        /// Why.
        #[source]
        source: KafkaError,
    },
    /// The brokers don't let the mapping in.
    #[error("cannot {what} the Kafka topic {topic}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// The topic.
        topic: String,
        /// Why.
        #[source]
        source: Refusal,
    },
    /// The user lacks a right.
    #[error("the user {user} may not read the {resource}: grant it Read and Describe there")]
    Forbidden {
        /// The user.
        user: String,
        /// Of what.
        resource: String,
    },
    /// The mapping has ended.
    #[error("the mapping of the topic {topic} is stopped")]
    Stopped {
        /// The topic.
        topic: String,
    },
}

impl Error {
    /// Whether trying again can help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NoTopic { .. } | Self::Request { .. } => true,
            Self::Refused { source, .. } => source.is_retryable(),
            Self::Client { .. } | Self::Forbidden { .. } | Self::Stopped { .. } => false,
        }
    }

    /// The error with its source, in one line.
    pub(super) fn chain(&self) -> String {
        match std::error::Error::source(self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }
}
