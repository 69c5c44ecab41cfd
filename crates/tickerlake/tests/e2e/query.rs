//! `tickerlake query` as a person meets it: what it prints, what it refuses, and how it is interrupted.

use aws_sdk_athena::types::QueryExecutionState;
use rustix::process::Signal;

use crate::aws_clients::config;
use crate::harness::{Tickerlake, run};

/// More combinations than there is time for, over the quotes of a moment.
const ENDLESS: &str = "SELECT count(*) FROM quotes a, quotes b, quotes c, quotes d, quotes e, quotes f, quotes g, quotes h \
                       WHERE a.price + b.price + c.price + d.price + e.price + f.price + g.price + h.price < 0";

#[test]
fn named_queries_of_a_live_lake() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let local = ["local", "--port", "0", "--kafka-port", "0", "--data", data, "--symbols", "AAPL,BRK.B", "--every", "200ms", "--for", "2s"];
    run(&local).succeeded();
    let query = |flags: &[&str]| run(&[&["query", "--data", data], flags].concat());

    let listed = query(&["--list"]).succeeded();
    let names: Vec<&str> = listed.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.is_sorted() && names.contains(&"latest-quotes") && names.contains(&"bars"), "{listed}");
    for name in &names {
        // As they stand: the last days by the clock hold what was fetched just now.
        query(&["--name", name]).succeeded();
    }
    let latest = query(&["--name", "latest-quotes"]).succeeded();
    let symbols: Vec<&str> = latest.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(symbols, ["AAPL", "BRK.B"], "{latest}");
    let none = query(&["--name", "latest-quotes", "--day", "2013-10-07..2013-10-11"]).succeeded();
    assert_eq!(none.lines().count(), 1, "{none}");

    query(&["--name", "latest-quotes", "--day", "Monday"]).refused(2, "2026-11-20");
    query(&["--name", "bars", "--as-of", "2013-10-07T15:00:00Z"]).refused(2, "bars asks for no moment");
    query(&["--day", "2013-10-07", "SELECT 1"]).refused(2, "--day");
    query(&["--day", "2013-10-07"]).refused(2, "SQL");
    query(&["--name", "nothing"]).refused(2, "bars, ");
}

#[test]
fn null_is_told_from_an_empty_text() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    run(&["local", "--port", "0", "--kafka-port", "0", "--data", data, "--symbols", "AAPL", "--every", "100ms", "--for", "500ms"])
        .succeeded();
    let query = |format: &str| {
        let sql = "SELECT CAST(NULL AS varchar) AS nothing, '' AS empty, CAST('-0.000001' AS decimal(18, 6)) AS price";
        run(&["query", "--data", data, "--format", format, sql]).succeeded()
    };
    assert_eq!(query("table"), "  nothing  empty      price\n  NULL            -0.000001\n");
    assert_eq!(query("csv"), "nothing,empty,price\n,\"\",-0.000001\n");
    assert_eq!(query("json"), "{\"nothing\":null,\"empty\":\"\",\"price\":\"-0.000001\"}\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_cancels_the_query_on_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut local = Tickerlake::local(folder.path(), &["--every", "100ms"]);
    let athena = aws_sdk_athena::Client::new(&config(&local.endpoints().aws).await);
    local.wait_for_counts("quotes to ask for", |counts| counts.rows > 100);
    let states = async || {
        let listed = athena.list_query_executions().work_group("tickerlake").send().await.unwrap();
        let ids = listed.query_execution_ids.unwrap_or_default();
        let found = athena.batch_get_query_execution().set_query_execution_ids(Some(ids)).send().await.unwrap();
        let endless = found.query_executions.unwrap_or_default().into_iter().find(|execution| execution.query() == Some(ENDLESS));
        endless.and_then(|execution| execution.status?.state)
    };
    let query = Tickerlake::start(&["query", "--data", folder.path().to_str().unwrap(), ENDLESS]);
    while states().await != Some(QueryExecutionState::Running) {
        tokio::task::yield_now().await;
    }
    query.signal(Signal::INT);
    query.finish().refused(130, "cancelled");
    assert_eq!(states().await, Some(QueryExecutionState::Cancelled));
    local.interrupt();
    local.finish().succeeded();
}
