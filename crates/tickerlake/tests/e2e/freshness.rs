//! What tells how the pipeline fares: the check that follows each crawl, and `tickerlake status`.

use std::fs;
use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::Value;

use crate::aws_clients::config;
use crate::harness::{LIMIT, Tickerlake, eventually, number, query, run};
use crate::lake::BUCKET;

/// More symbols than a page of Athena's results has rows.
const SYMBOLS: u64 = 1_050;

/// Records that are no quotes.
const POISON: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_crawls_end_is_checked_and_the_status_tells_every_stage() {
    let folder = tempfile::tempdir().unwrap();
    let data = &folder.path().join("data");
    let mut local = start(folder.path(), data);
    let endpoints = local.endpoints();
    // One fetch: nothing changes any more once all of it is stored.
    local.wait_for_counts("all quotes in the lake", |counts| (counts.rows, counts.lag) == (SYMBOLS, 0));
    poison(&endpoints.kafka).await;
    local.wait_for_counts("the poison in quarantine", |counts| counts.quarantined == POISON as u64);

    let aws = config(&endpoints.aws).await;
    let glue = aws_sdk_glue::Client::new(&aws);
    let checked = checks(data).len();
    crawl(&glue).await;
    let check = eventually("a check after the crawl", || checks(data).get(checked).cloned());
    assert_check(data, &check);
    assert_running_status(data);
    assert_deployed_status(&endpoints.aws);

    // A file that is no Parquet: the crawl fails on it, and so does the question.
    let day = day_of(&check);
    let key = format!("quotes/dt={day}/c-unknown-quotes-00009-00000000000000000000.parquet");
    let s3 = aws_sdk_s3::Client::new(&aws);
    s3.put_object().bucket(BUCKET).key(&key).body(ByteStream::from_static(b"no Parquet")).send().await.unwrap();
    crawl(&glue).await;
    let log = || fs::read_to_string(data.join("logs/check-freshness.log")).unwrap();
    let failed = eventually("a check that failed", || log().lines().find(|line| line.contains(" Status: error ")).map(str::to_owned));
    assert!(failed.contains(" Error: query ") && failed.contains(" failed: "), "with Athena's reason: {failed}");
    let crawls_failed = metrics(data).iter().filter(|line| line["CrawlsFailed"] == 1).count();
    assert_eq!(crawls_failed, 1, "told even though the question failed");
    s3.delete_object().bucket(BUCKET).key(&key).send().await.unwrap();

    local.interrupt();
    local.finish().succeeded();
    assert_status_at_rest(data);
}

#[test]
fn a_folder_without_a_lake_has_no_status() {
    let folder = tempfile::tempdir().unwrap();
    run(&["status", "--data", folder.path().to_str().unwrap()]).refused(1, "there is no lake in");
    run(&["status", "--data", "x", "--stack", "y"]).refused(2, "--stack");
}

