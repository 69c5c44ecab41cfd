//! The story of one invocation.

use std::collections::{BTreeMap, BTreeSet};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use chrono::{DateTime, Utc};

use crate::catalog::Catalog;
use crate::crawl::Crawls;
use crate::error::Error;
use crate::event;
use crate::partition::Partition;

/// What the function keeps from one invocation to the next.
#[derive(Debug)]
pub(crate) struct Handler {
    /// The table's partitions.
    pub(crate) catalog: Catalog,
    /// The table's crawler.
    pub(crate) crawls: Crawls,
}

/// A message that told of an object, and when the object landed.
#[derive(Debug)]
struct Notice {
    message: String,
    landed_at: DateTime<Utc>,
}

/// SQS gives every message an id; without one the batch cannot be answered message by message.
#[derive(Debug, thiserror::Error)]
#[error("a message of the batch has no id")]
pub(crate) struct NoMessageId;

impl Handler {
    /// Works off a batch and answers which messages must come back.
    pub(crate) async fn handle(&self, batch: SqsEvent) -> Result<SqsBatchResponse, NoMessageId> {
        let mut failed = BTreeSet::new();
        let notices = sort_by_partition(batch, &mut failed)?;

        // Each partition is looked up once, however many of the messages tell of it.
        let mut owed = Vec::new();
        for (partition, notices) in notices {
            let newest = notices.iter().map(|notice| notice.landed_at).max().unwrap_or_default();
            match self.catalog.ensure(&partition, newest).await {
                Ok(None) => {}
                Ok(Some(since)) => owed.extend(notices.into_iter().filter(|n| n.landed_at <= since).map(|n| (n.message, since))),
                Err(error) => {
                    for notice in notices {
                        fail(&mut failed, notice.message, &error);
                    }
                }
            }
        }

        if let Some(since) = owed.iter().map(|(_, since)| *since).max() {
            match self.crawls.ensure_since(since).await {
                Ok(began) => {
                    let busy = Error::CrawlerBusy { crawler: self.crawls.crawler.clone(), began };
                    for (message, _) in owed.into_iter().filter(|(_, since)| *since > began) {
                        fail(&mut failed, message, &busy);
                    }
                }
                Err(error) => {
                    for (message, _) in owed {
                        fail(&mut failed, message, &error);
                    }
                }
            }
        }

        let mut response = SqsBatchResponse::default();
        response.set_failures(failed);
        Ok(response)
    }
}

/// What the batch tells of each partition. Messages that cannot be read are marked as failed.
fn sort_by_partition(batch: SqsEvent, failed: &mut BTreeSet<String>) -> Result<BTreeMap<Partition, Vec<Notice>>, NoMessageId> {
    let mut notices: BTreeMap<Partition, Vec<Notice>> = BTreeMap::new();
    for message in batch.records {
        let id = message.message_id.ok_or(NoMessageId)?;
        let objects = match event::objects_created(&message.body.unwrap_or_default()) {
            Ok(objects) => objects,
            Err(error) => {
                fail(failed, id, &Error::NotANotification(error));
                continue;
            }
        };
        for object in objects {
            match Partition::of(&object.bucket, &object.key) {
                Some(partition) => {
                    let notice = Notice { message: id.clone(), landed_at: object.landed_at };
                    notices.entry(partition).or_default().push(notice);
                }
                None => tracing::warn!(bucket = object.bucket, key = object.key, "Ignored an object that lies in no partition."),
            }
        }
    }
    Ok(notices)
}

