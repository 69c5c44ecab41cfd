//! Queues through SQS's own SDK.

use std::time::Duration;

use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
use local_aws::sqs::{Queue, QueueConfig, QueueEndpoint};

use crate::stack::Stack;

const URL: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/dead";

#[tokio::test]
async fn messages_keep_what_their_sender_said_of_them_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let config = QueueConfig {
            name: "dead".into(),
            arn: "arn:aws:sqs:us-east-1:000000000000:dead".into(),
            visibility_timeout: Duration::from_secs(60),
        };
        Queue::open(&folder.path().join("sqs"), config, None).unwrap()
    };
    let queue = open();
    let stack =
        Stack::start_with(folder.path(), |config| config.queues = vec![QueueEndpoint { url: URL.into(), queue: queue.clone() }]).await;
    let sqs = stack.sqs();
    assert_eq!(sqs.get_queue_url().queue_name("dead").send().await.unwrap().queue_url(), Some(URL));
    assert_eq!(sqs.list_queues().queue_name_prefix("de").send().await.unwrap().queue_urls(), [URL]);

    let reason = MessageAttributeValue::builder().data_type("String").string_value("no table").build().unwrap();
    let sent = sqs.send_message().queue_url(URL).message_body("Test message.").message_attributes("reason", reason).send().await.unwrap();
    assert_eq!(sent.md5_of_message_body(), Some("e4e68fb7bd0e697a0ae8f1bb342846b3"));
    // Computed after the guide's description with another program.
    assert_eq!(sent.md5_of_message_attributes(), Some("d354d098d4e1fe6c659585364ade3735"));
    assert_eq!(open().receive(1, usize::MAX).unwrap()[0].attributes["reason"].string_value.as_deref(), Some("no table"));

    let received = sqs.receive_message().queue_url(URL).message_attribute_names("All").send().await.unwrap().messages.unwrap();
    assert_eq!((received.len(), received[0].body()), (1, Some("Test message.")));
    assert_eq!(received[0].message_attributes().unwrap()["reason"].string_value(), Some("no table"));
    assert!(sqs.receive_message().queue_url(URL).send().await.unwrap().messages.is_none(), "hidden");
    let counts = sqs.get_queue_attributes().queue_url(URL).attribute_names(QueueAttributeName::All).send().await.unwrap();
    let count = |name| counts.attributes().unwrap()[&name].clone();
    assert_eq!(count(QueueAttributeName::ApproximateNumberOfMessages), "0");
    assert_eq!(count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible), "1");

    let handle = received[0].receipt_handle().unwrap();
    sqs.change_message_visibility().queue_url(URL).receipt_handle(handle).visibility_timeout(0).send().await.unwrap();
    let again = sqs.receive_message().queue_url(URL).send().await.unwrap().messages.unwrap();
    sqs.delete_message().queue_url(URL).receipt_handle(again[0].receipt_handle().unwrap()).send().await.unwrap();
    assert!(queue.is_empty());

    let unknown = sqs.send_message().queue_url("https://sqs.us-east-1.amazonaws.com/000000000000/none").message_body("x").send().await;
    assert!(unknown.unwrap_err().into_service_error().is_queue_does_not_exist());
}
