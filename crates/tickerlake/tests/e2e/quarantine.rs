//! The way back from quarantine: listed, mended in a file, produced again, once.

use std::fs;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::Value;

use crate::harness::{Tickerlake, eventually, number, query, run, sound_audit};

const MENDABLE: &str = r#"{"symbol":"IBM","currency":"USD","price":"0","event_time":"2026-11-20T15:00:00Z","fetched_at":"2026-11-20T15:00:01Z","source":"test"}"#;

async fn produce(servers: &str, cluster: &str, value: &str) {
    let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", servers).create().unwrap();
    let headers = OwnedHeaders::new()
        .insert(Header { key: "kafka_cluster", value: Some(cluster) })
        .insert(Header { key: "trace", value: Some("kept") });
    let record = FutureRecord::to("quotes").key("IBM").payload(value).partition(0).headers(headers);
    producer.send(record, Duration::from_secs(20)).await.map_err(|(error, _)| error).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_record_becomes_a_row_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut stack = Tickerlake::local(&data, &["--symbols", "AAPL", "--every", "200ms"]);
    let servers = stack.endpoints().kafka;
    let cluster = fs::read_to_string(data.join("kafka/cluster-id")).unwrap().trim().to_owned();
    produce(&servers, &cluster, MENDABLE).await;
    produce(&servers, &cluster, "never a quote").await;

    let flag = data.to_str().unwrap();
    let list = || run(&["quarantine", "list", "--data", flag, "--format", "json"]).succeeded();
    let lines: Vec<Value> = eventually("two records in quarantine", || {
        let lines: Vec<Value> = list().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (lines.len() == 2).then_some(lines)
    });
    let mendable = lines.iter().find(|line| line["value"] == MENDABLE).expect("the value as it was");
    assert_eq!((&mendable["detail"], &mendable["replayed"]), (&Value::from("price: 0 is not above 0"), &Value::from(false)));

    // What is not mended is refused, and nothing of it reaches Kafka.
    let file = folder.path().join("poison.jsonl");
    fs::write(&file, list()).unwrap();
    let path = file.to_str().unwrap();
    run(&["quarantine", "replay", "--data", flag, path]).refused(1, "2 record(s) were not replayed");

    fs::write(&file, mendable.to_string().replace(r#"\"price\":\"0\""#, r#"\"price\":\"291.5\""#)).unwrap();
    let told = run(&["quarantine", "replay", "--data", flag, path]).succeeded();
    assert!(told.contains("Replayed 1 record(s)."), "{told}");
    eventually("the mended record as a row", || {
        (number(&data, "SELECT count(*) AS n FROM quotes WHERE symbol = 'IBM'") == 1).then_some(())
    });
    let row = &query(&data, "SELECT price, kafka_cluster FROM quotes WHERE symbol = 'IBM'")[0];
    // It left the place that its header named: it is a record of no cluster that could be believed.
    assert_eq!((row["price"].as_str(), row["kafka_cluster"].as_str()), ("291.500000", "unknown"));

    run(&["quarantine", "replay", "--data", flag, path]).refused(1, "1 record(s) were not replayed");
    assert_eq!(list().lines().filter(|line| line.contains("\"replayed\":true")).count(), 1);

    stack.interrupt();
    stack.finish().succeeded();
    assert_eq!(number(&data, "SELECT count(*) AS n FROM quotes WHERE symbol = 'IBM'"), 1);
    let audit = sound_audit(&data);
    let unknown = audit["logs"].as_array().unwrap().iter().filter(|log| log["cluster"] == "unknown");
    assert_eq!(unknown.map(|log| log["rows"].as_u64().unwrap()).sum::<u64>(), 1, "{audit}");
}
