//! What stands in for a Lambda event source mapping on self-managed Kafka.
//!
//! Reads a topic, gathers records of all its partitions until the batch is full, the batch window has passed or the event
//! would be above 6 MB, invokes the function, and commits the offsets to the consumer group once the function succeeded.
//! A batch that fails is tried again, whole and unchanged, until it succeeds: what a mapping on AWS does unless it is told
//! to discard records. So delivery is at least once, and one record that always fails blocks the topic.
//!
//! A record that alone is above the limit can never be delivered; AWS drops it (to the on-failure destination, if there is
//! one). Here it is dropped, too, counted and logged.
//!
//! Partitions are assigned, not subscribed to: there is one reader, and a group would wait 45 s for the one that was killed.

mod batch;
mod config;
mod consumer;
mod error;
mod poller;
mod progress;
mod record;

pub use config::{Backoff, KafkaMappingConfig, Security};
pub use error::Error;
pub use poller::KafkaMapping;
pub use progress::{PartitionProgress, Progress};
