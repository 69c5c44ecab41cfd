//! Why a broker cannot be started, or serves no more.

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use std::io;
use std::path::PathBuf;

/// Why a broker cannot be started, or serves no more.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program listens on the port.
    #[error("the port {port} is in use by another program")]
    PortBusy {
        /// The port.
        port: u16,
    },
    /// The port cannot be listened on for another reason.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port.
        port: u16,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The broker's folder or a file in it cannot be read or written.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The kept cluster id is not one: 22 characters of base64url.
    #[error("{} does not hold a Kafka cluster id", path.display())]
    ClusterId {
        /// The file.
        path: PathBuf,
    },
    /// The log cannot be opened.
    #[error("cannot open the broker's log in {}", path.display())]
    Storage {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The broker ended by itself.
    #[error("the broker on port {port} ended")]
    Ended {
        /// The port.
        port: u16,
        /// Why, if it said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The broker does not answer.
    #[error("the broker on port {port} does not answer")]
    Unanswered {
        /// The port.
        port: u16,
        /// Why.
        #[source]
        source: KafkaError,
    },
    /// A topic could not be made.
    #[error("cannot make the topic {topic}: {code}")]
    Topic {
        /// The topic.
        topic: String,
        /// The broker's answer.
        code: RDKafkaErrorCode,
    },
}
