//! One Kafka record in the form that it has in a Lambda event.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rdkafka::Message;
use rdkafka::message::{Headers, Timestamp};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// A record, already written as JSON: so its size in an event is known exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) json: String,
}

impl Record {
    pub(super) fn new(message: &impl Message) -> Result<Self, serde_json::Error> {
        let (timestamp, timestamp_type) = match message.timestamp() {
            Timestamp::CreateTime(millis) => (millis, "CREATE_TIME"),
            Timestamp::LogAppendTime(millis) => (millis, "LOG_APPEND_TIME"),
            Timestamp::NotAvailable => (-1, "NO_TIMESTAMP_TYPE"),
        };
        let headers = message
            .headers()
            .map_or_else(Vec::new, |headers| headers.iter().map(|header| Header { name: header.key, value: header.value }).collect());
        let json = serde_json::to_string(&EventRecord {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp,
            timestamp_type,
            key: message.key().map(|key| BASE64_STANDARD.encode(key)),
            value: message.payload().map(|value| BASE64_STANDARD.encode(value)),
            headers,
        })?;
        Ok(Self { partition: message.partition(), offset: message.offset(), json })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventRecord<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: i64,
    timestamp_type: &'a str,
    key: Option<String>,
    value: Option<String>,
    headers: Vec<Header<'a>>,
}

/// `{"name": [104, 105]}`: the bytes as numbers from 0 to 255.
struct Header<'a> {
    name: &'a str,
    value: Option<&'a [u8]>,
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.name, &self.value)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Record;
    use rdkafka::message::{Header, OwnedHeaders, OwnedMessage, Timestamp};
    use serde_json::{Value, json};

    #[test]
    fn a_record_has_the_shape_of_the_real_event() {
        let headers = OwnedHeaders::new()
            .insert(Header { key: "kafka_cluster", value: Some("aé") })
            .insert(Header::<&[u8]> { key: "empty", value: None });
        let message = OwnedMessage::new(
            Some(br#"{"symbol":"AAPL"}"#.to_vec()),
            Some(b"AAPL".to_vec()),
            "quotes".to_owned(),
            Timestamp::CreateTime(1_381_152_600_000),
            2,
            41,
            Some(headers),
        );
        let json: Value = serde_json::from_str(&Record::new(&message).unwrap().json).unwrap();
        assert_eq!(
            json,
            json!({
                "topic": "quotes", "partition": 2, "offset": 41,
                "timestamp": 1_381_152_600_000_i64, "timestampType": "CREATE_TIME",
                "key": "QUFQTA==", "value": "eyJzeW1ib2wiOiJBQVBMIn0=",
                "headers": [{"kafka_cluster": [97, 195, 169]}, {"empty": null}],
            })
        );
    }

    #[test]
    fn absent_keys_and_values_are_null() {
        let message = OwnedMessage::new(None, None, "quotes".to_owned(), Timestamp::LogAppendTime(5), 0, 0, None);
        let json: Value = serde_json::from_str(&Record::new(&message).unwrap().json).unwrap();
        assert_eq!(json["key"], Value::Null);
        assert_eq!(json["value"], Value::Null);
        assert_eq!(json["timestampType"], "LOG_APPEND_TIME");
        assert_eq!(json["headers"], json!([]));
    }
}
