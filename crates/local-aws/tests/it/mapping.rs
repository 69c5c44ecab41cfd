//! The Kafka event source mapping on the embedded broker.

use crate::support::{Recorder, broker, eventually, produce, producer};
use local_aws::broker::Broker;
use local_aws::mapping::{Backoff, KafkaMapping, KafkaMappingConfig, Security};
use local_aws::template::StartingPosition;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::FutureRecord;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

const TOPIC: &str = "quotes";

fn config(broker: &Broker) -> KafkaMappingConfig {
    KafkaMappingConfig {
        bootstrap_servers: broker.bootstrap_servers(),
        security: Security::Plaintext,
        topic: TOPIC.to_owned(),
        consumer_group: "write-quotes".to_owned(),
        batch_size: 100,
        batch_window: Duration::from_millis(300),
        payload_limit: 6 * 1024 * 1024,
        starting_position: StartingPosition::TrimHorizon,
        backoff: Backoff { initial: Duration::from_millis(10), maximum: Duration::from_millis(50) },
        refresh: Duration::from_millis(50),
    }
}

fn values(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("value {number}")).collect()
}

/// Each partition's offsets, contiguous from the given start.
fn assert_contiguous(offsets: &[(i64, i64)], partition: i64, expected: std::ops::Range<i64>) {
    let found: Vec<_> = offsets.iter().filter(|(found, _)| *found == partition).map(|(_, offset)| *offset).collect();
    assert_eq!(found, expected.collect::<Vec<_>>(), "partition {partition}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_delivered_once_and_a_restart_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let broker = broker(folder.path(), TOPIC, 3).await;
    produce(&broker, TOPIC, 3, &values(0..301)).await;

    let function = Arc::new(Recorder::default());
    let mapping = KafkaMapping::start(config(&broker), function.clone()).unwrap();
    mapping.drain().await.unwrap();
    let progress = mapping.progress().borrow().clone();
    mapping.stop().await;
    let offsets = function.offsets();
    assert_contiguous(&offsets, 0, 0..101);
    assert_contiguous(&offsets, 1, 0..100);
    assert_contiguous(&offsets, 2, 0..100);
    assert_eq!((progress.records, progress.failures, progress.in_flight, progress.lag()), (301, 0, false, 0));
    assert_eq!(progress.partitions.values().map(|partition| partition.committed).sum::<i64>(), 301);

    let event: Value = serde_json::from_slice(&function.events.lock().unwrap()[0]).unwrap();
    assert_eq!(event["eventSource"], "aws:SelfManagedKafka");
    assert_eq!(event["bootstrapServers"], broker.bootstrap_servers());
    let (name, records) = event["records"].as_object().unwrap().iter().next().unwrap();
    let record = &records[0];
    assert_eq!(*name, format!("quotes-{}", record["partition"]));
    assert_eq!(record["key"], "QUFQTA==");
    assert_eq!(record["timestampType"], "CREATE_TIME");
    assert_eq!(record["headers"][0]["kafka_cluster"].as_array().unwrap().len(), 22);
    let events = function.events.lock().unwrap().len();
    assert!(events >= 4, "{events} events of at most 100 records");

    produce(&broker, TOPIC, 3, &values(301..304)).await;
    let function = Arc::new(Recorder::default());
    let mapping = KafkaMapping::start(config(&broker), function.clone()).unwrap();
    mapping.drain().await.unwrap();
    mapping.stop().await;
    let mut offsets = function.offsets();
    offsets.sort_unstable();
    assert_eq!(offsets, [(0, 101), (1, 100), (2, 100)]);
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_holds_several_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let broker = broker(folder.path(), TOPIC, 2).await;
    produce(&broker, TOPIC, 2, &values(0..10)).await;
    let function = Arc::new(Recorder::default());
    let config = KafkaMappingConfig { batch_size: 10, batch_window: Duration::from_secs(60), ..config(&broker) };
    let mapping = KafkaMapping::start(config, function.clone()).unwrap();
    mapping.drain().await.unwrap();
    mapping.stop().await;
    let events = function.events.lock().unwrap().clone();
    assert_eq!(events.len(), 1);
    let event: Value = serde_json::from_slice(&events[0]).unwrap();
    assert_eq!(event["records"].as_object().unwrap().keys().collect::<Vec<_>>(), ["quotes-0", "quotes-1"]);
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_fails_comes_again_unchanged_and_is_not_committed_before() {
    let folder = tempfile::tempdir().unwrap();
    let broker = broker(folder.path(), TOPIC, 1).await;
    produce(&broker, TOPIC, 1, &values(0..5)).await;

    // Never succeeds: nothing may be committed.
    let function = Arc::new(Recorder::failing(u32::MAX));
    let mapping = KafkaMapping::start(config(&broker), function.clone()).unwrap();
    let mut progress = mapping.progress();
    progress.wait_for(|progress| progress.failures >= 2).await.unwrap();
    assert_eq!(progress.borrow().partitions[&0].committed, 0);
    assert!(progress.borrow().last_error.as_ref().unwrap().contains("not yet"));
    mapping.stop().await;

    let function = Arc::new(Recorder::failing(2));
    let mapping = KafkaMapping::start(config(&broker), function.clone()).unwrap();
    mapping.drain().await.unwrap();
    assert_eq!(mapping.progress().borrow().last_error, None);
    mapping.stop().await;
    let events = function.events.lock().unwrap().clone();
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| *event == events[0]));
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_stay_below_the_payload_limit_and_giants_do_not_block() {
    let folder = tempfile::tempdir().unwrap();
    let broker = broker(folder.path(), TOPIC, 1).await;
    let mut values = values(0..40);
    values[20] = "giant".repeat(1000);
    produce(&broker, TOPIC, 1, &values).await;
    let function = Arc::new(Recorder::default());
    let config = KafkaMappingConfig { payload_limit: 2000, ..config(&broker) };
    let mapping = KafkaMapping::start(config, function.clone()).unwrap();
    mapping.drain().await.unwrap();
    let progress = mapping.progress().borrow().clone();
    mapping.stop().await;
    let offsets: Vec<_> = function.offsets().into_iter().map(|(_, offset)| offset).collect();
    assert_eq!(offsets, (0..40).filter(|offset| *offset != 20).collect::<Vec<_>>());
    assert_eq!((progress.dropped, progress.partitions[&0].committed), (1, 40));
    let sizes: Vec<_> = function.events.lock().unwrap().iter().map(|event| event.len()).collect();
    assert!(sizes.iter().all(|size| *size <= 2000), "{sizes:?}");
    assert!(sizes.iter().any(|size| *size > 1500), "events are filled: {sizes:?}");
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_comes_later_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), 0, &[]).await.unwrap();
    let function = Arc::new(Recorder::default());
    let mapping = KafkaMapping::start(config(&broker), function.clone()).unwrap();
    let mut progress = mapping.progress();
    progress.wait_for(|progress| progress.last_error.is_some()).await.unwrap();
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()).create().unwrap();
    let topic = NewTopic::new(TOPIC, 1, TopicReplication::Fixed(1));
    admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
    // Without a value: a tombstone.
    let record: FutureRecord<'_, str, [u8]> = FutureRecord::to(TOPIC).partition(0).key("AAPL");
    producer(&broker).send(record, Duration::from_secs(30)).await.unwrap();
    eventually("the record", || function.offsets() == [(0, 0)]).await;
    mapping.stop().await;
    let event: Value = serde_json::from_slice(&function.events.lock().unwrap()[0]).unwrap();
    assert_eq!(event["records"]["quotes-0"][0]["value"], Value::Null);
    broker.stop().await;
}