/// Lets a message come back. Only an error that waiting does not mend is logged as one.
fn fail(failed: &mut BTreeSet<String>, message: String, error: &Error) {
    if error.is_retryable() {
        tracing::warn!(message_id = message, error = %error.chain(), "A message goes back to the queue.");
    } else {
        tracing::error!(message_id = message, error = %error.chain(), "A message cannot be worked off.");
    }
    failed.insert(message);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;
    use crate::glue_stub::{Answer, GlueStub};

    const ONE: &str = include_str!("../../../events/start-crawler-object-created.json");
    const SEVERAL: &str = include_str!("../../../events/start-crawler-several.json");
    const FIRST: &str = "059f36b4-87a3-44ab-83d2-661975970001";
    const LOCATION: &str = "s3://tickerlake-lake-123456789012-us-east-1/quotes/dt=2026-11-23/";
    /// When the object of `ONE` landed.
    const LANDED: &str = "2026-11-23T14:31:05.412Z";

    fn not_found() -> Answer {
        Answer::error(400, "EntityNotFoundException")
    }

    fn table() -> Answer {
        Answer::ok(json!({"Table": {"Name": "quotes", "StorageDescriptor": {
            "Columns": [{"Name": "symbol", "Type": "string"}],
            "Location": "s3://tickerlake-lake-123456789012-us-east-1/quotes/",
            "InputFormat": "in", "OutputFormat": "out",
            "SerdeInfo": {"SerializationLibrary": "serde"},
        }}}))
    }

    fn partition(location: &str, parameters: Value) -> Answer {
        Answer::ok(json!({"Partition": {"Values": ["2026-11-23"], "StorageDescriptor": {"Location": location}, "Parameters": parameters}}))
    }

    fn registered_here() -> Answer {
        partition(LOCATION, json!({"tickerlake.registered_for": LANDED}))
    }

    fn ready(last_crawl: Option<&str>) -> Answer {
        let mut crawler = json!({"Name": "crawler", "State": "READY"});
        if let Some(began) = last_crawl {
            let began: DateTime<Utc> = began.parse().unwrap();
            crawler["LastCrawl"] = json!({"Status": "SUCCEEDED", "StartTime": began.timestamp_millis() as f64 / 1000.0});
        }
        Answer::ok(json!({"Crawler": crawler}))
    }

    fn running_since(began: &str) -> Answer {
        let began: DateTime<Utc> = began.parse().unwrap();
        let elapsed = (Utc::now() - began).num_milliseconds();
        Answer::ok(json!({"Crawler": {"Name": "crawler", "State": "RUNNING", "CrawlElapsedTime": elapsed}}))
    }

    fn done() -> Answer {
        Answer::ok(json!({}))
    }

    fn handler(glue: &GlueStub) -> Handler {
        Handler {
            catalog: Catalog::new(glue.client(), "tickerlake".into(), "quotes".into()),
            crawls: Crawls::new(glue.client(), "crawler".into()),
        }
    }

    async fn failures(handler: &Handler, event: &str) -> Vec<String> {
        let response = handler.handle(serde_json::from_str(event).unwrap()).await.unwrap();
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    /// The one message of `ONE` against Glue's answers, each of which must be asked for, in order.
    async fn one_message(script: Vec<(&'static str, Answer)>) -> Vec<String> {
        let glue = GlueStub::start(script).await;
        let failed = failures(&handler(&glue), ONE).await;
        glue.assert_all_asked();
        failed
    }

    #[tokio::test]
    async fn an_object_of_a_known_partition_needs_nothing() {
        for location in [LOCATION, LOCATION.trim_end_matches('/')] {
            assert!(one_message(vec![("GetPartition", partition(location, json!({})))]).await.is_empty());
        }
    }

    #[tokio::test]
    async fn a_new_day_is_registered_from_the_tables_descriptor_and_crawled() {
        let glue = GlueStub::start(vec![
            ("GetPartition", not_found()),
            ("GetTable", table()),
            ("CreatePartition", done()),
            ("GetCrawler", ready(Some("2026-11-20T14:30:00Z"))),
            ("StartCrawler", done()),
        ])
        .await;
        assert!(failures(&handler(&glue), ONE).await.is_empty());
        glue.assert_all_asked();
        let asked = glue.asked("CreatePartition");
        assert_eq!(asked["DatabaseName"], "tickerlake");
        assert_eq!(asked["TableName"], "quotes");
        let input = &asked["PartitionInput"];
        assert_eq!(input["Values"], json!(["2026-11-23"]));
        assert_eq!(input["Parameters"]["tickerlake.registered_for"], LANDED);
        let descriptor = &input["StorageDescriptor"];
        assert_eq!(descriptor["Location"], LOCATION);
        assert_eq!(descriptor["Columns"], json!([{"Name": "symbol", "Type": "string"}]));
        assert_eq!(descriptor["SerdeInfo"]["SerializationLibrary"], "serde");
        assert_eq!(glue.asked("StartCrawler"), json!({"Name": "crawler"}));
    }

    #[tokio::test]
    async fn a_partition_that_another_registered_meanwhile_is_known() {
        let script = |found| {
            vec![
                ("GetPartition", not_found()),
                ("GetTable", table()),
                ("CreatePartition", Answer::error(400, "AlreadyExistsException")),
                ("GetPartition", found),
            ]
        };
        assert!(one_message(script(partition(LOCATION, json!({})))).await.is_empty());
        assert_eq!(one_message(script(partition("s3://elsewhere/", json!({})))).await, [FIRST]);
    }

    #[tokio::test]
    async fn a_crawl_that_began_before_the_object_landed_is_asked_for_again() {
        let new_day =
            |crawler| vec![("GetPartition", not_found()), ("GetTable", table()), ("CreatePartition", done()), ("GetCrawler", crawler)];
        assert_eq!(one_message(new_day(running_since("2026-11-23T14:31:00Z"))).await, [FIRST]);
        assert!(one_message(new_day(running_since("2026-11-23T14:31:10Z"))).await.is_empty());
    }

    #[tokio::test]
    async fn a_crawl_that_began_between_look_and_start_counts_only_if_it_saw_the_object() {
        let raced = |crawler| {
            vec![
                ("GetPartition", registered_here()),
                ("GetCrawler", ready(None)),
                ("StartCrawler", Answer::error(400, "CrawlerRunningException")),
                ("GetCrawler", crawler),
            ]
        };
        assert!(one_message(raced(running_since("2026-11-23T14:31:10Z"))).await.is_empty());
        assert!(one_message(raced(ready(Some("2026-11-23T14:31:10Z")))).await.is_empty(), "over already");
        assert_eq!(one_message(raced(running_since("2026-11-23T14:31:00Z"))).await, [FIRST]);
        assert_eq!(one_message(raced(ready(None))).await, [FIRST]);
    }

    #[tokio::test]
    async fn a_message_that_came_back_gets_its_crawl_though_the_partition_is_known_by_then() {
        let owed = |crawler| vec![("GetPartition", registered_here()), ("GetCrawler", crawler)];
        let mut started = owed(ready(Some("2026-11-23T14:31:00Z")));
        started.push(("StartCrawler", done()));
        assert!(one_message(started).await.is_empty());
        assert!(one_message(owed(ready(Some("2026-11-23T14:31:06Z")))).await.is_empty(), "it had its crawl");
        assert_eq!(one_message(owed(running_since("2026-11-23T14:31:00Z"))).await, [FIRST]);
    }

    #[tokio::test]
    async fn an_object_that_landed_after_the_registration_owes_no_crawl() {
        let earlier = partition(LOCATION, json!({"tickerlake.registered_for": "2026-11-23T14:31:05.411Z"}));
        assert!(one_message(vec![("GetPartition", earlier)]).await.is_empty());
    }

    #[tokio::test]
    async fn a_partition_that_lies_elsewhere_is_never_success() {
        let other_day = LOCATION.replace("-23", "-22");
        assert_eq!(one_message(vec![("GetPartition", partition(&other_day, json!({})))]).await, [FIRST]);
        let other_table = Answer::ok(json!({"Table": {"Name": "quotes", "StorageDescriptor": {"Location": "s3://other/quotes/"}}}));
        assert_eq!(one_message(vec![("GetPartition", not_found()), ("GetTable", other_table)]).await, [FIRST]);
    }

    #[tokio::test]
    async fn glues_errors_let_the_message_come_back() {
        for (status, code) in [(400, "ThrottlingException"), (400, "AccessDeniedException"), (500, "InternalServiceException")] {
            assert_eq!(one_message(vec![("GetPartition", Answer::error(status, code))]).await, [FIRST], "{code}");
            let at_start =
                vec![("GetPartition", registered_here()), ("GetCrawler", ready(None)), ("StartCrawler", Answer::error(status, code))];
            assert_eq!(one_message(at_start).await, [FIRST], "{code}");
        }
        assert_eq!(one_message(vec![("GetPartition", Answer::Gone)]).await, [FIRST]);
        assert_eq!(one_message(vec![("GetPartition", not_found()), ("GetTable", not_found())]).await, [FIRST]);
        assert_eq!(one_message(vec![("GetPartition", registered_here()), ("GetCrawler", not_found())]).await, [FIRST]);
    }

    #[tokio::test]
    async fn errors_say_what_is_missing_and_whether_waiting_helps() {
        let landed = LANDED.parse().unwrap();
        let day = Partition::of("tickerlake-lake-123456789012-us-east-1", "quotes/dt=2026-11-23/a").unwrap();
        let told = async |script| {
            let glue = GlueStub::start(script).await;
            let handler = handler(&glue);
            let error = match handler.catalog.ensure(&day, landed).await {
                Err(error) => error,
                Ok(_) => handler.crawls.ensure_since(landed).await.unwrap_err(),
            };
            (error.chain(), error.is_retryable())
        };
        let (text, retryable) = told(vec![("GetPartition", not_found()), ("GetTable", not_found())]).await;
        assert!(text.starts_with("Glue has no table tickerlake.quotes: ") && text.contains("EntityNotFoundException"), "{text}");
        assert!(!retryable);
        let (text, retryable) = told(vec![("GetPartition", registered_here()), ("GetCrawler", not_found())]).await;
        assert!(text.starts_with("Glue has no crawler crawler: "), "{text}");
        assert!(!retryable);
        for (answer, retryable) in [
            (Answer::error(400, "ThrottlingException"), true),
            (Answer::error(503, "Unavailable"), true),
            (Answer::Gone, true),
            (Answer::error(400, "AccessDeniedException"), false),
        ] {
            let (text, found) = told(vec![("GetPartition", answer)]).await;
            assert!(text.starts_with("GetPartition of dt=2026-11-23 failed: "), "{text}");
            assert_eq!(found, retryable, "{text}");
        }
    }

    #[tokio::test]
    async fn several_messages_ask_once_for_each_partition_and_start_one_crawl() {
        let glue = GlueStub::start(vec![
            ("GetPartition", partition(LOCATION, json!({}))),
            ("GetPartition", not_found()),
            ("GetTable", table()),
            ("CreatePartition", done()),
            ("GetCrawler", ready(None)),
            ("StartCrawler", done()),
        ])
        .await;
        let handler = handler(&glue);
        assert!(failures(&handler, SEVERAL).await.is_empty());
        glue.assert_all_asked();
        // Registered for the newest object at hand, so that one crawl serves all of them.
        assert_eq!(glue.asked("CreatePartition")["PartitionInput"]["Parameters"]["tickerlake.registered_for"], "2026-11-24T05:00:35.000Z");
    }

    #[tokio::test]
    async fn only_the_messages_of_the_partition_that_failed_come_back() {
        let glue = GlueStub::start(vec![
            ("GetPartition", partition(LOCATION, json!({}))),
            ("GetPartition", Answer::error(400, "ThrottlingException")),
        ])
        .await;
        let ids = [3, 5].map(|n| format!("059f36b4-87a3-44ab-83d2-66197597000{n}"));
        assert_eq!(failures(&handler(&glue), SEVERAL).await, ids);
    }

    #[tokio::test]
    async fn a_warm_instance_asks_glue_once_for_a_partition() {
        let glue = GlueStub::start(vec![("GetPartition", partition(LOCATION, json!({})))]).await;
        let handler = handler(&glue);
        for _ in 0..3 {
            assert!(failures(&handler, ONE).await.is_empty());
        }
        glue.assert_all_asked();
    }

    #[tokio::test]
    async fn a_warm_instance_still_knows_that_a_crawl_is_owed() {
        let glue = GlueStub::start(vec![
            ("GetPartition", not_found()),
            ("GetTable", table()),
            ("CreatePartition", done()),
            ("GetCrawler", running_since("2026-11-23T14:31:00Z")),
            ("GetCrawler", ready(Some("2026-11-23T14:31:00Z"))),
            ("StartCrawler", done()),
        ])
        .await;
        let handler = handler(&glue);
        assert_eq!(failures(&handler, ONE).await, [FIRST]);
        assert!(failures(&handler, ONE).await.is_empty());
        glue.assert_all_asked();
    }

    #[tokio::test]
    async fn the_test_message_is_success_and_nonsense_goes_to_the_dead_letters() {
        let glue = GlueStub::start(vec![("GetPartition", partition(LOCATION, json!({})))]).await;
        let handler = handler(&glue);
        assert!(failures(&handler, include_str!("../../../events/start-crawler-test-event.json")).await.is_empty());
        assert_eq!(failures(&handler, include_str!("../../../events/start-crawler-not-a-notification.json")).await, [FIRST]);
        glue.assert_all_asked();
    }

    #[test]
    fn the_answer_has_the_shape_that_lambda_reads() {
        let mut response = SqsBatchResponse::default();
        response.set_failures([FIRST]);
        assert_eq!(serde_json::to_value(response).unwrap(), json!({"batchItemFailures": [{"itemIdentifier": FIRST}]}));
    }
}
