//! What is given up, after how many tries, and with which reason.

use super::*;

/// What is asked, each time anew, and how the reason begins.
type Case = (fn() -> Script, &'static str);

#[tokio::test]
async fn what_is_no_notification_is_given_up_at_once() {
    // The other message of the batch is worked off.
    let event = include_str!("../../../../events/start-crawler-not-a-notification.json");
    let stub = Stub::start(vec![("GetPartition", known()), ("SendMessage", sent())]).await;
    assert!(failures(&handler(&stub), event).await.is_empty());
    stub.assert_all_asked();
    let asked = stub.asked("SendMessage");
    assert_eq!(
        (&asked["MessageBody"], &asked["QueueUrl"]),
        (&json!("hello"), &json!("https://sqs.us-east-1.amazonaws.com/123456789012/dead"))
    );
    let reason = asked["MessageAttributes"]["reason"]["StringValue"].as_str().unwrap();
    assert!(reason.starts_with("the message is not an S3 notification: expected value"), "{reason}");
}

#[tokio::test]
async fn what_only_someones_hand_can_help_is_tried_a_few_times() {
    let refused = || Answer::error(400, "AccessDeniedException");
    let owed = |crawler| vec![("GetPartition", registered_here()), ("GetCrawler", crawler)];
    let cases: [Case; 4] = [
        (|| vec![("GetPartition", not_found()), ("GetTable", not_found())], "Glue has no table tickerlake.quotes: "),
        (|| vec![("GetPartition", registered_here()), ("GetCrawler", not_found())], "Glue has no crawler crawler: "),
        (
            || vec![("GetPartition", partition("s3://elsewhere/", json!({})))],
            "dt=2026-11-23 lies in s3://tickerlake-lake-123456789012-us-east-1/quotes/dt=2026-11-23/, but Glue looks for it in s3://elsewhere/",
        ),
        (|| vec![("GetPartition", Answer::error(400, "AccessDeniedException"))], "GetPartition of dt=2026-11-23 failed: "),
    ];
    for (script, expected) in cases {
        assert_eq!(received_message(4, script()).await, [FIRST], "{expected}");
        let reason = reason(5, script()).await;
        assert!(reason.starts_with(expected), "{reason}");
    }
    let mut at_start = owed(ready(None));
    at_start.push(("StartCrawler", refused()));
    let reason = reason(5, at_start).await;
    assert!(reason.starts_with("StartCrawler of crawler failed: ") && reason.contains("AccessDeniedException"), "{reason}");
}

#[tokio::test]
async fn what_may_mend_itself_is_tried_as_often_as_the_queue_allows() {
    for (answer, code) in [
        (Answer::error as fn(u16, &str) -> Answer, "ThrottlingException"),
        (Answer::error, "OperationTimeoutException"),
        (Answer::error, "SomethingNobodyHasHeardOf"),
    ] {
        assert_eq!(received_message(19, vec![("GetPartition", answer(400, code))]).await, [FIRST], "{code}");
        let reason = reason(MAX_RECEIVE_COUNT, vec![("GetPartition", answer(400, code))]).await;
        assert!(reason.starts_with("GetPartition of dt=2026-11-23 failed: ") && reason.contains(code), "{reason}");
    }
    assert_eq!(received_message(19, vec![("GetPartition", Answer::Gone)]).await, [FIRST]);
    assert_eq!(received_message(19, vec![("GetPartition", Answer::error(503, "Unavailable"))]).await, [FIRST]);
    let busy = vec![("GetPartition", registered_here()), ("GetCrawler", running_since("2026-11-23T14:31:00Z"))];
    let reason = reason(MAX_RECEIVE_COUNT, busy).await;
    assert!(reason.starts_with("crawler crawler is at work since 2026-11-23T14:31:00.000Z, before the object landed"), "{reason}");
}

#[tokio::test]
async fn a_message_that_could_not_be_sent_to_the_dead_letters_goes_back() {
    for answer in [Answer::error(400, "AWS.SimpleQueueService.NonExistentQueue"), Answer::error(500, "InternalFailure"), Answer::Gone] {
        let script = vec![("GetPartition", Answer::error(400, "ThrottlingException")), ("SendMessage", answer)];
        assert_eq!(received_message(MAX_RECEIVE_COUNT, script).await, [FIRST]);
    }
}

#[tokio::test]
async fn an_invocation_whose_time_is_over_gives_its_messages_back() {
    let stub = Stub::start(vec![("GetPartition", known())]).await;
    let event: SqsEvent = serde_json::from_str(ONE).unwrap();
    let response = handler(&stub).handle(event, Duration::ZERO).await.unwrap();
    assert_eq!(response.batch_item_failures.len(), 1);
}
