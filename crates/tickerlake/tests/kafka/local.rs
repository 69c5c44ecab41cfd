//! `tickerlake local --kafka real`.

use std::path::Path;

use crate::harness::{Tickerlake, eventually, query};
use crate::kafka::{assert_ended_well, assert_sound, audit, local, machine, prepare};
use crate::processes::Process;

fn cluster_id(data: &Path) -> String {
    std::fs::read_to_string(data.join("kafka-real/cluster-id")).unwrap().trim().to_owned()
}

#[test]
fn quotes_go_through_apache_kafka_and_the_audit_asks_it_running_and_at_rest() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut running = local(data, &["--kafka", "real", "--every", "200ms"], Vec::new());
    running.wait_for_counts("rows", |counts| counts.rows >= 30);
    assert_sound(&audit(data, Vec::new()), &cluster_id(data));
    let java = running.children().into_iter().find(|child| child.name == "java").expect("a broker of its own");
    running.interrupt();
    assert_ended_well(&running.finish());
    assert!(java.is_gone(), "Kafka outlived the stack");

    let at_rest = audit(data, Vec::new());
    assert_sound(&at_rest, &cluster_id(data));
    assert!(at_rest.0["rows"].as_u64().unwrap() >= 30, "{:#}", at_rest.0);
    let sources = query(data, "SELECT DISTINCT source, kafka_cluster FROM quotes");
    assert_eq!(sources.len(), 1, "{sources:?}");
    assert_eq!(sources[0]["kafka_cluster"], cluster_id(data));
}

#[test]
fn what_is_missing_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (programs, cache, data) = (folder.path().join("bin"), folder.path().join("cache"), folder.path().join("data"));
    std::fs::create_dir(&programs).unwrap();
    let start = || {
        let place = |name: &str, path: &Path| (name.to_owned(), path.to_str().unwrap().to_owned());
        let arguments = ["local", "--kafka", "real", "--port", "0", "--kafka-port", "0", "--data", data.to_str().unwrap()];
        Tickerlake::start_with(&arguments, &[place("PATH", &programs), place("XDG_CACHE_HOME", &cache)]).finish()
    };
    start().refused(1, "java is missing: install a Java runtime");

    // Jars that came in part, as a download leaves them that was cut off, are not taken for Kafka.
    let java = std::env::split_paths(&std::env::var_os("PATH").unwrap()).map(|folder| folder.join("java")).find(|java| java.is_file());
    std::os::unix::fs::symlink(java.expect("Java is a prerequisite of the tests"), programs.join("java")).unwrap();
    let version = include_str!("../../../../broker/pom.xml").split_once("<kafka.version>").unwrap().1.split_once('<').unwrap().0;
    let libs = cache.join(format!("tickerlake/kafka-{version}/libs"));
    std::fs::create_dir_all(&libs).unwrap();
    std::fs::write(libs.join("kafka-clients.jar"), "half").unwrap();
    start().refused(1, "mvn is missing: install Apache Maven");
}

#[test]
fn killed_in_the_middle_it_goes_on_with_the_same_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("quotes.csv");
    let rows = 6_000;
    let lines = (0..rows).map(|n| {
        format!("{},2013-10-07T14:{:02}:{:02}.{:03}Z,{}.25\n", ["AIG", "BAC", "SPY"][n % 3], n / 600, n / 10 % 60, n % 1000, n + 1)
    });
    std::fs::write(&file, format!("symbol,event_time,price\n{}", lines.collect::<String>())).unwrap();
    prepare(&data);
    let flags =
        |speed| ["--kafka", "real", "--source", "replay", "--replay-file", file.to_str().unwrap(), "--every", "100ms", "--speed", speed];

    let mut left: Vec<Process> = Vec::new();
    let id = cluster_id(&data);
    for produced in [300, 600] {
        let mut running = local(&data, &flags("60x"), Vec::new());
        running.wait_for_counts("quotes in Kafka and in the lake", |counts| counts.produced >= produced && counts.rows > 0);
        left.extend(running.children());
        running.kill();
        assert_eq!(running.finish().signal, Some(9));
    }
    assert_eq!(left.iter().filter(|process| process.name == "java").count(), 2, "{left:#?}");
    eventually("the end of all that the killed stacks started", || left.iter().all(Process::is_gone).then_some(()));

    local(&data, &[&flags("max")[..], &["--until-drained"]].concat(), Vec::new()).finish().succeeded();
    let audited = audit(&data, machine());
    assert_sound(&audited, &id);
    assert_eq!(audited.0["rows"], rows, "{:#}", audited.0);
}
