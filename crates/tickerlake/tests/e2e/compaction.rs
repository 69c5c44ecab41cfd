//! A compacted day: other files, the same rows, whatever dies on the way.

mod stack;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use local_aws::s3::faults::{Failure, Fault};
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Tickerlake, audit, number, query, run, sound_audit};
use crate::lake::{self, BUCKET};
use crate::recording::Recording;
use stack::{DAY, Settings, Stack, compact, copy, kill, refusal, sorted, success};

/// A lake of two days, drained and at rest.
fn lake_of(recording: &Recording) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    replay(&data, recording, folder.path());
    (folder, data)
}

fn replay(data: &Path, recording: &Recording, folder: &Path) {
    let file = folder.join("quotes.csv");
    recording.write_csv(&file);
    let flags = ["--source", "replay", "--replay-file", file.to_str().unwrap(), "--speed", "max", "--every", "100ms", "--until-drained"];
    Tickerlake::local(data, &flags).finish().succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_has_other_files_and_the_same_rows() {
    let (folder, data) = lake_of(&Recording::whole());
    let stack = Stack::open(&data).await;
    let function = stack.function("compact-day", Settings::default());
    let (before, other_day) = (stack.rows(DAY).await, stack.rows("2013-10-08").await);
    let written = stack.files(DAY).await.len();
    assert!(written > 1);

    let outcome = compact(&function, DAY).await;
    assert_eq!((&outcome["state"], &outcome["rows"]), (&json!("compacted"), &json!(before.len())), "{outcome}");
    assert_eq!((&outcome["files_before"], &outcome["files_after"]), (&json!(written), &json!(1)), "{outcome}");
    let folder_before = stack.folder(DAY).await;
    assert!(folder_before.starts_with(&format!("compacted/dt={DAY}/")), "{folder_before}");
    assert_eq!(stack.rows(DAY).await, before, "every value of every row");
    let part = &stack.files(DAY).await[0];
    let order: Vec<_> =
        lake::rows_of(part).iter().map(|row| (lake::text(row, "symbol").to_owned(), lake::number(row, "event_time_ns"))).collect();
    assert!(order.is_sorted(), "by symbol and time over all of the day");
    assert_eq!(stack.rows("2013-10-08").await, other_day);
    assert_eq!(stack.folder("2013-10-08").await, "quotes/dt=2013-10-08/");

    let again = compact(&function, DAY).await;
    assert_eq!((&again["state"], stack.folder(DAY).await), (&json!("compact"), folder_before));
    // A scheduled run looks at the last days, of which the lake has none.
    let scheduled = function.invoke(include_str!("../../../../events/compact-day-schedule.json").into()).await.unwrap();
    assert_eq!(success(&scheduled), json!({"days": []}));
    stack.close().await;
    assert_eq!(sound_audit(&data)["rows"], 300);
    assert_eq!(number(&data, "SELECT count(*) FROM quotes"), 300);

    // What lands in the day from now on is added by start-crawler, and compacted by a later run.
    replay(&data, &Recording::plain(40), folder.path());
    assert_eq!(number(&data, "SELECT count(*) FROM quotes"), 340);
    assert_eq!(sound_audit(&data)["rows"], 340);
    let stack = Stack::open(&data).await;
    let all = stack.rows(DAY).await;
    assert_eq!(all.len(), before.len() + 40);
    let settling = stack.function("settling", Settings { settle: "1h", ..Settings::default() });
    assert_eq!(compact(&settling, DAY).await["state"], "settling");
    let removing = stack.function("removing", Settings { remove_after: "0s", ..Settings::default() });
    let outcome = compact(&removing, DAY).await;
    assert_eq!((&outcome["state"], &outcome["files_after"]), (&json!("compacted"), &json!(1)), "{outcome}");
    assert!(outcome["removed"].as_u64().unwrap() > 0 && stack.originals(DAY).is_empty(), "{outcome}");
    assert_eq!(stack.rows(DAY).await, all);
    stack.close().await;
    assert_eq!(sound_audit(&data)["rows"], 340);
    let sql = format!("SELECT count(*) AS rows, count(DISTINCT \"$path\") AS files FROM quotes WHERE dt = '{DAY}'");
    assert_eq!(query(&data, &sql)[0].values().collect::<Vec<_>>(), ["1", &all.len().to_string()]);
}

/// The function is killed before and after each of its writes; then another process goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_anywhere_is_finished_by_the_next() {
    let (folder, data) = lake_of(&Recording::whole());
    for (n, after) in (0..6).flat_map(|n| [(n, false), (n, true)]) {
        let cell = format!("killed {} write {n}", if after { "after" } else { "before" });
        let copied = folder.path().join(format!("{n}-{after}"));
        copy(&data, &copied);
        let stack = Stack::open(&copied).await;
        let function = stack.function("compact-day", Settings::default());
        let all = stack.rows(DAY).await;
        let late_key = stack.originals(DAY)[0].clone();
        let late_bytes = stack.take(&late_key).await;
        let old = stack.rows(DAY).await;

        let armed = stack.fault(n, if after { Fault::After(Failure::Held) } else { Fault::Before(Failure::Held) });
        let running = {
            let function = function.clone();
            tokio::spawn(async move { function.invoke(stack::by_hand(DAY)).await })
        };
        let reached = tokio::select! {
            () = armed.reached() => true,
            ended = running => { assert!(ended.unwrap().unwrap().outcome.is_success(), "{cell}"); false }
        };
        assert_eq!(stack.rows(DAY).await, old, "{cell}: a query sees the same rows");
        // Here, in the middle of the run, a file lands.
        stack.put(&late_key, late_bytes).await;
        if reached {
            kill(&function);
        }
        drop(armed);
        let seen = stack.rows(DAY).await;
        assert!(seen == old || seen == all, "{cell}: a query sees the old rows, and perhaps the new");

        let outcome = compact(&function, DAY).await;
        assert_eq!(stack.rows(DAY).await, all, "{cell}: {outcome}");
        let outcome = compact(&function, DAY).await;
        assert_eq!(stack.rows(DAY).await, all, "{cell}: {outcome}");
        assert_eq!(stack.files(DAY).await.len(), 1, "{cell}: {outcome}");
        stack.close().await;
        assert!(reached || n > 3, "{cell}: it has no such write");
        if n == 2 {
            assert_eq!(sound_audit(&copied)["rows"], 300, "{cell}");
        }
    }
}

