//! Records that no quote can be read from, straight into Kafka between good ones: each ends in quarantine with its bytes, and
//! none stands in the way of another.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};

use crate::harness::{LIMIT, Tickerlake, query, sound_audit};
use crate::lake;

/// How many partitions the embedded broker's topic has.
const PARTITIONS: i32 = 3;

/// A record to produce, and what must become of it.
struct Record {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(&'static str, Option<Vec<u8>>)>,
    /// A part of the reason for which it is poison; `None` where it is a quote.
    poison: Option<&'static str>,
}

impl Record {
    fn quote(value: &Value) -> Self {
        Self { key: Some(b"AAPL".to_vec()), value: Some(value.to_string().into_bytes()), headers: Vec::new(), poison: None }
    }

    fn poison(reason: &'static str, value: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(b"AAPL".to_vec()), value: Some(value.into()), headers: Vec::new(), poison: Some(reason) }
    }

    fn with(mut self, header: &'static str, value: Option<&[u8]>) -> Self {
        self.headers.push((header, value.map(<[u8]>::to_vec)));
        self
    }

    fn without_key(mut self) -> Self {
        self.key = None;
        self
    }
}

/// A good quote with some fields changed.
fn quote(changes: Value) -> Value {
    let now = Utc::now();
    let mut quote = json!({"symbol": "AAPL", "currency": "USD", "price": "187.5", "event_time": now, "fetched_at": now, "source": "test"});
    let fields = quote.as_object_mut().unwrap();
    let Value::Object(changes) = changes else { unreachable!("changes are an object") };
    fields.extend(changes);
    // A null means that the field is left out.
    fields.retain(|_, value| !value.is_null());
    quote
}

/// An object with one more field, deeper than a parser that recurses could follow.
fn deep(object: &Value) -> String {
    let fields = object.to_string();
    let comma = if fields == "{}" { "" } else { "," };
    format!("{}{comma}\"deep\":{}1{}}}", fields.trim_end_matches('}'), "{\"a\":".repeat(50_000), "}".repeat(50_000))
}

/// A quote's values without their names, in the order of the table.
fn positional() -> String {
    let quote = quote(json!({}));
    let value = |column: &str| quote.get(column).cloned().unwrap_or_default();
    let worked_out = |column: &str| ["event_time_ns", "session", "trade_date"].contains(&column) || column.starts_with("kafka_");
    let values: Vec<_> = lake::COLUMNS.iter().filter(|(column, ..)| !worked_out(column)).map(|(column, ..)| value(column)).collect();
    Value::from(values).to_string()
}

fn poisons() -> Vec<Record> {
    let poison = |reason, changes| Record::poison(reason, quote(changes).to_string());
    let now = Utc::now();
    let mut tombstone = Record::poison("tombstone", "");
    tombstone.value = None;
    vec![
        tombstone,
        Record::poison("EOF", ""),
        Record::poison("not a quote", "not JSON"),
        Record::poison("EOF", &quote(json!({})).to_string().into_bytes()[..60]),
        Record::poison("trailing characters", format!("{}{}", quote(json!({})), quote(json!({})))),
        Record::poison("invalid type", "[1,2,3]"),
        Record::poison("invalid type", "null"),
        Record::poison("an object", positional()),
        Record::poison("expected value", b"\xff\xfe\x00 not UTF-8".to_vec()),
        Record::poison("invalid unicode code point", [b"{\"symbol\":\"".as_slice(), b"AA\xffPL", b"\",\"currency\":\"USD\"}"].concat()),
        Record::poison("invalid type", [vec![b'['; 100_000], vec![b']'; 100_000]].concat()),
        Record::poison("missing field `symbol`", deep(&json!({}))),
        Record::poison("not a quote", vec![b'x'; 1_000_000]),
        poison("conditions", json!({"conditions": "c".repeat(900_000)})),
        poison("price: 0 is not above 0", json!({"price": "0"})),
        poison("price: 0 is not above 0", json!({"price": "-0.000000"})),
        poison("price: -1.5 is not above 0", json!({"price": "-1.5"})),
        poison("not a decimal number", json!({"price": "NaN"})),
        poison("not a decimal number", json!({"price": "Infinity"})),
        poison("not a decimal number", json!({"price": "1e3"})),
        poison("more than 12 digits", json!({"price": "1234567890123456789012345678901234567890"})),
        poison("more than 6 digits", json!({"price": "0.0000001"})),
        poison("a decimal number as a string", json!({"price": 187.5})),
        poison("missing field `price`", json!({"price": null})),
        poison("bid: -1 is below 0", json!({"bid": "-1"})),
        poison("missing field `symbol`", json!({"symbol": null})),
        poison("symbol", json!({"symbol": ""})),
        poison("symbol", json!({"symbol": "BRK/B"})),
        poison("symbol", json!({"symbol": "../../state/c-x"})),
        poison("symbol", json!({"symbol": ".."})),
        poison("symbol", json!({"symbol": "A".repeat(10_000)})),
        poison("symbol", json!({"symbol": "AA\u{0}PL"})),
        poison("invalid type", json!({"symbol": 7})),
        poison("invalid type", json!({"day_trades": "many"})),
        poison("invalid value", json!({"bar_seconds": 9_000_000_000_i64})),
        poison("outside of 1970 to 2262", json!({"event_time": "0001-01-01T00:00:00Z"})),
        poison("outside of 1970 to 2262", json!({"fetched_at": "9999-12-31T23:59:59Z"})),
        poison("not an RFC 3339 time", json!({"event_time": "yesterday"})),
        poison("event_time", json!({"event_time": now + TimeDelta::days(400)})),
        poison("its arrival in Kafka", json!({"event_time": now + TimeDelta::days(400), "fetched_at": now + TimeDelta::days(400)})),
    ]
}

/// Quotes with whatever a quote can bring along.
fn oddities(cluster: &str) -> Vec<Record> {
    let plain = || Record::quote(&quote(json!({})));
    let mut nested = plain();
    nested.value = Some(deep(&quote(json!({}))).into_bytes());
    let mut unkeyed = plain();
    unkeyed.key = None;
    vec![
        plain(),
        plain().with("kafka_cluster", Some(cluster.as_bytes())),
        Record::quote(&quote(json!({"mood": {"calm": [1, 2, {"deep": "er"}]}, "bid": "0", "conditions": "@,\"T\""}))),
        nested,
        unkeyed,
        plain().with("kafka_cluster", None),
        plain().with("kafka_cluster", Some(b"../../../etc/passwd---")),
        plain().with("kafka_cluster", Some(b"\xff\xfe")),
        plain().with("", Some(b"no name")).with("x", None).with("x", Some(&[0, 128, 255])).with("ünï", Some(b"")),
        // The last one counts, as it does for whoever reads headers by their name.
        plain().with("kafka_cluster", Some(b"short")).with("kafka_cluster", Some(cluster.as_bytes())),
        plain().with("long", Some(&[b'h'; 20_000])).with("kafka_cluster", Some(cluster.as_bytes())),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_goes_to_quarantine_and_blocks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("nothing.csv"));
    // A source that has nothing to give: what is in Kafka is from here.
    fs::write(&file, "symbol,event_time,price\n").unwrap();
    let mut local = Tickerlake::local(&data, &["--source", "replay", "--replay-file", file.to_str().unwrap()]);
    let endpoints = local.endpoints();
    let cluster = fs::read_to_string(data.join("kafka/cluster-id")).unwrap().trim().to_owned();

    let mut records = Vec::new();
    for (i, poison) in poisons().into_iter().enumerate() {
        // With and without the cluster's id, with and without a key, and good quotes between.
        let poison = if i % 3 == 0 { poison.with("kafka_cluster", Some(cluster.as_bytes())) } else { poison };
        let poison = if i % 4 == 0 { poison.without_key() } else { poison };
        let good = Record::quote(&quote(json!({"price": format!("{}.25", i + 1)})));
        records.push(poison);
        records.push(if i % 2 == 0 { good.with("kafka_cluster", Some(cluster.as_bytes())) } else { good });
    }
    records.extend(oddities(&cluster));
    let (good, bad) = (records.iter().filter(|record| record.poison.is_none()).count(), poisons().len());

    let stored = produce(&endpoints.kafka, &records).await;
    local.wait_for_counts("every record in its place", |counts| (counts.rows, counts.quarantined) == (good as u64, bad as u64));
    local.interrupt();
    local.finish().succeeded();

    // Each good record is a row, and no other.
    let of = |record: &Record| {
        let header = record.headers.iter().rev().find(|(name, _)| *name == "kafka_cluster").and_then(|(_, value)| value.as_deref());
        if header == Some(cluster.as_bytes()) { cluster.clone() } else { "unknown".to_owned() }
    };
    let expected: BTreeSet<_> =
        records.iter().zip(&stored).filter(|(record, _)| record.poison.is_none()).map(|(record, (p, o))| (of(record), *p, *o)).collect();
    let rows = query(&data, "SELECT kafka_cluster, kafka_partition, kafka_offset FROM quotes");
    let found = rows
        .iter()
        .map(|row| (row["kafka_cluster"].clone(), row["kafka_partition"].parse().unwrap(), row["kafka_offset"].parse().unwrap()));
    assert_eq!(found.collect::<BTreeSet<(String, i32, i64)>>(), expected);
    assert_eq!(rows.len(), good);

    // Each poison record is one object that has all that came, and why.
    let mut objects: BTreeMap<String, Value> = lake::quarantine_files(&data)
        .iter()
        .map(|file| (lake::key(&data, file), serde_json::from_slice(&fs::read(file).unwrap()).unwrap()))
        .collect();
    for (record, (partition, offset)) in records.iter().zip(&stored).filter(|(record, _)| record.poison.is_some()) {
        let cluster = of(record);
        let name = format!("/c-{cluster}-quotes-{partition:05}-{offset:020}.json");
        let key = objects.keys().find(|key| key.ends_with(&name)).unwrap_or_else(|| panic!("{name}: {:#?}", objects.keys())).clone();
        let object = objects.remove(&key).unwrap();
        let base64 = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(Value::Null, |bytes| Value::from(STANDARD.encode(bytes)));
        assert_eq!(object["value"], base64(&record.value), "{key}");
        assert_eq!(object["key"], base64(&record.key), "{key}");
        assert_eq!(
            (&object["cluster"], &object["topic"], &object["partition"], &object["offset"]),
            (&json!(cluster), &json!("quotes"), &json!(partition), &json!(offset))
        );
        let headers: Vec<_> = record.headers.iter().map(|(name, value)| json!({*name: value})).collect();
        assert_eq!(object["headers"], Value::Array(headers), "{key}");
        assert_eq!(object["reason"], "poison");
        let (detail, reason) = (object["detail"].as_str().unwrap(), record.poison.unwrap());
        assert!(detail.contains(reason) && detail.len() < 1_000, "{reason:?} is not told: {detail:?}");
        let arrived = DateTime::from_timestamp_millis(object["timestamp"].as_i64().unwrap()).unwrap();
        let day = arrived.with_timezone(&chrono_tz::America::New_York).date_naive();
        assert_eq!(key, format!("quarantine/dt={day}{name}"), "by the New York date of its arrival");
    }
    assert!(objects.is_empty(), "and no others: {objects:#?}");

    let report = sound_audit(&data);
    assert_eq!((report["rows"].as_u64(), report["quarantined"].as_u64()), (Some(good as u64), Some(bad as u64)), "{report:#}");
}

/// Produces the records, spread over the partitions in their order; returns each one's partition and offset.
async fn produce(servers: &str, records: &[Record]) -> Vec<(i32, i64)> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("enable.idempotence", "true")
        .set("message.max.bytes", "4000000")
        .create()
        .unwrap();
    let deliveries = records.iter().zip((0..PARTITIONS).cycle()).map(|(record, partition)| {
        let mut to_send = FutureRecord::<[u8], [u8]>::to("quotes").partition(partition);
        to_send.key = record.key.as_deref();
        to_send.payload = record.value.as_deref();
        if !record.headers.is_empty() {
            let headers = record.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() });
            to_send = to_send.headers(headers.fold(OwnedHeaders::new(), OwnedHeaders::insert));
        }
        producer.send(to_send, Duration::from_secs(5))
    });
    let delivered = tokio::time::timeout(LIMIT, futures::future::join_all(deliveries)).await.expect("Kafka acknowledges in time");
    delivered.into_iter().map(|delivery| delivery.map(|at| (at.partition, at.offset)).map_err(|(error, _)| error).unwrap()).collect()
}
