//! The event that Lambda makes of messages.

use super::attribute::{Attribute, md5_hex};
use super::queue::ReceivedMessage;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "Records")]
    records: Vec<Record<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    message_id: &'a str,
    receipt_handle: &'a str,
    body: &'a str,
    attributes: Attributes,
    message_attributes: BTreeMap<&'a str, MessageAttribute<'a>>,
    md5_of_body: String,
    event_source: &'static str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
    aws_region: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    approximate_receive_count: String,
    sent_timestamp: String,
    sender_id: &'static str,
    approximate_first_receive_timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageAttribute<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<&'a str>,
    string_list_values: [&'a str; 0],
    binary_list_values: [&'a str; 0],
    data_type: &'a str,
}

impl<'a> MessageAttribute<'a> {
    fn of(attribute: &'a Attribute) -> Self {
        Self {
            string_value: attribute.string_value.as_deref(),
            binary_value: attribute.binary_value.as_deref(),
            string_list_values: [],
            binary_list_values: [],
            data_type: &attribute.data_type,
        }
    }
}

/// The event's JSON text.
pub(super) fn event(messages: &[ReceivedMessage], queue_arn: &str) -> Result<Vec<u8>, serde_json::Error> {
    // arn:aws:sqs:REGION:ACCOUNT:NAME
    let region = queue_arn.split(':').nth(3).unwrap_or_default();
    let records = messages
        .iter()
        .map(|message| Record {
            message_id: &message.id,
            receipt_handle: &message.receipt_handle,
            body: &message.body,
            attributes: Attributes {
                approximate_receive_count: message.receive_count.to_string(),
                sent_timestamp: message.sent_at.to_string(),
                sender_id: "local-aws",
                approximate_first_receive_timestamp: message.first_received_at.to_string(),
            },
            message_attributes: message.attributes.iter().map(|(name, value)| (name.as_str(), MessageAttribute::of(value))).collect(),
            md5_of_body: md5_hex(message.body.as_bytes()),
            event_source: "aws:sqs",
            event_source_arn: queue_arn,
            aws_region: region,
        })
        .collect();
    serde_json::to_vec(&Event { records })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::event;
    use crate::sqs::{Attribute, ReceivedMessage};
    use serde_json::{Value, json};

    #[test]
    fn the_event_has_the_real_shape() {
        let message = ReceivedMessage {
            id: "059f36b4-87a3-44ab-83d2-661975830a7d".into(),
            receipt_handle: "handle".into(),
            body: "Test message.".into(),
            attributes: [("reason".to_owned(), Attribute::string("why"))].into(),
            receive_count: 2,
            sent_at: 1_545_082_649_183,
            first_received_at: 1_545_082_649_185,
        };
        let event: Value = serde_json::from_slice(&event(&[message], "arn:aws:sqs:us-east-2:123456789012:my-queue").unwrap()).unwrap();
        assert_eq!(
            event,
            json!({"Records": [{
                "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
                "receiptHandle": "handle",
                "body": "Test message.",
                "attributes": {
                    "ApproximateReceiveCount": "2",
                    "SentTimestamp": "1545082649183",
                    "SenderId": "local-aws",
                    "ApproximateFirstReceiveTimestamp": "1545082649185",
                },
                "messageAttributes": {
                    "reason": {"stringValue": "why", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
                },
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:my-queue",
                "awsRegion": "us-east-2",
            }]})
        );
    }
}