/// Two at once, again and again, while files land; and somebody who reads all the time.
#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_come_to_one_end() {
    let (_folder, data) = lake_of(&Recording::whole());
    let stack = Arc::new(Stack::open(&data).await);
    let functions = ["one", "other"].map(|name| stack.function(name, Settings { settle: "1s", ..Settings::default() }));
    let all = stack.rows(DAY).await;
    let originals = stack.originals(DAY);
    let mut later = Vec::new();
    for key in originals.iter().skip(2) {
        later.push((key.clone(), stack.take(key).await));
    }
    let first = stack.rows(DAY).await;
    assert!(!later.is_empty() && !first.is_empty());

    let (reader, done) = (Arc::clone(&stack), Arc::new(tokio::sync::Notify::new()));
    let stop = Arc::clone(&done);
    let reading = tokio::spawn(async move {
        let mut reads = 0;
        let stopped = stop.notified();
        tokio::pin!(stopped);
        loop {
            let seen = reader.rows(DAY).await;
            assert!(first.iter().all(|row| seen.contains(row)), "what was there from the first is always there");
            assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "and no row twice");
            reads += 1;
            tokio::select! { () = &mut stopped => return reads, () = tokio::task::yield_now() => {} }
        }
    });
    for (key, bytes) in later {
        let (one, other) = tokio::join!(functions[0].invoke(stack::by_hand(DAY)), async {
            stack.put(&key, bytes).await;
            functions[1].invoke(stack::by_hand(DAY)).await
        });
        let outcomes = [one, other].map(|invocation| invocation.unwrap().outcome);
        assert!(outcomes.iter().any(|outcome| outcome.is_success()), "{outcomes:?}");
    }
    done.notify_one();
    assert!(reading.await.unwrap() > 0);
    let outcome = compact(&functions[0], DAY).await;
    assert_eq!(stack.rows(DAY).await, all, "{outcome}");
    drop(functions);
    Arc::into_inner(stack).unwrap().close().await;
    sound_audit(&data);
}

