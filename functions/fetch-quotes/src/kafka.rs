//! What every Kafka client of this function has in common: security, and where its log goes.

use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

use crate::config::{KafkaConfig, Security};

/// How long one question to the cluster may take (metadata, watermarks, offsets). A healthy
/// cluster answers in milliseconds, one that is choosing a new leader in a second or two.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The settings that reach the cluster, for a producer or a consumer to add its own to.
pub(crate) fn client_config(kafka: &KafkaConfig) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("client.id", "tickerlake-fetch-quotes")
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("security.protocol", kafka.security.protocol())
        // The process is frozen between invocations and finds its connections closed: no news.
        .set("log.connection.close", "false");
    if let Some(login) = kafka.security.login() {
        config.set("sasl.mechanism", "SCRAM-SHA-512").set("sasl.username", &login.username).set("sasl.password", login.password.expose());
    }
    if let Security::Ssl { ca: Some(pem) } | Security::SaslSsl { ca: Some(pem), .. } = &kafka.security {
        config.set("ssl.ca.pem", pem);
    }
    config
}

/// Sends librdkafka's own log to `tracing`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogContext;

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::error!(facility, message, "librdkafka reports an error.");
            }
            RDKafkaLogLevel::Warning => tracing::warn!(facility, message, "librdkafka warns."),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(facility, message, "librdkafka says something.");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // What matters of it comes with the log above too, or with the delivery that failed for it.
        tracing::debug!(%error, reason, "The Kafka client met an error.");
    }
}

impl ConsumerContext for LogContext {}
