//! SQS's own JSON protocol over the queues, for the functions' clients and for people's.

use super::attribute::{Attributes, md5_hex, md5_of};
use super::error::Error;
use super::queue::{Queue, ReceivedMessage};
use crate::protocol::{ApiError, ApiResult, Input};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What SQS calls a bad request.
const INVALID: &str = "InvalidParameterValue";

/// The most messages that one receive gives, and the longest that it waits for one.
const MOST_MESSAGES: usize = 10;
const LONGEST_WAIT: u64 = 20;

/// A queue and the URL that clients name it by.
#[derive(Clone)]
pub struct QueueEndpoint {
    /// What the template's `Ref` gives. Only its text counts: requests go to the gateway.
    pub url: String,
    /// The queue.
    pub queue: Queue,
}

/// The queues that clients reach. Clones reach the same ones.
#[derive(Clone)]
pub(crate) struct Sqs(Arc<[QueueEndpoint]>);

impl Sqs {
    /// Serves these queues and no others.
    pub(crate) fn new(queues: Vec<QueueEndpoint>) -> Self {
        Self(queues.into())
    }

    /// Answers one request.
    pub(crate) async fn call(&self, operation: &str, body: &[u8]) -> ApiResult {
        let input = Input::parse(body, INVALID)?;
        match operation {
            "SendMessage" => self.send(&input),
            "ReceiveMessage" => self.receive(&input).await,
            "DeleteMessage" => self.delete(&input),
            "ChangeMessageVisibility" => self.change_visibility(&input),
            "GetQueueAttributes" => self.attributes(&input),
            "GetQueueUrl" => self.url(&input),
            "ListQueues" => self.list(&input),
            other => Err(ApiError::new("UnsupportedOperation", format!("SQS's {other} is not served by the local stack."))),
        }
    }

    fn queue(&self, input: &Input) -> Result<&Queue, ApiError> {
        let url = input.string("QueueUrl")?;
        self.0.iter().find(|endpoint| endpoint.url == url).map(|endpoint| &endpoint.queue).ok_or_else(no_queue)
    }

    fn send(&self, input: &Input) -> ApiResult {
        let queue = self.queue(input)?;
        let body = input.string("MessageBody")?;
        if input.get("DelaySeconds").is_some_and(|delay| delay != 0) {
            input.refuse("DelaySeconds")?;
        }
        let attributes: Attributes = match input.get("MessageAttributes") {
            Some(given) => serde_json::from_value(given.clone()).map_err(|error| input.invalid(format!("MessageAttributes: {error}.")))?,
            None => Attributes::default(),
        };
        let digests = (md5_hex(body.as_bytes()), md5_of(&attributes));
        let id = queue.send_with(body, attributes).map_err(broken)?;
        let mut answer = json!({ "MessageId": id, "MD5OfMessageBody": digests.0 });
        if let (Value::Object(answer), Some(digest)) = (&mut answer, digests.1) {
            answer.insert("MD5OfMessageAttributes".to_owned(), json!(digest));
        }
        Ok(answer)
    }

    async fn receive(&self, input: &Input) -> ApiResult {
        let queue = self.queue(input)?;
        let most = match input.get("MaxNumberOfMessages") {
            Some(_) => input.page_size("MaxNumberOfMessages", MOST_MESSAGES)?,
            None => 1,
        };
        let wait = input.get("WaitTimeSeconds").and_then(Value::as_u64).unwrap_or(0).min(LONGEST_WAIT);
        let until = Instant::now() + Duration::from_secs(wait);
        let received = loop {
            let received = queue.receive(most, usize::MAX).map_err(broken)?;
            if !received.is_empty() || timeout_at(until, queue.stirred()).await.is_err() || Instant::now() >= until {
                break received;
            }
        };
        if let Some(timeout) = input.get("VisibilityTimeout").and_then(Value::as_u64) {
            received.iter().for_each(|message| queue.release(&message.receipt_handle, Duration::from_secs(timeout)));
        }
        let messages: Vec<Value> = received.iter().map(ReceivedMessage::to_api).collect();
        Ok(if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) })
    }

    fn delete(&self, input: &Input) -> ApiResult {
        self.queue(input)?.delete(input.string("ReceiptHandle")?).map_err(broken)?;
        Ok(json!({}))
    }

    fn change_visibility(&self, input: &Input) -> ApiResult {
        let timeout = input.get("VisibilityTimeout").and_then(Value::as_u64);
        let timeout = timeout.ok_or_else(|| input.invalid("VisibilityTimeout is required.".to_owned()))?;
        self.queue(input)?.release(input.string("ReceiptHandle")?, Duration::from_secs(timeout));
        Ok(json!({}))
    }

    fn attributes(&self, input: &Input) -> ApiResult {
        let queue = self.queue(input)?;
        let wanted = input.strings("AttributeNames")?;
        let counts = queue.counts();
        let all = [
            ("ApproximateNumberOfMessages", counts.visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
            ("QueueArn", queue.arn().to_owned()),
            ("VisibilityTimeout", queue.visibility_timeout().as_secs().to_string()),
        ];
        let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted == "All" || wanted == name);
        let attributes: Map<String, Value> =
            all.into_iter().filter(|(name, _)| is_wanted(name)).map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        Ok(json!({ "Attributes": attributes }))
    }

    fn url(&self, input: &Input) -> ApiResult {
        let name = input.string("QueueName")?;
        let found = self.0.iter().find(|endpoint| endpoint.queue.name() == name).ok_or_else(no_queue)?;
        Ok(json!({ "QueueUrl": found.url }))
    }

    fn list(&self, input: &Input) -> ApiResult {
        let prefix = input.optional_string("QueueNamePrefix")?.unwrap_or_default();
        let found = self.0.iter().filter(|endpoint| endpoint.queue.name().starts_with(prefix));
        let urls: Vec<&str> = found.map(|endpoint| endpoint.url.as_str()).collect();
        Ok(json!({ "QueueUrls": urls }))
    }
}

impl ReceivedMessage {
    /// With all attributes, whichever were asked for.
    fn to_api(&self) -> Value {
        let mut message = json!({
            "MessageId": self.id,
            "ReceiptHandle": self.receipt_handle,
            "Body": self.body,
            "MD5OfBody": md5_hex(self.body.as_bytes()),
            "Attributes": {
                "ApproximateReceiveCount": self.receive_count.to_string(),
                "SentTimestamp": self.sent_at.to_string(),
                "ApproximateFirstReceiveTimestamp": self.first_received_at.to_string(),
            },
        });
        if let (Value::Object(message), Some(digest)) = (&mut message, md5_of(&self.attributes)) {
            message.insert("MessageAttributes".to_owned(), json!(self.attributes));
            message.insert("MD5OfMessageAttributes".to_owned(), json!(digest));
        }
        message
    }
}

/// What clients know an error by that still use the names of SQS's older protocol; nothing where the name is the same.
pub(crate) fn query_code(kind: &str) -> Option<&'static str> {
    match kind {
        "QueueDoesNotExist" => Some("AWS.SimpleQueueService.NonExistentQueue;Sender"),
        "UnsupportedOperation" => Some("AWS.SimpleQueueService.UnsupportedOperation;Sender"),
        _ => None,
    }
}

fn no_queue() -> ApiError {
    ApiError::new("QueueDoesNotExist", "The specified queue does not exist.")
}

fn broken(error: Error) -> ApiError {
    tracing::error!(%error, "A queue could not be changed.");
    ApiError::new("InternalServiceException", "The queue could not be changed.")
}