/// What cannot be right is named, and readers go on with what they have.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_not_whole_stays_as_it_is() {
    let (_folder, data) = lake_of(&Recording::whole());
    let stack = Stack::open(&data).await;
    let function = stack.function("compact-day", Settings { timeout: Duration::from_secs(60), ..Settings::default() });
    let before = stack.rows(DAY).await;
    let key = stack.originals(DAY)[0].clone();
    let (log, _) = key.rsplit_once('-').unwrap();

    let twice = format!("{log}-{:020}.parquet", 1_000_000);
    stack.s3.copy_object().bucket(BUCKET).key(&twice).copy_source(format!("{BUCKET}/{key}")).send().await.unwrap();
    let (kind, told) = refusal(&function, DAY).await;
    assert!(kind == "NonRetryable" && told.contains("is there twice: `tickerlake audit` names the files"), "{kind}: {told}");
    let good = stack.take(&twice).await;

    let damaged = format!("{log}-{:020}.parquet", 2_000_000);
    stack.put(&damaged, good[..good.len() - 100].to_vec()).await;
    let (kind, told) = refusal(&function, DAY).await;
    assert!(kind == "NonRetryable" && told.contains(&format!("2013-10-07: {damaged} cannot be read: ")), "{kind}: {told}");
    stack.take(&damaged).await;

    let today = chrono::Utc::now().with_timezone(&chrono_tz::America::New_York).date_naive().to_string();
    let (kind, told) = refusal(&function, &today).await;
    assert!(kind == "NonRetryable" && told.contains("is not over in New York"), "{kind}: {told}");

    // S3 that never answers: the function stops by itself, and says so.
    let short = stack.function("short", Settings { timeout: Duration::from_secs(6), ..Settings::default() });
    let armed = stack.fault(0, Fault::Before(Failure::Held));
    let (kind, told) = refusal(&short, DAY).await;
    assert!(kind == "Retryable" && told.contains("stopped before the invocation's deadline"), "{kind}: {told}");
    drop(armed);

    assert_eq!((stack.folder(DAY).await, stack.rows(DAY).await), (format!("quotes/dt={DAY}/"), before.clone()), "nothing was switched");
    assert_eq!(compact(&function, DAY).await["state"], "compacted", "and it works once all is well");
    assert_eq!(stack.rows(DAY).await, before);
    stack.close().await;
    sound_audit(&data);
}

/// A compacted day with a file that nobody copied: what start-crawler or compact-day would do next was not done.
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_names_what_no_query_sees() {
    let (_folder, data) = lake_of(&Recording::whole());
    let stack = Stack::open(&data).await;
    let function = stack.function("compact-day", Settings::default());
    let all = stack.rows(DAY).await;
    let key = stack.originals(DAY)[0].clone();
    let bytes = stack.take(&key).await;
    compact(&function, DAY).await;
    stack.put(&key, bytes).await;
    stack.close().await;

    let (report, code) = audit(&data);
    assert_eq!((code, &report["sound"], &report["invisible"]), (Some(1), &json!(false), &json!([key])), "{report:#}");
    let ended = run(&["audit", "--data", data.to_str().unwrap()]);
    ended.refused(1, "not in the lake exactly once");
    assert!(ended.stdout.contains(&format!("{key} is read by no query")), "{ended:#?}");

    let stack = Stack::open(&data).await;
    let settling = stack.function("compact-day", Settings { settle: "1h", ..Settings::default() });
    assert_eq!(compact(&settling, DAY).await["state"], "settling", "it may not be compacted yet, but it is seen");
    assert_eq!(stack.rows(DAY).await, all);
    stack.close().await;
    assert_eq!(sound_audit(&data)["invisible"], json!([]));
}

/// Days with nothing to gain, and one of files without rows: poison alone came in.
#[tokio::test(flavor = "multi_thread")]
async fn days_of_few_files_or_no_rows() {
    let (_folder, data) = lake_of(&Recording::plain(20));
    let stack = Stack::open(&data).await;
    let function = stack.function("compact-day", Settings::default());
    assert_eq!(compact(&function, "2013-10-06").await, json!(null), "no such day");

    let all = stack.rows(DAY).await;
    let originals = stack.originals(DAY);
    for key in &originals[1..] {
        stack.take(key).await;
    }
    let one = compact(&function, DAY).await;
    assert_eq!((&one["state"], &one["files_after"], stack.folder(DAY).await), (&json!("compact"), &json!(1), format!("quotes/dt={DAY}/")));
    assert!(stack.rows(DAY).await.len() <= all.len());

    let without_rows = without_rows(&stack.files(DAY).await[0]);
    stack.take(&originals[0]).await;
    for n in 0..3 {
        stack.put(&format!("quotes/dt={DAY}/c-unknown-quotes-00000-{n:020}.parquet"), without_rows.clone()).await;
    }
    let outcome = compact(&function, DAY).await;
    assert_eq!((&outcome["state"], &outcome["rows"], &outcome["files_after"]), (&json!("compacted"), &json!(0), &json!(0)), "{outcome}");
    assert_eq!(sorted(stack.rows(DAY).await), []);
    stack.close().await;
    assert_eq!(number(&data, "SELECT count(*) FROM quotes"), 0, "a folder without files is a day without rows");
}

/// A file of the same columns with none of the rows.
fn without_rows(file: &Path) -> Vec<u8> {
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(file).unwrap()).unwrap();
    let writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), reader.schema().clone(), None).unwrap();
    writer.into_inner().unwrap()
}
