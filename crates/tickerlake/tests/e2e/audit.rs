//! An audit that could not fail would prove nothing.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::aws_clients;
use crate::harness::{Tickerlake, audit, run, sound_audit};
use crate::lake::{self, BUCKET};
use crate::recording::Recording;

/// A finished lake of a few files, and the largest of them: its path, its key, its first and last offset.
fn lake_of(data: &Path, file: &Path) -> (std::path::PathBuf, String, i128, i128) {
    Recording::whole().write_csv(file);
    let flags = ["--source", "replay", "--replay-file", file.to_str().unwrap(), "--speed", "max", "--until-drained"];
    Tickerlake::local(data, &flags).finish().succeeded();
    sound_audit(data);
    let largest = lake::parquet_files(data).into_iter().max_by_key(|file| lake::rows_of(file).len()).unwrap();
    let key = lake::key(data, &largest);
    let offsets: Vec<_> = lake::rows_of(&largest).iter().map(|row| lake::number(row, "kafka_offset")).collect();
    let (first, last) = (*offsets.iter().min().unwrap(), *offsets.iter().max().unwrap());
    assert!(last > first);
    (largest, key, first, last)
}

fn text(data: &Path) -> crate::harness::Ended {
    run(&["audit", "--data", data.to_str().unwrap()])
}

#[test]
fn a_file_that_is_lost_is_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (file, key, first, last) = lake_of(&data, &folder.path().join("quotes.csv"));
    assert!(text(&data).succeeded().contains("Sound: 300 rows"));
    fs::remove_file(&file).unwrap();

    let ended = text(&data);
    ended.refused(1, "not in the lake exactly once");
    assert!(ended.stdout.contains(&format!("offsets {first} to {last}: missing")) && !ended.stdout.contains("Sound"), "{ended:#?}");

    let (report, code) = audit(&data);
    assert_eq!((code, &report["sound"], &report["rows"]), (Some(1), &json!(false), &json!(300 - (last - first + 1))), "{report:#}");
    let gaps: Vec<_> = report["logs"].as_array().unwrap().iter().flat_map(|log| log["gaps"].as_array().unwrap()).collect();
    assert_eq!(gaps, [&json!({"from": first, "to": last, "reason": "missing"})], "of {key}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_there_twice_is_a_double() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("quotes.csv"));
    let (_, key, first, last) = lake_of(&data, &file);

    // Through S3, as whoever would do that to a real lake.
    let mut local = Tickerlake::local(&data, &["--source", "replay", "--replay-file", file.to_str().unwrap()]);
    let s3 = aws_sdk_s3::Client::new(&aws_clients::config(&local.endpoints().aws).await);
    let (log, _) = key.rsplit_once('-').unwrap();
    let copy = format!("{log}-{:020}.parquet", 1_000_000);
    s3.copy_object().bucket(BUCKET).key(&copy).copy_source(format!("{BUCKET}/{key}")).send().await.unwrap();
    let running = audit(&data);
    local.interrupt();
    local.finish().succeeded();

    let (report, code) = audit(&data);
    assert_eq!((&report, code), (&running.0, running.1), "the same while it runs and afterwards");
    assert_eq!((code, &report["sound"]), (Some(1), &json!(false)), "{report:#}");
    let doubles: Vec<_> = report["logs"].as_array().unwrap().iter().flat_map(|log| log["doubles"].as_array().unwrap()).collect();
    let offsets: Vec<_> = doubles.iter().map(|double| i128::from(double["offset"].as_i64().unwrap())).collect();
    assert_eq!(offsets, (first..=last).collect::<Vec<_>>());
    assert!(doubles.iter().all(|double| double["files"] == json!([key, copy])), "{report:#}");

    let ended = text(&data);
    ended.refused(1, "not in the lake exactly once");
    assert!(ended.stdout.contains(&format!("offset {first} is doubled, in {key} and {copy}")), "{ended:#?}");
}