/// A pipeline that fetches once, what was recorded just now, in a market that never closes.
fn start(folder: &Path, data: &Path) -> Tickerlake {
    let (file, now) = (folder.join("now.csv"), Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true));
    let lines: String = (0..SYMBOLS).map(|n| format!("T{n},{now},{now},187.5\n")).collect();
    fs::write(&file, format!("symbol,event_time,fetched_at,price\n{lines}")).unwrap();
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    let flags = ["local", "--port", "0", "--kafka-port", "0", "--data", data, "--every", "1h", "--source", "replay", "--replay-file", file];
    let variables = [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("MARKET_HOURS", "always")];
    Tickerlake::start_with(&flags, &variables.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

async fn poison(servers: &str) {
    let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", servers).create().unwrap();
    for _ in 0..POISON {
        let record = FutureRecord::<[u8], [u8]>::to("quotes").payload(b"not JSON".as_slice());
        producer.send(record, LIMIT).await.map_err(|(error, _)| error).unwrap();
    }
}

/// Crawls once more, after the crawl that is under way, if there is one.
async fn crawl(glue: &aws_sdk_glue::Client) {
    loop {
        match glue.start_crawler().name("tickerlake-quotes").send().await {
            Ok(_) => return,
            Err(error) => assert!(error.as_service_error().is_some_and(|error| error.is_crawler_running_exception()), "{error:?}"),
        }
        tokio::task::yield_now().await;
    }
}

/// The metrics that check-freshness has printed, in their order.
fn metrics(data: &Path) -> Vec<Value> {
    let log = fs::read_to_string(data.join("logs/check-freshness.log")).unwrap_or_default();
    log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(|line| line.get("_aws").is_some()).collect()
}

/// Those of them that a check has found.
fn checks(data: &Path) -> Vec<Value> {
    metrics(data).into_iter().filter(|line| line.get("Rows").is_some()).collect()
}

/// The New York date of a check.
fn day_of(check: &Value) -> String {
    let at = DateTime::from_timestamp_millis(check["_aws"]["Timestamp"].as_i64().unwrap()).unwrap();
    at.with_timezone(&chrono_tz::America::New_York).date_naive().to_string()
}

/// Compares a check's metrics with what the lake holds.
fn assert_check(data: &Path, check: &Value) {
    let day = day_of(check);
    let count = |metric: &str| check[metric].as_u64().unwrap_or_else(|| panic!("{metric}: {check}"));
    assert_eq!(count("Rows"), number(data, &format!("SELECT count(*) FROM quotes WHERE dt = '{day}'")));
    assert_eq!(count("Symbols"), number(data, &format!("SELECT count(DISTINCT symbol) FROM quotes WHERE dt = '{day}'")));
    assert_eq!((count("Symbols"), count("Judged"), count("SilentSymbols")), (SYMBOLS, 1, 0));
    assert_eq!(count("QuarantinedRecords"), POISON as u64);
    assert!(count("BytesScanned") > 0, "{check}");

    let newest = &query(data, "SELECT max(fetched_at) AS newest FROM quotes")[0]["newest"];
    let newest = NaiveDateTime::parse_from_str(newest, "%Y-%m-%d %H:%M:%S%.f").unwrap().and_utc();
    let age = check["_aws"]["Timestamp"].as_i64().unwrap() - newest.timestamp_millis();
    assert_eq!((check["FreshnessSeconds"].as_f64().unwrap() * 1000.0).round() as i64, age, "{check}");
}

fn status(data: &Path) -> Value {
    let printed = run(&["status", "--data", data.to_str().unwrap(), "--format", "json"]).succeeded();
    serde_json::from_str(&printed).unwrap()
}

fn assert_running_status(data: &Path) {
    let status = status(data);
    assert_eq!(status["running"], true);
    assert_eq!((&status["fetch"]["produced"], &status["fetch"]["error"]), (&SYMBOLS.into(), &Value::Null), "{status:#}");
    let partitions = status["kafka"].as_array().unwrap_or_else(|| panic!("{status:#}"));
    let sum = |field: &str| partitions.iter().map(|partition| partition[field].as_u64().unwrap()).sum::<u64>();
    assert_eq!((partitions.len(), sum("lag"), sum("end")), (3, 0, SYMBOLS + POISON as u64));
    assert_eq!((&status["crawler"]["state"], &status["crawler"]["newest"]["state"]), (&"READY".into(), &"COMPLETED".into()));
    assert_eq!((&status["freshness"]["symbols"], &status["quarantine"]["records"]), (&SYMBOLS.into(), &POISON.into()));
    let by_symbol = status["freshness"]["by_symbol"].as_array().unwrap();
    assert!(by_symbol.len() == 20 && by_symbol.iter().map(|symbol| symbol["newest"].as_str().unwrap()).is_sorted(), "{status:#}");
    let reasons = status["quarantine"]["by_reason"].as_object().unwrap();
    assert!(reasons.len() == 1 && reasons.values().all(|count| *count == POISON), "{reasons:?}");
    let dead: Vec<_> = status["dead_letters"].as_array().unwrap().iter().map(|queue| &queue["messages"]).collect();
    assert!(dead.len() >= 2 && dead.iter().all(|messages| **messages == 0), "{status:#}");
}

/// The same stack, asked as a deployed one is: by its name, through AWS's clients. What only CloudWatch knows stays unknown.
fn assert_deployed_status(endpoint: &str) {
    let credentials = [("AWS_ACCESS_KEY_ID", "local"), ("AWS_SECRET_ACCESS_KEY", "local"), ("AWS_REGION", "us-east-1")];
    let variables = [("AWS_ENDPOINT_URL", endpoint)].into_iter().chain(credentials);
    let variables: Vec<_> = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let printed = Tickerlake::start_with(&["status", "--stack", "tickerlake", "--format", "json"], &variables).finish().succeeded();
    let status: Value = serde_json::from_str(&printed).unwrap();
    for unknown in ["running", "fetch", "kafka"] {
        assert!(status[unknown]["unknown"].is_string(), "{unknown}: {status:#}");
    }
    assert_eq!((&status["freshness"]["symbols"], &status["quarantine"]["records"]), (&SYMBOLS.into(), &POISON.into()));
    assert_eq!((&status["crawler"]["name"], &status["crawler"]["state"]), (&"tickerlake-quotes".into(), &"READY".into()));
    assert!(status["newest_file"]["key"].as_str().is_some_and(|key| key.starts_with("quotes/dt=")), "{status:#}");
    let dead: Vec<_> = status["dead_letters"].as_array().unwrap_or_else(|| panic!("{status:#}")).iter().collect();
    assert!(dead.len() >= 2 && dead.iter().all(|queue| queue["messages"] == 0), "as SQS counts: {dead:?}");
}

fn assert_status_at_rest(data: &Path) {
    let status = status(data);
    assert_eq!(status["running"], false);
    assert_eq!(status["crawler"]["newest"]["state"], "FAILED", "{status:#}");
    let lags: Vec<_> = status["kafka"].as_array().unwrap().iter().map(|partition| &partition["lag"]).collect();
    assert_eq!(lags, [0, 0, 0], "by the broker's own log");
    let key = status["newest_file"]["key"].as_str().unwrap();
    assert!(data.join("s3").join(BUCKET).join(key).is_file(), "{key}");

    let text = run(&["status", "--data", data.to_str().unwrap()]).succeeded();
    for told in ["not running", &format!("{SYMBOLS} fetched"), "lag 0 in 3 partition(s)", "the newest FAILED", "2 record(s): ", "none in "]
    {
        assert!(text.contains(told), "{told:?}: {text}");
    }
}
