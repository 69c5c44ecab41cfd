//! librdkafka's words for what went wrong with one broker.

use rdkafka::types::RDKafkaErrorCode;

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The broker does not take the user or its password.
    Credentials,
    /// The client does not take the broker's certificate.
    Certificate,
    /// TLS failed otherwise.
    Tls,
    /// The host's name has no address.
    Host,
    /// There is no connection.
    Connection,
}

impl Cause {
    /// `None` for what only follows from something else.
    pub(crate) fn of(code: RDKafkaErrorCode, reason: &str) -> Option<Self> {
        match code {
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => Some(Self::Credentials),
            // Now and then the same failure comes as one of the connection.
            RDKafkaErrorCode::SSL | RDKafkaErrorCode::BrokerTransportFailure if reason.contains("certificate verify failed") => {
                Some(Self::Certificate)
            }
            RDKafkaErrorCode::SSL => Some(Self::Tls),
            RDKafkaErrorCode::Resolve => Some(Self::Host),
            RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::OperationTimedOut => Some(Self::Connection),
            _ => None,
        }
    }

    /// Whether it tells more than that a broker is not there: others may be.
    pub(crate) const fn is_telling(self) -> bool {
        !matches!(self, Self::Connection)
    }
}

/// The broker and the reason in `sasl_ssl://10.0.0.1:9094/bootstrap: Connect to … failed: Connection refused (after 0ms in state CONNECT)`.
pub(crate) fn parse(text: &str) -> Option<(String, String)> {
    let (address, reason) = text.split_once(": ")?;
    // Without TLS and SASL a broker's name has no protocol before it.
    let address = address.split_once("://").map_or(address, |(_, address)| address);
    let (broker, _) = address.split_once('/')?;
    let reason = reason.rfind(" (after ").map_or(reason, |end| &reason[..end]);
    Some((broker.to_owned(), reason.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_and_reason_are_told_apart() {
        let text = "sasl_ssl://127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)";
        let expected = ("127.0.0.1:1".to_owned(), "Connect to ipv4#127.0.0.1:1 failed: Connection refused".to_owned());
        assert_eq!(parse(text), Some(expected));
        assert_eq!(parse("ssl://b:9094/2: Disconnected"), Some(("b:9094".to_owned(), "Disconnected".to_owned())));
        assert_eq!(parse("127.0.0.1:1/bootstrap: Disconnected"), Some(("127.0.0.1:1".to_owned(), "Disconnected".to_owned())));
        assert_eq!(parse("1/1 brokers are down"), None);
        assert_eq!(parse("rdkafka#consumer-1: 1/1 brokers are down"), None);
    }

    #[test]
    fn all_brokers_down_is_no_cause() {
        assert_eq!(Cause::of(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down"), None);
    }
}
