//! Kafka cluster ids.

/// The record header in which the producer says which cluster it produced to.
///
/// Offsets mean something only within one cluster: a rebuilt broker starts at 0 again. A record
/// that is mirrored or replayed to another cluster must lose this header on the way.
pub const CLUSTER_HEADER: &str = "kafka_cluster";

/// The cluster of records that carry no believable id, unless configuration names another.
pub const UNKNOWN_CLUSTER: &str = "unknown";

/// Whether `bytes` is an id of the form that Kafka makes: 128 bits in unpadded base64url.
///
/// A header is input. Only an id of this form is believed, because it becomes part of object keys.
pub fn is_cluster_id(bytes: &[u8]) -> bool {
    bytes.len() == 22 && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::is_cluster_id;

    #[test]
    fn only_kafkas_form_is_believed() {
        assert!(is_cluster_id(b"_yoOKcqsu4P39LQPPzqCZw"));
        for other in [&b""[..], b"unknown", b"_yoOKcqsu4P39LQPPzqCZ/", b"../../../../../../etc/x", b"_yoOKcqsu4P39LQPPzqCZw="] {
            assert!(!is_cluster_id(other));
        }
    }
}
