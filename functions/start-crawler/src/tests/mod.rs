//! The handler against scripted services: each test names the calls that must be made, in order.

#![allow(clippy::unwrap_used)]

mod compacted;
mod crawls;
mod dead_letters;
mod registration;

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::config::Config;
use crate::handler::Handler;
use crate::stub::{Answer, Stub};

const ONE: &str = include_str!("../../../../events/start-crawler-object-created.json");
const SEVERAL: &str = include_str!("../../../../events/start-crawler-several.json");
const FIRST: &str = "059f36b4-87a3-44ab-83d2-661975970001";
const BUCKET: &str = "tickerlake-lake-123456789012-us-east-1";
const LOCATION: &str = "s3://tickerlake-lake-123456789012-us-east-1/quotes/dt=2026-11-23/";
/// When the object of `ONE` landed.
const LANDED: &str = "2026-11-23T14:31:05.412Z";
/// What the queue of the tests allows.
const MAX_RECEIVE_COUNT: u32 = 20;

type Script = Vec<(&'static str, Answer)>;

fn not_found() -> Answer {
    Answer::error(400, "EntityNotFoundException")
}

fn done() -> Answer {
    Answer::ok(json!({}))
}

fn sent() -> Answer {
    Answer::ok(json!({"MessageId": "1", "MD5OfMessageBody": "2", "MD5OfMessageAttributes": "3"}))
}

fn table() -> Answer {
    Answer::ok(json!({"Table": {"Name": "quotes", "StorageDescriptor": {
        "Columns": [{"Name": "symbol", "Type": "string"}],
        "Location": format!("s3://{BUCKET}/quotes/"),
        "InputFormat": "in", "OutputFormat": "out",
        "SerdeInfo": {"SerializationLibrary": "serde"},
    }}}))
}

fn partition(location: &str, parameters: Value) -> Answer {
    Answer::ok(json!({"Partition": {"Values": ["2026-11-23"], "StorageDescriptor": {"Location": location}, "Parameters": parameters}}))
}

/// Known, but not by this function's doing: no crawl is owed.
fn known() -> Answer {
    partition(LOCATION, json!({}))
}

/// Registered by this function for the object of `ONE`.
fn registered_here() -> Answer {
    partition(LOCATION, json!({"tickerlake.registered_for": LANDED}))
}

/// The calls that register a new day.
fn registering() -> Script {
    vec![("GetPartition", not_found()), ("GetTable", table()), ("CreatePartition", done())]
}

fn crawler(state: &str, last_crawl: Option<(&str, &str)>) -> Value {
    let mut crawler = json!({"Name": "crawler", "State": state});
    if let Some((status, began)) = last_crawl {
        let began: DateTime<Utc> = began.parse().unwrap();
        crawler["LastCrawl"] = json!({"Status": status, "StartTime": began.timestamp_millis() as f64 / 1000.0, "ErrorMessage": "why"});
    }
    crawler
}

/// The crawler is idle; its last crawl ended like this and began then.
fn ready(last_crawl: Option<(&str, &str)>) -> Answer {
    Answer::ok(json!({"Crawler": crawler("READY", last_crawl)}))
}

fn running_since(began: &str) -> Answer {
    let began: DateTime<Utc> = began.parse().unwrap();
    let mut crawler = crawler("RUNNING", Some(("FAILED", "2026-11-20T14:30:00Z")));
    crawler["CrawlElapsedTime"] = json!((now() - began).num_milliseconds());
    Answer::ok(json!({"Crawler": crawler}))
}

/// When the tests take place.
fn now() -> DateTime<Utc> {
    "2026-11-23T14:33:00Z".parse().unwrap()
}

fn handler(stub: &Stub) -> Handler {
    handler_that_tries(stub, 1)
}

/// A handler whose clients try each call this often.
fn handler_that_tries(stub: &Stub, tries: u32) -> Handler {
    let config = Config {
        database: "tickerlake".into(),
        table: "quotes".into(),
        crawler: "crawler".into(),
        dead_letter_queue_url: "https://sqs.us-east-1.amazonaws.com/123456789012/dead".into(),
        max_receive_count: MAX_RECEIVE_COUNT,
    };
    Handler::new(stub.clients(tries), config, Arc::new(now))
}

/// The messages that come back.
async fn failures(handler: &Handler, event: &str) -> Vec<String> {
    let event: SqsEvent = serde_json::from_str(event).unwrap();
    let response = handler.handle(event, Duration::from_secs(30)).await.unwrap();
    response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

/// `ONE`, received for this time.
fn received(times: u32) -> String {
    let mut event: Value = serde_json::from_str(ONE).unwrap();
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = json!(times.to_string());
    event.to_string()
}

/// The one message of `ONE` against these answers, each of which must be asked for, in order.
async fn one_message(script: Script) -> Vec<String> {
    received_message(1, script).await
}

/// As [`one_message`], received for this time.
async fn received_message(times: u32, script: Script) -> Vec<String> {
    let stub = Stub::start(script).await;
    let failed = failures(&handler(&stub), &received(times)).await;
    stub.assert_all_asked();
    failed
}

/// The reason with which the message of `ONE` goes to the dead letters when it is received for this time.
async fn reason(times: u32, mut script: Script) -> String {
    script.push(("SendMessage", sent()));
    let stub = Stub::start(script).await;
    assert!(failures(&handler(&stub), &received(times)).await.is_empty());
    stub.assert_all_asked();
    let asked = stub.asked("SendMessage");
    let event: Value = serde_json::from_str(ONE).unwrap();
    assert_eq!(asked["MessageBody"], event["Records"][0]["body"], "as it came");
    assert_eq!(asked["MessageAttributes"]["reason"]["DataType"], "String");
    asked["MessageAttributes"]["reason"]["StringValue"].as_str().unwrap().to_owned()
}
