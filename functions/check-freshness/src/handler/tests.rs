//! Invocations against a scripted Athena and S3.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Handler;
use crate::athena::Athena;
use crate::aws_stub::{Answer, AwsStub, error, ok};
use crate::config::Config;
use crate::error::Error;
use crate::quarantine::Quarantine;
use crate::summary::Summary;
use crate::trigger::Trigger;
use crate::verdict::Unjudged;

const SCHEDULE: &str = include_str!("../../../../events/check-freshness-schedule.json");
const FAILED_CRAWL: &str = include_str!("../../../../events/check-freshness-crawler-failed.json");

/// When Athena says that it took the query: 2026-11-23T14:45:00Z, a Monday, a quarter of an hour after the open.
const SUBMITTED: f64 = 1_795_445_100.0;

/// Longer than any of these tests takes.
const AMPLE: Duration = Duration::from_secs(60);

fn started() -> (&'static str, Vec<Answer>) {
    ("StartQueryExecution", vec![ok(json!({"QueryExecutionId": "q-1"}))])
}

/// The query's states, one look after another.
fn states(states: &[&str]) -> (&'static str, Vec<Answer>) {
    ("GetQueryExecution", states.iter().map(|state| execution(json!({"State": state, "SubmissionDateTime": SUBMITTED}))).collect())
}

fn execution(status: Value) -> Answer {
    ok(json!({"QueryExecution": {"QueryExecutionId": "q-1", "Status": status, "Statistics": {"DataScannedInBytes": 4096}}}))
}

/// A page of rows; null cells are left out, as Athena does.
fn page(rows: &[Vec<Option<String>>], next: Option<&str>) -> Answer {
    let cell = |cell: &Option<String>| cell.as_ref().map_or(json!({}), |text| json!({"VarCharValue": text}));
    let rows: Vec<_> = rows.iter().map(|row| json!({"Data": row.iter().map(cell).collect::<Vec<_>>()})).collect();
    let mut page = json!({"ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": []}}});
    if let Some(next) = next {
        page["NextToken"] = json!(next);
    }
    ok(page)
}

fn row(cells: [&str; 4]) -> Vec<Option<String>> {
    cells.map(|cell| (!cell.is_empty()).then(|| cell.to_owned())).to_vec()
}

fn header() -> Vec<Option<String>> {
    row(["symbol", "quotes", "newest", "delay"])
}

fn rows(pages: Vec<Answer>) -> (&'static str, Vec<Answer>) {
    ("GetQueryResults", pages)
}

