//! The queue of what was given up.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;

use crate::batch::Message;
use crate::error::Error;

/// The attribute that says why a message is here. What a queue's redrive policy moves carries none.
const REASON: &str = "reason";

/// The longest reason, in characters.
const LONGEST_REASON: usize = 1000;

/// The queue of what was given up.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    sqs: Client,
    queue_url: String,
}

impl DeadLetters {
    pub(crate) fn new(sqs: Client, queue_url: String) -> Self {
        Self { sqs, queue_url }
    }

    /// Sends the message as it came, with the reason.
    pub(crate) async fn send(&self, message: &Message, reason: &str) -> Result<(), Error> {
        let failed = |error| Error::call("SendMessage", self.queue_url.clone(), error);
        let reason = MessageAttributeValue::builder().data_type("String").string_value(sendable(reason)).build();
        let reason = reason.map_err(|error| failed(aws_sdk_sqs::error::SdkError::construction_failure(error)))?;
        let send = self.sqs.send_message().queue_url(&self.queue_url).message_body(&message.body).message_attributes(REASON, reason);
        send.send().await.map(drop).map_err(failed)
    }
}

/// As an attribute's value takes it: not empty, not endless, and without the characters that SQS refuses.
fn sendable(reason: &str) -> String {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    let text: String = reason.chars().filter(|c| allowed(*c)).take(LONGEST_REASON).collect();
    if text.is_empty() { "no reason given".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_made_sendable() {
        assert_eq!(sendable("a\u{0}b\u{1b}[0mc\nd é\u{fffe}\u{1f642}"), "ab[0mc\nd é\u{1f642}");
        assert_eq!(sendable("\u{0}"), "no reason given");
        assert_eq!(sendable(&"é".repeat(2000)).chars().count(), LONGEST_REASON);
    }
}
