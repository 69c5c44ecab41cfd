//! A batch of messages: what each tells of, and what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use chrono::{DateTime, Utc};

use crate::error::Error;
use crate::event;
use crate::partition::Partition;

/// The attribute in which SQS counts how often it handed a message out.
const RECEIVE_COUNT: &str = "ApproximateReceiveCount";

/// A message and why it is not done, if it is not.
#[derive(Debug)]
pub(crate) struct Message {
    /// SQS's id.
    pub(crate) id: String,
    /// S3's notification.
    pub(crate) body: String,
    /// How often it was received, this time included.
    pub(crate) receives: u32,
    /// What went wrong first.
    pub(crate) error: Option<Arc<Error>>,
}

/// An object that a message tells of.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// The message's place in the batch.
    pub(crate) message: usize,
    /// Its key, decoded.
    pub(crate) key: String,
    /// When S3 had it.
    pub(crate) landed_at: DateTime<Utc>,
}

/// All messages of an invocation.
#[derive(Debug)]
pub(crate) struct Batch {
    /// In their order.
    pub(crate) messages: Vec<Message>,
}

/// SQS gives every message an id; without one the batch cannot be answered message by message.
#[derive(Debug, thiserror::Error)]
#[error("a message of the batch has no id")]
pub struct NoMessageId;

impl Batch {
    /// Sorts what the messages tell by partition. A message that cannot be read has failed.
    pub(crate) fn read(event: SqsEvent) -> Result<(Self, BTreeMap<Partition, Vec<Object>>), NoMessageId> {
        let mut batch = Self { messages: Vec::with_capacity(event.records.len()) };
        let mut objects: BTreeMap<Partition, Vec<Object>> = BTreeMap::new();
        for (index, record) in event.records.into_iter().enumerate() {
            let mut message = Message::read(record)?;
            match event::objects_created(&message.body) {
                Ok(created) => {
                    for object in created {
                        match Partition::of(&object.bucket, &object.key) {
                            Some(partition) => {
                                let object = Object { message: index, key: object.key, landed_at: object.landed_at };
                                objects.entry(partition).or_default().push(object);
                            }
                            None => {
                                tracing::warn!(bucket = object.bucket, key = object.key, "Ignored an object that lies in no partition.")
                            }
                        }
                    }
                }
                Err(error) => message.error = Some(Arc::new(Error::NotANotification(error))),
            }
            batch.messages.push(message);
        }
        Ok((batch, objects))
    }

    /// Marks a message as failed, if it is not already.
    pub(crate) fn fail(&mut self, message: usize, error: &Arc<Error>) {
        if let Some(message) = self.messages.get_mut(message) {
            message.error.get_or_insert_with(|| Arc::clone(error));
        }
    }

    /// How often a message was received.
    pub(crate) fn receives(&self, message: usize) -> u32 {
        self.messages.get(message).map_or(1, |message| message.receives)
    }
}

impl Message {
    fn read(record: SqsMessage) -> Result<Self, NoMessageId> {
        let receives = record.attributes.get(RECEIVE_COUNT).and_then(|count| count.parse().ok()).unwrap_or(1);
        Ok(Self { id: record.message_id.ok_or(NoMessageId)?, body: record.body.unwrap_or_default(), receives, error: None })
    }
}
