//! The embedded broker with librdkafka's clients.

use crate::support::{LIMIT, broker, produce};
use local_aws::broker::{Broker, Error, Topic};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Headers;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::Instant;

const TOPIC: &str = "quotes";
const PARTITIONS: i32 = 3;

fn consumer(broker: &Broker, group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "100")
        .create()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_cluster_id_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    // A blank and a # in the path are what the broker itself cannot take.
    let folder = folder.path().join("a folder #1");
    let first = broker(&folder, TOPIC, PARTITIONS).await;
    let cluster_id = first.cluster_id().to_owned();
    let values: Vec<_> = (0..1000).map(|number| format!("value {number}")).collect();
    produce(&first, TOPIC, PARTITIONS, &values).await;
    first.stop().await;

    let second = broker(&folder, TOPIC, PARTITIONS).await;
    assert_eq!(second.cluster_id(), cluster_id);
    let read = tokio::task::spawn_blocking({
        let consumer = consumer(&second, "readers");
        move || read(&consumer, 1000, &cluster_id)
    });
    let read = read.await.unwrap();
    for partition in 0..PARTITIONS {
        let expected: Vec<_> = (0..)
            .zip(values.iter().skip(usize::try_from(partition).unwrap()).step_by(3))
            .map(|(offset, value)| (offset, value.clone()))
            .collect();
        assert_eq!(read[&partition], expected, "partition {partition}");
    }
    second.stop().await;
}

/// Reads from the start; gives offsets and values by partition, and checks each record's header.
fn read(consumer: &BaseConsumer, count: usize, cluster_id: &str) -> BTreeMap<i32, Vec<(i64, String)>> {
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let mut read: BTreeMap<i32, Vec<(i64, String)>> = BTreeMap::new();
    let deadline = Instant::now() + LIMIT;
    while read.values().map(Vec::len).sum::<usize>() < count {
        let left = deadline.checked_duration_since(Instant::now()).expect("all records in time");
        let Some(message) = consumer.poll(left) else { continue };
        let message = message.unwrap();
        let header = message.headers().unwrap().get(0);
        assert_eq!((header.key, header.value), ("kafka_cluster", Some(cluster_id.as_bytes())));
        let value = String::from_utf8(message.payload().unwrap().to_vec()).unwrap();
        read.entry(message.partition()).or_default().push((message.offset(), value));
    }
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_port_is_told() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let busy = listener.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    match Broker::start(folder.path(), busy, &[]).await {
        Err(error @ Error::PortBusy { port }) => {
            assert_eq!(port, busy);
            assert!(error.to_string().contains(&busy.to_string()));
        }
        other => panic!("{:?}", other.err()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_folder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Broker::start(&file.join("kafka"), 0, &[]).await.err().expect("a file is no folder");
    assert!(matches!(&error, Error::File { .. }) && error.to_string().contains("kafka"), "{error}");
}

/// What the broker does with committed offsets, on which callers build: any number is kept, its metadata is not given back.
#[tokio::test(flavor = "multi_thread")]
async fn committed_offsets_survive_a_restart_and_their_metadata_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = broker(folder.path(), TOPIC, 1).await;
    let committing = consumer(&first, "replay");
    tokio::task::spawn_blocking(move || {
        let mut offsets = TopicPartitionList::new();
        {
            let mut element = offsets.add_partition(TOPIC, 0);
            // Beyond the end of the log.
            element.set_offset(Offset::Offset(38_043)).unwrap();
            element.set_metadata("row 38043");
        }
        committing.commit(&offsets, CommitMode::Sync).unwrap();
    })
    .await
    .unwrap();
    first.stop().await;

    let second = Broker::start(folder.path(), 0, &[Topic { name: TOPIC.into(), partitions: 1 }]).await.unwrap();
    let asking = consumer(&second, "replay");
    let (offset, metadata) = tokio::task::spawn_blocking(move || {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(TOPIC, 0);
        let committed = asking.committed_offsets(asked, LIMIT).unwrap();
        let element = committed.find_partition(TOPIC, 0).unwrap();
        (element.offset(), element.metadata().to_owned())
    })
    .await
    .unwrap();
    assert_eq!(offset, Offset::Offset(38_043));
    assert_eq!(metadata, "", "the broker gives metadata back: its callers may rely on it from now on");
    second.stop().await;
}
