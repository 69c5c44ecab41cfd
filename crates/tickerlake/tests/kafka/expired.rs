//! Records that leave Kafka before they are stored.

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;

use crate::harness::LIMIT;
use crate::kafka::{Kafka, TOPIC, assert_ended_well, assert_sound, options};

const PARTITION: i32 = 1;

#[test]
fn records_that_expired_before_they_were_stored_are_named() {
    let kafka = Kafka::one();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    produce(&kafka, 20);
    let mut running = kafka.pipeline(data, &["--every", "1h"]);
    running.wait_for_counts("rows", |counts| counts.rows >= 20);
    running.interrupt();
    assert_ended_well(&running.finish());
    assert_sound(&kafka.audit(data), &kafka.cluster_id());
    let first = kafka.ends()[&PARTITION];

    // While nobody reads, thirty come and the first twelve of them go, as by retention.
    produce(&kafka, 30);
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(TOPIC, PARTITION, Offset::Offset(first + 12)).unwrap();
    let deleted = kafka.runtime().block_on(async { kafka.admin().delete_records(&before, &options()).await.unwrap() });
    deleted.elements()[0].error().unwrap();
    let gap = |from: i64, to: i64, reason: &str| json!({"from": from, "to": to, "reason": reason});
    let (report, code) = kafka.audit(data);
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(gaps(&report), json!([gap(first, first + 11, "expired"), gap(first + 12, first + 29, "pending")]), "{report:#}");

    // The rest is stored, and what is lost stays named.
    let mut running = kafka.pipeline(data, &["--every", "1h"]);
    running.wait_for_counts("rows", |counts| counts.rows >= 18);
    running.interrupt();
    assert_ended_well(&running.finish());
    let (report, code) = kafka.audit(data);
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(gaps(&report), json!([gap(first, first + 11, "expired")]), "{report:#}");
}

/// Quotes into one partition, with the cluster's id.
fn produce(kafka: &Kafka, count: usize) {
    let producer: FutureProducer = kafka.client().create().unwrap();
    let now = chrono::Utc::now();
    let value =
        json!({"symbol": "AAPL", "currency": "USD", "price": "187.5", "event_time": now, "fetched_at": now, "source": "test"}).to_string();
    let id = kafka.cluster_id();
    kafka.runtime().block_on(async {
        let sent = (0..count).map(|_| {
            let headers = OwnedHeaders::new().insert(Header { key: "kafka_cluster", value: Some(&id) });
            producer.send(FutureRecord::to(TOPIC).partition(PARTITION).key("AAPL").payload(&value).headers(headers), LIMIT)
        });
        for delivery in futures::future::join_all(sent).await {
            delivery.unwrap();
        }
    });
}

fn gaps(report: &serde_json::Value) -> serde_json::Value {
    let logs = report["logs"].as_array().unwrap();
    logs.iter().find(|log| log["partition"] == PARTITION).unwrap()["gaps"].clone()
}
