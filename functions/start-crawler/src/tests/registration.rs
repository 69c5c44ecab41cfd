//! Days that Glue knows, and days that it does not.

use aws_lambda_events::sqs::SqsBatchResponse;

use super::*;

#[tokio::test]
async fn an_object_of_a_known_partition_needs_nothing() {
    for location in [LOCATION, LOCATION.trim_end_matches('/')] {
        assert!(one_message(vec![("GetPartition", partition(location, json!({})))]).await.is_empty());
    }
}

#[tokio::test]
async fn a_new_day_is_registered_from_the_tables_descriptor_and_crawled() {
    let mut script = registering();
    script.extend([("GetCrawler", ready(Some(("SUCCEEDED", "2026-11-20T14:30:00Z")))), ("StartCrawler", done())]);
    let stub = Stub::start(script).await;
    // It comes back until the crawl has succeeded.
    assert_eq!(failures(&handler(&stub), ONE).await, [FIRST]);
    stub.assert_all_asked();
    let asked = stub.asked("CreatePartition");
    assert_eq!(asked["DatabaseName"], "tickerlake");
    assert_eq!(asked["TableName"], "quotes");
    let input = &asked["PartitionInput"];
    assert_eq!(input["Values"], json!(["2026-11-23"]));
    assert_eq!(input["Parameters"]["tickerlake.registered_for"], LANDED);
    let descriptor = &input["StorageDescriptor"];
    assert_eq!(descriptor["Location"], LOCATION);
    assert_eq!(descriptor["Columns"], json!([{"Name": "symbol", "Type": "string"}]));
    assert_eq!(descriptor["SerdeInfo"]["SerializationLibrary"], "serde");
    assert_eq!(stub.asked("StartCrawler"), json!({"Name": "crawler"}));
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
    assert!(one_message(script(known())).await.is_empty());
    assert_eq!(one_message(script(partition("s3://elsewhere/", json!({})))).await, [FIRST]);
    assert_eq!(one_message(script(not_found())).await, [FIRST], "and gone again");
}

#[tokio::test]
async fn a_partition_that_lies_elsewhere_is_never_success() {
    let other_day = LOCATION.replace("-23", "-22");
    assert_eq!(one_message(vec![("GetPartition", partition(&other_day, json!({})))]).await, [FIRST]);
    let other_table = Answer::ok(json!({"Table": {"Name": "quotes", "StorageDescriptor": {"Location": "s3://other/quotes/"}}}));
    assert_eq!(one_message(vec![("GetPartition", not_found()), ("GetTable", other_table)]).await, [FIRST]);
}

#[tokio::test]
async fn an_object_that_landed_after_the_registration_owes_no_crawl() {
    let earlier = partition(LOCATION, json!({"tickerlake.registered_for": "2026-11-23T14:31:05.411Z"}));
    assert!(one_message(vec![("GetPartition", earlier)]).await.is_empty());
}

#[tokio::test]
async fn several_messages_ask_once_for_each_partition_and_start_one_crawl() {
    let mut script = vec![("GetPartition", known())];
    script.extend(registering());
    script.extend([("GetCrawler", ready(None)), ("StartCrawler", done())]);
    let stub = Stub::start(script).await;
    // The objects of the known day are done; those of the new one wait for its crawl.
    let ids = [3, 5].map(|n| format!("059f36b4-87a3-44ab-83d2-66197597000{n}"));
    assert_eq!(failures(&handler(&stub), SEVERAL).await, ids);
    stub.assert_all_asked();
    // Registered for the newest object at hand, so that one crawl serves all of them.
    assert_eq!(stub.asked("CreatePartition")["PartitionInput"]["Parameters"]["tickerlake.registered_for"], "2026-11-24T05:00:35.000Z");
}

#[tokio::test]
async fn only_the_messages_of_the_partition_that_failed_come_back() {
    let stub = Stub::start(vec![("GetPartition", known()), ("GetPartition", Answer::error(400, "ThrottlingException"))]).await;
    let ids = [3, 5].map(|n| format!("059f36b4-87a3-44ab-83d2-66197597000{n}"));
    assert_eq!(failures(&handler(&stub), SEVERAL).await, ids);
}

#[tokio::test]
async fn what_glue_said_once_is_not_believed_for_ever() {
    let stub = Stub::start(vec![("GetPartition", known()), ("GetPartition", not_found()), ("GetTable", not_found())]).await;
    let handler = handler(&stub);
    assert!(failures(&handler, ONE).await.is_empty());
    assert_eq!(failures(&handler, ONE).await, [FIRST], "the table was dropped");
    stub.assert_all_asked();
}

#[tokio::test]
async fn the_test_message_is_success() {
    let stub = Stub::start(Vec::new()).await;
    assert!(failures(&handler(&stub), include_str!("../../../../events/start-crawler-test-event.json")).await.is_empty());
    stub.assert_all_asked();
}

#[test]
fn the_answer_has_the_shape_that_lambda_reads() {
    let mut response = SqsBatchResponse::default();
    response.set_failures([FIRST]);
    assert_eq!(serde_json::to_value(response).unwrap(), json!({"batchItemFailures": [{"itemIdentifier": FIRST}]}));
}
