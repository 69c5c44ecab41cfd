//! What this workspace's Kafka clients share: why a cluster does not let them in.
//!
//! To the caller of a request librdkafka says no more than that all brokers are down, be it a wrong password, a strange
//! certificate or a broker that is down. The cause passes by in the client's error events, which some clients never ask
//! for; and whether a certificate was made by a stranger or for another name not even those tell. So after a request that
//! failed [`refusal`] knocks at the brokers once more, with a client of its own, and listens.

mod knock;
mod reason;

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;

use crate::knock::{Event, knock};

/// The part of the time that the first client may use; the rest is for the one that asks about certificates.
const FIRST: (u32, u32) = (2, 3);

/// Why a cluster does not let a client in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The user or the password is wrong; brokers don't say which.
    #[error("the broker {broker} refuses the user {user}: wrong user name or password")]
    Credentials {
        /// `host:port`.
        broker: String,
        /// The user.
        user: String,
    },
    /// The broker's certificate was not made by the authority that the client trusts.
    #[error("the certificate of the broker {broker} is not to be trusted: the given authority did not sign it, or it is out of date")]
    UnknownAuthority {
        /// `host:port`.
        broker: String,
    },
    /// The broker's certificate is another host's.
    #[error("the certificate of the broker {broker} is for other hosts: this name is not in it")]
    HostName {
        /// `host:port`.
        broker: String,
    },
    /// TLS failed for another reason.
    #[error("no TLS with the broker {broker}: {reason}")]
    Tls {
        /// `host:port`.
        broker: String,
        /// librdkafka's words.
        reason: String,
    },
    /// The name has no address.
    #[error("the host of the broker {broker} is not known: {reason}")]
    NoSuchHost {
        /// `host:port`.
        broker: String,
        /// librdkafka's words.
        reason: String,
    },
    /// No connection, or one that the broker closed at once.
    #[error("the broker {broker} cannot be reached: {reason}")]
    Unreachable {
        /// `host:port`.
        broker: String,
        /// librdkafka's words.
        reason: String,
    },
}

impl Refusal {
    /// Whether the same client can be let in later without anybody changing anything.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::NoSuchHost { .. } | Self::Unreachable { .. })
    }
}

/// Knocks at the brokers that `config` names, as it says, and tells why they don't answer; `None` if they do, or if it does
/// not show within `time`. Blocks for as long.
///
/// Of `config` only what reaches the cluster is used: addresses, user, certificates.
pub fn refusal(config: &ClientConfig, time: Duration) -> Option<Refusal> {
    let since = Instant::now();
    let Event { cause, broker, reason } = knock(config, time * FIRST.0 / FIRST.1)?;
    Some(match cause {
        reason::Cause::Credentials => {
            let user = config.get("sasl.username").unwrap_or_default().to_owned();
            Refusal::Credentials { broker, user }
        }
        reason::Cause::Certificate => {
            let again = knock(&any_name(config), time.saturating_sub(since.elapsed()));
            match again {
                Some(Event { cause: reason::Cause::Certificate, .. }) => Refusal::UnknownAuthority { broker },
                _ => Refusal::HostName { broker },
            }
        }
        reason::Cause::Tls => Refusal::Tls { broker, reason },
        reason::Cause::Host => Refusal::NoSuchHost { broker, reason },
        reason::Cause::Connection => Refusal::Unreachable { broker, reason },
    })
}

/// The same authority, but whatever name the certificate is for. Without a user: nothing is to be told to such a broker.
fn any_name(config: &ClientConfig) -> ClientConfig {
    let mut config = config.clone();
    for login in ["sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password"] {
        config.remove(login);
    }
    config.set("security.protocol", "ssl").set("ssl.endpoint.identification.algorithm", "none");
    config
}
