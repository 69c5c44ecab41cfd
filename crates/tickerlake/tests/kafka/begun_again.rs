//! Logs that begin again under a running pipeline: nothing new is taken for old.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{NewTopic, TopicReplication};
use rustix::process::Signal;

use crate::harness::{LIMIT, Tickerlake};
use crate::kafka::{Kafka, PARTITIONS, TOPIC, assert_ended_well, assert_sound, options};
use crate::lake;
use crate::processes::Process;

/// By cluster and partition: the offsets of the rows, in no order and with all doubles.
type Offsets = BTreeMap<(String, i32), Vec<i64>>;

/// Often all is stored: each fetch's quotes are in the lake well before the next.
const QUOTES: [&str; 4] = ["--every", "3s", "--symbols", "AAPL,AMZN,AXP,BA,BAC,C,CAT,CSCO,CVX,DIS,F,GE,GM,GOOGL,GS,HD,HON,IBM,INTC,JNJ"];

#[test]
fn a_broker_rebuilt_with_an_empty_disk_is_another_cluster() {
    let mut kafka = Kafka::one();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut running = kafka.pipeline(data, &QUOTES);
    running.wait_for_counts("rows", |counts| counts.rows >= 80);
    let ends = freeze_when_all_is_stored(&kafka, &running, data);
    let old = kafka.cluster_id();
    kafka.rebuild();
    let new = kafka.cluster_id();
    assert_ne!(new, old);
    running.signal(Signal::CONT);

    // Past the old log's ends, so that a reader which went on where it was would show.
    wait_until(&mut running, data, "rows of the new log", |rows| {
        used(&ends).all(|(partition, end)| rows.get(&(new.clone(), partition)).is_some_and(|rows| rows.len() as i64 > end + 10))
    });
    running.interrupt();
    assert_ended_well(&running.finish());
    assert_sound(&kafka.audit(data), &new);

    let rows = rows(data);
    let clusters: BTreeSet<_> = rows.keys().map(|(cluster, _)| cluster.clone()).collect();
    assert_eq!(clusters, BTreeSet::from([old.clone(), new.clone()]));
    assert_whole(&rows, &old, &ends);
    assert_whole(&rows, &new, &kafka.ends());
    assert_eq!(lake::quarantine_files(data), Vec::<PathBuf>::new());
}

#[test]
fn a_topic_that_was_deleted_and_made_again_reuses_offsets_and_loses_nothing() {
    let kafka = Kafka::one();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut running = kafka.pipeline(data, &QUOTES);
    running.wait_for_counts("rows", |counts| counts.rows >= 80);
    let old = freeze_when_all_is_stored(&kafka, &running, data);
    kafka.runtime().block_on(async {
        let admin = kafka.admin();
        let deleted = admin.delete_topics(&[TOPIC], &options()).await.unwrap();
        deleted.into_iter().for_each(|topic| drop(topic.unwrap()));
        let topic = NewTopic::new(TOPIC, PARTITIONS, TopicReplication::Fixed(1));
        let deadline = Instant::now() + LIMIT;
        // The name is free once the deletion has come through.
        while let Err((_, error)) = admin.create_topics([&topic], &options()).await.unwrap().remove(0) {
            assert!(Instant::now() < deadline, "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    running.signal(Signal::CONT);

    let id = kafka.cluster_id();
    wait_until(&mut running, data, "rows past the old ends", |rows| {
        used(&old)
            .all(|(partition, end)| rows.get(&(id.clone(), partition)).is_some_and(|rows| rows.iter().any(|offset| *offset > end + 10)))
    });
    running.interrupt();
    assert_ended_well(&running.finish());
    let audited = kafka.audit(data);
    assert_sound(&audited, &id);

    let new = kafka.ends();
    let whole: BTreeMap<_, _> = new.iter().map(|(partition, end)| (*partition, *end.max(&old[partition]))).collect();
    assert_whole(&rows(data), &id, &whole);
    let quarantined: Vec<serde_json::Value> =
        lake::quarantine_files(data).iter().map(|file| serde_json::from_slice(&fs::read(file).unwrap()).unwrap()).collect();
    assert!(quarantined.iter().all(|object| object["reason"] == "offset reused"), "{quarantined:#?}");
    // What was new and has an offset that was stored before: in quarantine, each once.
    let mut reused: Vec<_> =
        quarantined.iter().map(|object| (object["partition"].as_i64().unwrap(), object["offset"].as_i64().unwrap())).collect();
    reused.sort_unstable();
    let expected: Vec<_> = old.iter().flat_map(|(partition, end)| (0..*end).map(|offset| (i64::from(*partition), offset))).collect();
    assert_eq!(reused, expected);
}

/// Stops the pipeline, and its producer with it, at a moment when all that is in Kafka is in the lake: what nobody has stored
/// yet would be lost with Kafka's disk. Returns each partition's next offset.
fn freeze_when_all_is_stored(kafka: &Kafka, running: &Tickerlake, data: &Path) -> BTreeMap<i32, i64> {
    let deadline = Instant::now() + LIMIT;
    loop {
        running.signal(Signal::STOP);
        // Between invocations the producer is frozen, as on Lambda.
        let is_frozen = running.children().iter().any(|child| child.name == "fetch-quotes" && is_stopped(child));
        let ends = kafka.ends();
        let stored = rows(data);
        let is_stored =
            ends.iter().all(|(partition, end)| stored.get(&(kafka.cluster_id(), *partition)).map_or(0, Vec::len) as i64 == *end);
        if is_frozen && is_stored {
            return ends;
        }
        running.signal(Signal::CONT);
        assert!(Instant::now() < deadline, "never is all stored: {ends:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn is_stopped(process: &Process) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

/// The partitions that symbols fall into.
fn used(ends: &BTreeMap<i32, i64>) -> impl Iterator<Item = (i32, i64)> {
    ends.iter().map(|(partition, end)| (*partition, *end)).filter(|(_, end)| *end > 0)
}

fn rows(data: &Path) -> Offsets {
    let mut offsets = Offsets::new();
    for row in lake::rows(data) {
        let log = (lake::text(&row, "kafka_cluster").to_owned(), i32::try_from(lake::number(&row, "kafka_partition")).unwrap());
        offsets.entry(log).or_default().push(i64::try_from(lake::number(&row, "kafka_offset")).unwrap());
    }
    offsets
}

fn wait_until(running: &mut Tickerlake, data: &Path, what: &str, is_there: impl Fn(&Offsets) -> bool) {
    running.wait_for(what, |_| {
        // All files are read each time.
        thread::sleep(Duration::from_millis(300));
        is_there(&rows(data)).then_some(())
    });
}

/// Each offset below the ends has one row.
#[track_caller]
fn assert_whole(rows: &Offsets, cluster: &str, ends: &BTreeMap<i32, i64>) {
    for (partition, end) in ends {
        let mut found = rows.get(&(cluster.to_owned(), *partition)).cloned().unwrap_or_default();
        found.sort_unstable();
        assert_eq!(found, (0..*end).collect::<Vec<_>>(), "{cluster} partition {partition}");
    }
}
