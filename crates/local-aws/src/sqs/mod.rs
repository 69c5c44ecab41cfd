//! What stands in for SQS: standard queues in this process that survive `kill -9`, and the event source mapping that reads them.
//!
//! A received message is hidden for the visibility timeout and comes back unless it is deleted. A message that was received
//! `maxReceiveCount` times goes to the dead-letter queue instead of being received once more.
//!
//! Clients reach the queues by their URLs through the gateway ([`QueueEndpoint`]), functions and people alike.
//!
//! What survives a restart: messages and their receive counts. What does not: the time that a message stays hidden, since
//! whoever received it is gone.

mod api;
mod attribute;
mod error;
mod event;
mod journal;
mod mapping;
mod queue;
mod response;

pub use api::QueueEndpoint;
pub(crate) use api::Sqs;
pub(crate) use api::query_code;
pub use attribute::{Attribute, Attributes};
pub use error::Error;
pub use mapping::{QueueMapping, QueueMappingConfig, QueueProgress};
pub use queue::{Counts, Queue, QueueConfig, ReceivedMessage, Redrive, messages_in};
