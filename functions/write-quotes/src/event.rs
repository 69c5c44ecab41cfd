//! The event that the mapping for Kafka delivers, self-managed or MSK.
//!
//! A type of our own: the one in `aws_lambda_events` refuses the **whole batch** when one record has
//! null or absent headers or a header byte of 128 or more, and a mapping repeats a refused batch
//! for ever. Here an odd record is that record's affair.

use std::collections::BTreeMap;
use std::fmt;

use base64_simd::STANDARD;
use quotes::cluster::{CLUSTER_HEADER, is_cluster_id};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::value::RawValue;

/// A batch of records from one topic, perhaps of several partitions.
///
/// Source: Lambda Developer Guide, "Using Lambda with self-managed Apache Kafka" and "… Amazon MSK".
#[derive(Debug, serde::Deserialize)]
pub struct KafkaEvent {
    /// The records by `topic-partition`, each list in order of offsets.
    #[serde(default)]
    pub records: BTreeMap<String, Vec<KafkaRecord>>,
}

/// One record.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KafkaRecord {
    /// The topic's name.
    pub topic: String,
    /// The partition's number; a string in events of older mappings.
    #[serde(deserialize_with = "number_or_text")]
    pub partition: i32,
    /// The record's offset in its partition.
    pub offset: i64,
    /// Kafka's timestamp in milliseconds since 1970; -1 where the record has none.
    #[serde(default = "no_timestamp")]
    pub timestamp: i64,
    /// The key; `None` where it is null or absent.
    #[serde(default)]
    pub key: Option<Payload>,
    /// The value; `None` for a tombstone.
    #[serde(default)]
    pub value: Option<Payload>,
    /// The headers as they came: a list of objects, each of one name with a list of bytes.
    #[serde(default)]
    pub headers: Option<Box<RawValue>>,
}

/// The bytes of a key or value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// Decoded from base64.
    Bytes(Vec<u8>),
    /// A text that is not base64, as it came.
    NotBase64(String),
}

impl Payload {
    /// The bytes, or what came instead of them.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::NotBase64(text) => text.as_bytes(),
        }
    }
}

impl KafkaRecord {
    /// Whether two records come from one log, as far as can be seen without reading their headers.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.partition == other.partition && self.topic == other.topic && self.header_text() == other.header_text()
    }

    fn header_text(&self) -> Option<&str> {
        self.headers.as_deref().map(RawValue::get)
    }

    /// The id of the cluster that the producer says it produced to, if it is to be believed.
    pub fn cluster(&self) -> Option<String> {
        let headers: Vec<BTreeMap<String, Vec<i16>>> = serde_json::from_str(self.header_text()?).ok()?;
        let value = headers.iter().rev().find_map(|header| header.get(CLUSTER_HEADER))?;
        // Java's bytes are signed: 128 and more may come as negative numbers.
        let bytes: Vec<u8> = value.iter().map(|byte| byte.rem_euclid(256) as u8).collect();
        if is_cluster_id(&bytes) { String::from_utf8(bytes).ok() } else { None }
    }
}

const fn no_timestamp() -> i64 {
    -1
}

fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    struct NumberOrText;
    impl Visitor<'_> for NumberOrText {
        type Value = i32;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a partition's number")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<i32, E> {
            i32::try_from(number).map_err(E::custom)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<i32, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_any(NumberOrText)
}

impl<'de> Deserialize<'de> for Payload {
    /// Decodes while the event is read, so that the base64 text is never held beside the bytes.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Base64;
        impl Visitor<'_> for Base64 {
            type Value = Payload;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Payload, E> {
                Ok(STANDARD.decode_to_vec(text).map_or_else(|_| Payload::NotBase64(text.to_owned()), Payload::Bytes))
            }
        }
        deserializer.deserialize_str(Base64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn record(json: &str) -> KafkaRecord {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn odd_records_are_read() {
        let bare = record(r#"{"topic":"quotes","partition":"3","offset":7}"#);
        assert_eq!((bare.partition, bare.timestamp, bare.value.is_none(), bare.cluster()), (3, -1, true, None));
        let nulls = record(r#"{"topic":"quotes","partition":3,"offset":7,"timestamp":5,"key":null,"value":null,"headers":null}"#);
        assert!(nulls.key.is_none() && nulls.value.is_none());
        let broken = record(r#"{"topic":"quotes","partition":3,"offset":7,"value":"%%%","headers":[{"a":[-1,255]}]}"#);
        assert_eq!(broken.value, Some(Payload::NotBase64("%%%".into())));
    }

    #[test]
    fn only_a_believable_cluster_id_is_taken_from_the_headers() {
        let id: Vec<u8> = b"_yoOKcqsu4P39LQPPzqCZw".to_vec();
        let with = |headers: String| record(&format!(r#"{{"topic":"q","partition":0,"offset":0,"headers":{headers}}}"#)).cluster();
        assert_eq!(with(format!(r#"[{{"x":[1]}},{{"kafka_cluster":{id:?}}}]"#)).as_deref(), Some("_yoOKcqsu4P39LQPPzqCZw"));
        for headers in [r#"[{"kafka_cluster":[46,46,47]}]"#, r#"[{"kafka_cluster":[-1,300]}]"#, r#"{"kafka_cluster":"x"}"#, "[]", "7"] {
            assert_eq!(with(headers.into()), None, "{headers}");
        }
    }

    #[test]
    fn every_sample_event_is_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with("write-quotes-") {
                let event: KafkaEvent = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                assert!(event.records.values().all(|records| !records.is_empty()), "{}", path.display());
                read += 1;
            }
        }
        assert!(read >= 4, "{read}");
    }
}
