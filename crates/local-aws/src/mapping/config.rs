//! What a mapping reads, how it batches, and how it connects.

use crate::lambda::PAYLOAD_LIMIT;
use crate::template::{KafkaTrigger, StartingPosition};
use rdkafka::ClientConfig;
use std::fmt;
use std::time::Duration;

/// A mapping's settings.
#[derive(Debug, Clone)]
pub struct KafkaMappingConfig {
    /// `host:port` of the brokers, separated by commas. Also stands in each event.
    pub bootstrap_servers: String,
    /// How to connect.
    pub security: Security,
    /// The topic.
    pub topic: String,
    /// The group under which offsets are committed.
    pub consumer_group: String,
    /// The most records in one event.
    pub batch_size: usize,
    /// The longest that records are gathered, from the first one on.
    pub batch_window: Duration,
    /// The largest event in bytes.
    pub payload_limit: usize,
    /// Where to start in a partition without a committed offset.
    pub starting_position: StartingPosition,
    /// How long to wait before a failed batch is tried again.
    pub backoff: Backoff,
    /// How often partitions and high watermarks are looked up.
    pub refresh: Duration,
}

impl KafkaMappingConfig {
    /// The mapping that a template's trigger describes, on a broker of the caller's.
    pub fn from_trigger(trigger: &KafkaTrigger, bootstrap_servers: &str, default_group: &str) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.to_owned(),
            security: Security::Plaintext,
            topic: trigger.topic.clone(),
            consumer_group: trigger.consumer_group.clone().unwrap_or_else(|| default_group.to_owned()),
            batch_size: trigger.batch_size,
            batch_window: trigger.batch_window,
            payload_limit: PAYLOAD_LIMIT,
            starting_position: trigger.starting_position,
            backoff: Backoff::default(),
            refresh: Duration::from_secs(1),
        }
    }

    pub(super) fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("group.id", &self.consumer_group)
            .set("client.id", "local-event-source-mapping")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("allow.auto.create.topics", "false")
            // For a committed offset that the log no longer (or not yet) has.
            .set(
                "auto.offset.reset",
                match self.starting_position {
                    StartingPosition::TrimHorizon => "earliest",
                    StartingPosition::Latest => "latest",
                },
            )
            // The default of 500 ms would be most of the way of a quote.
            .set("fetch.wait.max.ms", "100")
            // Some events' worth: the default of 64 MB would only be memory.
            .set("queued.max.messages.kbytes", "16384")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000");
        self.security.apply(&mut client);
        client
    }
}

/// How long to wait between tries: doubled each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub initial: Duration,
    /// At most.
    pub maximum: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: Duration::from_millis(200), maximum: Duration::from_secs(5) }
    }
}

impl Backoff {
    pub(super) fn after(&self, failures: u32) -> Duration {
        let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.initial.saturating_mul(factor).min(self.maximum)
    }
}

/// How to connect to the brokers.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Security {
    /// Neither encrypted nor authenticated: for a broker on the same machine.
    #[default]
    Plaintext,
    /// TLS with SCRAM-SHA-512 over it.
    SaslSsl {
        /// The user.
        username: String,
        /// The password. Never printed.
        password: String,
        /// The certificate authority as PEM text, if it is not one that the system trusts.
        ca_pem: Option<String>,
    },
}

impl Security {
    /// Puts this into a client's settings.
    pub fn apply(&self, client: &mut ClientConfig) {
        match self {
            Self::Plaintext => {
                client.set("security.protocol", "plaintext");
            }
            Self::SaslSsl { username, password, ca_pem } => {
                client
                    .set("security.protocol", "sasl_ssl")
                    .set("sasl.mechanisms", "SCRAM-SHA-512")
                    .set("sasl.username", username)
                    .set("sasl.password", password);
                if let Some(pem) = ca_pem {
                    client.set("ssl.ca.pem", pem);
                }
            }
        }
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plaintext => f.write_str("Plaintext"),
            Self::SaslSsl { username, .. } => f.debug_struct("SaslSsl").field("username", username).finish_non_exhaustive(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, Security};
    use std::time::Duration;

    #[test]
    fn backoff_doubles_up_to_its_maximum() {
        let backoff = Backoff { initial: Duration::from_millis(200), maximum: Duration::from_secs(1) };
        let waits: Vec<_> = [1, 2, 3, 4, 100].map(|failures| backoff.after(failures).as_millis()).into();
        assert_eq!(waits, [200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn passwords_are_not_printed() {
        let security = Security::SaslSsl { username: "quotes".into(), password: "hunter2".into(), ca_pem: Some("PEM".into()) };
        let printed = format!("{security:?}");
        assert!(printed.contains("quotes") && !printed.contains("hunter2"), "{printed}");
    }
}