/// A list of objects, as S3 writes it.
fn listed(keys: &[&str]) -> (&'static str, Vec<Answer>) {
    let contents: String = keys.iter().map(|key| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>")).collect();
    ("ListObjectsV2", vec![(200, format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"))])
}

fn handler(aws: &AwsStub) -> Handler {
    let setting = |name: &str| {
        let value = match name {
            "SYMBOLS" => "AAPL,SPY",
            "MARKET_HOURS" => "regular",
            "SILENT_AFTER_MINUTES" => "15",
            "GLUE_TABLE" => "quotes",
            "GLUE_DATABASE" => "tickerlake",
            "ATHENA_WORKGROUP" => "workgroup",
            _ => "check",
        };
        Some(value.to_owned())
    };
    let config = Config::from_env(setting).unwrap();
    let athena = Athena::new(aws.athena(), config.workgroup.clone(), config.database.clone());
    Handler { athena, quarantine: Quarantine::new(aws.s3(), "lake".to_owned()), config }
}

async fn check_event(aws: &AwsStub, event: &str, time: Duration) -> Result<Summary, Error> {
    let trigger = Trigger::of(&serde_json::from_str(event).unwrap(), "request", chrono::DateTime::UNIX_EPOCH);
    handler(aws).check(&trigger, Instant::now() + time).await
}

/// One check against this script.
async fn check(script: Vec<(&'static str, Vec<Answer>)>) -> (AwsStub, Result<Summary, Error>) {
    let aws = AwsStub::start(script).await;
    let checked = check_event(&aws, SCHEDULE, AMPLE).await;
    (aws, checked)
}

#[tokio::test]
async fn a_check_asks_once_and_tells_what_it_found() {
    let found = vec![header(), row(["AAPL", "3", "2026-11-23 14:44:57.500", ""]), row(["OLD", "0", "2026-11-20 20:59:00.000", ""])];
    let (aws, checked) = check(vec![
        started(),
        // Athena may put a query that ran back into its queue.
        states(&["QUEUED", "RUNNING", "QUEUED", "SUCCEEDED"]),
        rows(vec![page(&found, None)]),
        listed(&["quarantine/dt=2026-11-23/a.json", "quarantine/dt=2026-11-23/b.json", "quarantine/dt=2026-11-23/b.replayed"]),
    ])
    .await;
    let summary = checked.unwrap();
    assert_eq!((summary.rows, summary.symbols, summary.quarantined, summary.bytes_scanned), (3, 1, 2, 4096));
    assert_eq!((summary.freshness_seconds, summary.unjudged), (Some(2.5), None));
    assert_eq!((summary.silent, summary.silent_symbols), (vec!["SPY".to_owned(), "OLD".to_owned()], Some(2)));

    let asked = aws.asked("StartQueryExecution");
    assert_eq!((asked.len(), aws.asked("GetQueryExecution").len()), (1, 4));
    assert_eq!((&asked[0]["WorkGroup"], &asked[0]["QueryExecutionContext"]["Database"]), (&json!("workgroup"), &json!("tickerlake")));
    assert_eq!(aws.asked("StopQueryExecution").len(), 0);
    let prefix = aws.asked("ListObjectsV2")[0].as_str().unwrap().to_owned();
    assert!(prefix.contains("prefix=quarantine%2Fdt%3D2026-11-23%2F"), "{prefix}");
}

#[tokio::test]
async fn a_second_delivery_asks_the_same_question() {
    let script = || vec![started(), states(&["SUCCEEDED"]), rows(vec![page(&[header()], None)]), listed(&[])];
    let (first, second) = (AwsStub::start(script()).await, AwsStub::start(script()).await);
    check_event(&first, SCHEDULE, AMPLE).await.unwrap();
    check_event(&second, &SCHEDULE.replace("5b6f7c1e", "00000000"), AMPLE).await.unwrap();
    check_event(&second, FAILED_CRAWL, AMPLE).await.unwrap();
    let tokens = [&first, &second].map(|aws| aws.asked("StartQueryExecution"));
    assert_eq!(tokens[0][0], tokens[1][0], "the same token for the same SQL");
    assert_ne!(tokens[1][0]["ClientRequestToken"], tokens[1][1]["ClientRequestToken"]);
}

#[tokio::test]
async fn every_page_is_read_and_only_the_first_has_a_header() {
    let symbols: Vec<_> = (0..2_300).map(|n| row([&format!("S{n}"), "1", "2026-11-23 14:44:00.000", ""])).collect();
    let pages = vec![
        page(&[vec![header()], symbols[..999].to_vec()].concat(), Some("second")),
        page(&symbols[999..1_999], Some("third")),
        page(&symbols[1_999..], None),
    ];
    let (aws, checked) = check(vec![started(), states(&["SUCCEEDED"]), rows(pages), listed(&[])]).await;
    let summary = checked.unwrap();
    assert_eq!((summary.rows, summary.symbols), (2_300, 2_300));
    let asked = aws.asked("GetQueryResults");
    let tokens: Vec<_> = asked.iter().map(|body| body["NextToken"].as_str()).collect();
    assert_eq!(tokens, [None, Some("second"), Some("third")]);
    assert!(asked.iter().all(|body| body["MaxResults"] == 1000), "{asked:?}");
}

#[tokio::test]
async fn an_empty_lake_has_no_freshness_and_every_wanted_symbol_is_silent() {
    let (_, checked) = check(vec![started(), states(&["SUCCEEDED"]), rows(vec![page(&[header()], None)]), listed(&[])]).await;
    let summary = checked.unwrap();
    assert_eq!((summary.freshness_seconds, summary.newest_fetched_at, summary.rows, summary.quarantined), (None, None, 0, 0));
    assert_eq!(summary.silent, ["AAPL", "SPY"]);
    assert_eq!(summary.judged_seconds, Some(294_300.0), "at least since the start of Friday in New York");
}

#[tokio::test]
async fn a_closed_market_is_asked_and_not_judged() {
    let sunday = json!({"State": "SUCCEEDED", "SubmissionDateTime": SUBMITTED - 86_400.0});
    let found = page(&[header(), row(["AAPL", "0", "2026-11-20 20:59:00.000", ""])], None);
    let (_, checked) = check(vec![started(), ("GetQueryExecution", vec![execution(sunday)]), rows(vec![found]), listed(&[])]).await;
    let summary = checked.unwrap();
    assert_eq!((summary.judged, summary.unjudged, summary.silent_symbols), (false, Some(Unjudged::MarketClosed), None));
    assert!(summary.freshness_seconds.is_some(), "told, though not judged");
}

#[tokio::test]
async fn athenas_reasons_are_told() {
    let ended = |status: Value| vec![started(), ("GetQueryExecution", vec![execution(status)]), listed(&[])];
    let failed = |retryable: bool| {
        ended(json!({
            "State": "FAILED", "StateChangeReason": "HIVE_CURSOR_ERROR: Failed to read Parquet file",
            "AthenaError": {"ErrorCategory": 1, "ErrorType": 1, "Retryable": retryable},
        }))
    };
    for retryable in [true, false] {
        let (_, checked) = check(failed(retryable)).await;
        let error = checked.unwrap_err();
        assert!(matches!(&error, Error::Failed { query, .. } if query == "q-1"), "{error:?}");
        assert_eq!((error.is_retryable(), error.chain().contains("HIVE_CURSOR_ERROR: Failed to read Parquet file")), (retryable, true));
    }
    let (_, checked) = check(ended(json!({"State": "CANCELLED", "StateChangeReason": "Bytes scanned limit was exceeded"}))).await;
    let error = checked.unwrap_err();
    assert!(matches!(&error, Error::Cancelled { .. }), "{error:?}");
    assert_eq!(error.to_string(), "query q-1 was cancelled: Bytes scanned limit was exceeded");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_refused_start_is_told_with_whether_patience_helps() {
    for (answer, retryable) in [
        (error(400, "TooManyRequestsException"), true),
        (error(400, "ThrottlingException"), true),
        (error(500, "InternalServerException"), true),
        (error(400, "InvalidRequestException"), false),
        (error(400, "AccessDeniedException"), false),
    ] {
        let (_, checked) = check(vec![("StartQueryExecution", vec![answer]), listed(&[])]).await;
        let error = checked.unwrap_err();
        assert_eq!(error.is_retryable(), retryable, "{error:?}");
        assert!(error.chain().starts_with("StartQueryExecution of workgroup workgroup failed: "), "{}", error.chain());
    }
}

#[tokio::test]
async fn a_throttled_look_is_not_the_end_of_the_query() {
    let looks = vec![
        error(400, "ThrottlingException"),
        error(503, "ServiceUnavailable"),
        execution(json!({"State": "SUCCEEDED", "SubmissionDateTime": SUBMITTED})),
    ];
    let (aws, checked) = check(vec![started(), ("GetQueryExecution", looks), rows(vec![page(&[header()], None)]), listed(&[])]).await;
    checked.unwrap();
    assert_eq!(aws.asked("StopQueryExecution").len(), 0);
}

#[tokio::test]
async fn a_query_that_nobody_can_wait_for_is_stopped() {
    let stoppable = |stop: Answer| vec![started(), states(&["RUNNING"]), listed(&[]), ("StopQueryExecution", vec![stop])];
    for (stop, stopped) in [(ok(json!({})), true), (error(400, "AccessDeniedException"), false)] {
        let aws = AwsStub::start(stoppable(stop)).await;
        let error = check_event(&aws, SCHEDULE, Duration::from_millis(120)).await.unwrap_err();
        assert!(matches!(&error, Error::TimedOut { state, stopped: s, .. } if state == "RUNNING" && *s == stopped), "{error:?}");
        assert_eq!(aws.asked("StopQueryExecution"), [json!({"QueryExecutionId": "q-1"})]);
    }
    let denied = vec![started(), ("GetQueryExecution", vec![error(400, "AccessDeniedException")]), listed(&[])];
    let (aws, checked) = check(denied).await;
    assert!(checked.unwrap_err().chain().starts_with("GetQueryExecution of q-1 failed: "));
    assert_eq!(aws.asked("StopQueryExecution").len(), 1);
}

#[tokio::test]
async fn what_cannot_be_counted_or_read_is_an_error_and_not_a_zero() {
    let query = || [started(), states(&["SUCCEEDED"])];
    let denied = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>".to_owned();
    let [first, second] = query();
    let (_, checked) = check(vec![first, second, rows(vec![page(&[header()], None)]), ("ListObjectsV2", vec![(403, denied)])]).await;
    let error = checked.unwrap_err();
    assert!(error.chain().starts_with("ListObjectsV2 of s3://lake/quarantine/dt=2026-11-23/ failed: "), "{}", error.chain());
    assert!(!error.is_retryable());

    let [first, second] = query();
    let nonsense = page(&[header(), row(["AAPL", "three", "2026-11-23 14:44:57.500", ""])], None);
    let (_, checked) = check(vec![first, second, rows(vec![nonsense]), listed(&[])]).await;
    let error = checked.unwrap_err();
    assert!(error.to_string().contains("query q-1 cannot be read: AAPL's quotes is \"three\""), "{error}");
}
