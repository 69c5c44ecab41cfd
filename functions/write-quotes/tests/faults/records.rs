//! Records as a topic holds them, and the events that a mapping makes of them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use quotes::keys::LogId;
use serde_json::{Value, json};

/// The days that the quotes were fetched on.
pub(crate) const DAYS: [&str; 3] = ["2026-11-23", "2026-11-24", "2026-11-25"];

/// The New York day of all the Kafka times: poison lies there.
pub(crate) const ARRIVAL: &str = "2026-11-26";

/// Noon of that day, in milliseconds.
const ARRIVED: i64 = 1_795_712_400_000;

const CLUSTER: &str = "4L6g3nShT-eMCtK--X86sw";

/// A record of the topic.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// The day of its quote; `None` for poison.
    pub(crate) day: Option<&'static str>,
    pub(crate) value: Vec<u8>,
}

/// The log of a partition.
pub(crate) fn log(partition: i32) -> LogId {
    LogId { cluster: CLUSTER.to_owned(), topic: "quotes".to_owned(), partition }
}

impl Record {
    /// A quote of one of [`DAYS`], whose price tells it from all others.
    pub(crate) fn quote(partition: i32, offset: i64, day: usize) -> Self {
        Self::quote_with(partition, offset, day, &json!({}))
    }

    /// A quote with more fields.
    pub(crate) fn quote_with(partition: i32, offset: i64, day: usize, more: &Value) -> Self {
        let day = DAYS[day];
        let mut value = json!({
            "symbol": "SPY",
            "currency": "USD",
            "price": price(partition, offset).to_string(),
            "event_time": format!("{day}T15:00:00Z"),
            "fetched_at": format!("{day}T15:00:01Z"),
            "source": "simulated",
        });
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Self { partition, offset, day: Some(day), value: value.to_string().into_bytes() }
    }

    /// A record that is no quote.
    pub(crate) fn poison(partition: i32, offset: i64) -> Self {
        Self { partition, offset, day: None, value: format!("no quote: {partition}/{offset}").into_bytes() }
    }

    fn in_event(&self) -> Value {
        json!({
            "topic": "quotes",
            "partition": self.partition,
            "offset": self.offset,
            "timestamp": ARRIVED + self.offset,
            "timestampType": "LOG_APPEND_TIME",
            "key": STANDARD.encode("SPY"),
            "value": STANDARD.encode(&self.value),
            "headers": [{ "kafka_cluster": CLUSTER.as_bytes() }],
        })
    }
}

/// The price in the quote at an offset.
pub(crate) fn price(partition: i32, offset: i64) -> i128 {
    i128::from(partition) * 1_000_000 + i128::from(offset) + 1
}

/// The event that delivers these records.
pub(crate) fn event<'r>(records: impl IntoIterator<Item = &'r Record>) -> Bytes {
    let mut partitions: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in records {
        partitions.entry(format!("quotes-{}", record.partition)).or_default().push(record.in_event());
    }
    let event = json!({ "eventSource": "aws:SelfManagedKafka", "bootstrapServers": "127.0.0.1:9092", "records": partitions });
    Bytes::from(event.to_string())
}
