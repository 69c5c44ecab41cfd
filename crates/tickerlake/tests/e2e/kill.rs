//! `kill -9` at any moment, of the command or of a function: it goes on, and nothing is lost or doubled.

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::{Tickerlake, eventually, number, sound_audit};
use crate::lake;
use crate::processes::{self, Bereaved};
use crate::recording::Recording;

/// The file's quotes, one for each recorded second.
const QUOTES: usize = 8_000;

/// When the command is killed, counted from its start.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// It says where it listens.
    Introduced,
    /// It says that so many quotes are in Kafka.
    Produced(u64),
    /// It says that so many rows are written.
    Written(u64),
    /// So many more Parquet files lie in the lake: at that moment the object is there, and neither its attributes, nor the
    /// watermark, nor the offset that the mapping commits.
    Files(usize),
}

#[test]
fn nothing_is_lost_or_doubled_however_often_it_is_killed() {
    use Moment::{Files, Introduced, Produced, Written};
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("quotes.csv.gz"));
    let recording = Recording::plain(QUOTES);
    recording.write_gz(&file);
    let start = |speed: &str, flags: &[&str]| {
        let replay = ["--source", "replay", "--replay-file", file.to_str().unwrap(), "--every", "100ms", "--speed", speed];
        Tickerlake::local(&data, &[&replay, flags].concat())
    };

    // What a killed stack leaves may still end while the next one runs, which must not mind.
    let mut left: Vec<(Moment, Bereaved, String)> = Vec::new();
    let paced = [Introduced, Produced(1), Files(1), Written(1), Files(3), Written(500), Files(5), Produced(300)];
    for (moment, speed) in paced.map(|moment| (moment, "300x")).into_iter().chain([(Files(1), "max")]) {
        let files_before = lake::parquet_files(&data).len();
        let mut local = start(speed, &[]);
        let endpoints = local.endpoints();
        match moment {
            Introduced => {}
            Produced(count) => drop(local.wait_for_counts("quotes in Kafka", |counts| counts.produced >= count)),
            Written(count) => drop(local.wait_for_counts("rows", |counts| counts.rows >= count)),
            Files(count) => local.wait_for("files", |_| (lake::parquet_files(&data).len() >= files_before + count).then_some(())),
        }
        let children = Bereaved(local.children());
        local.kill();
        let ended = local.finish();
        assert_eq!(ended.signal, Some(9), "{moment:?}: {ended:#?}");
        left.push((moment, children, format!("AWS_ENDPOINT_URL={}", endpoints.aws)));
    }
    assert!(stored(&data) < QUOTES, "it was killed in the middle of the file, not after it");

    let ended = start("max", &["--until-drained"]).finish();
    ended.succeeded();
    for (moment, children, endpoint) in left {
        if !matches!(moment, Moment::Introduced) {
            assert!(children.0.iter().any(|child| child.name == "fetch-quotes"), "{moment:?}: {children:#?}");
        }
        eventually(&format!("the end of {children:#?}, killed when {moment:?}"), || children.are_gone().then_some(()));
        assert_eq!(processes::orphans_with(&endpoint), [], "{moment:?}");
    }

    assert_once(&data, &recording);
}

#[test]
fn nothing_is_lost_or_doubled_when_functions_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("quotes.csv"));
    let recording = Recording::plain(2_000);
    recording.write_csv(&file);
    let replay = ["--source", "replay", "--replay-file", file.to_str().unwrap(), "--every", "100ms", "--speed", "300x", "--until-drained"];
    let mut local = Tickerlake::local(&data, &replay);
    let mut killed = Vec::new();
    for round in 1..=3 {
        // Another process of each, at work or frozen between two invocations.
        for function in ["write-quotes", "fetch-quotes"] {
            let next =
                eventually(function, || local.children().into_iter().find(|child| child.name == function && !killed.contains(child)));
            next.kill();
            killed.push(next);
        }
        local.wait_for_counts("more rows", |counts| counts.rows >= round * 200);
    }
    local.finish().succeeded();
    assert_once(&data, &recording);
}

/// The lake has each of the recording's quotes once.
fn assert_once(data: &Path, recording: &Recording) {
    let quotes = recording.rows.len() as u64;
    assert_eq!(number(data, "SELECT count(*) FROM quotes"), quotes);
    assert_eq!(number(data, "SELECT count(DISTINCT event_time_ns) FROM quotes"), quotes);
    let events = |rows: &[lake::Row]| rows.iter().map(|row| lake::number(row, "event_time_ns")).collect::<BTreeSet<_>>();
    assert!(events(&lake::rows(data)) == events(&recording.rows), "the file's quotes, and no others");

    // Neither the lake nor Kafka has anything twice: its logs together are as long as the file.
    let report = sound_audit(data);
    assert_eq!((report["rows"].as_u64(), report["quarantined"].as_u64()), (Some(quotes), Some(0)), "{report:#}");
    let ends = report["logs"].as_array().unwrap().iter().map(|log| log["kafka"][1].as_u64().unwrap());
    assert_eq!(ends.sum::<u64>(), quotes, "{report:#}");
}

/// Rows on the disk. A file that was being written when the command was killed may be cut short: it is not counted.
fn stored(data: &Path) -> usize {
    let files = lake::parquet_files(data);
    let settled = files.split_last().map_or(&files[..], |(_, earlier)| earlier);
    settled.iter().filter(|file| file.metadata().unwrap().len() > 0).map(|file| lake::rows_of(file).len()).sum()
}
