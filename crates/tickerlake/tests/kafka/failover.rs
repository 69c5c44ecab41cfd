//! Three brokers, of which one after the other is killed.

use crate::harness::{Tickerlake, eventually};
use crate::kafka::{Kafka, assert_ended_well, assert_sound};

/// Quotes that must be stored after each event.
const MORE: u64 = 200;

#[test]
fn the_pipeline_outlives_a_partitions_leader_and_the_controller() {
    let mut kafka = Kafka::three();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let symbols = (0..40).map(|n| format!("S{n}")).collect::<Vec<_>>().join(",");
    let mut running = kafka.pipeline(data, &["--every", "200ms", "--symbols", &symbols]);
    let mut rows = goes_on(&mut running, 0);

    let (leader, _) = kafka.partitions()[&0];
    let leader = u16::try_from(leader).unwrap();
    kafka.kill(leader);
    eventually("another leader", || (kafka.partitions()[&0].0 != i32::from(leader)).then_some(()));
    rows = goes_on(&mut running, rows);
    kafka.start_node(leader);
    all_in_sync(&kafka);

    let controller = eventually("a controller", || kafka.running().active_controller());
    kafka.kill(controller);
    eventually("another controller", || kafka.running().active_controller().filter(|now| *now != controller));
    rows = goes_on(&mut running, rows);
    kafka.start_node(controller);
    all_in_sync(&kafka);
    goes_on(&mut running, rows);

    running.interrupt();
    assert_ended_well(&running.finish());
    let audited = kafka.audit(data);
    assert_sound(&audited, &kafka.cluster_id());
    assert_eq!(audited.0["quarantined"], 0, "{:#}", audited.0);
}

/// Waits until so many more rows are stored, and says how many there are.
fn goes_on(running: &mut Tickerlake, rows: u64) -> u64 {
    running.wait_for_counts("more rows", |counts| counts.rows >= rows + MORE).rows
}

/// Two of three must have a record: without this the next kill would stop the topic, as it should.
fn all_in_sync(kafka: &Kafka) {
    eventually("all replicas in sync", || kafka.partitions().values().all(|(_, in_sync)| in_sync.len() == 3).then_some(()));
}
