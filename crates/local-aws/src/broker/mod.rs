//! What stands in for Kafka on EC2: tansu-broker in this process, with its log in a file.
//!
//! The folder holds `kafka.db` (an SQLite file) and `cluster-id`. Another id on the same file would show an empty cluster, so
//! it is made once and kept. One process per folder: the caller locks it.
//!
//! Differences from Apache Kafka that its users must know: no TLS, no topics made by themselves, the metadata of a committed
//! offset is stored but never given back, `message.timestamp.type` is ignored (records keep the producer's time), deleting a
//! topic crashes librdkafka clients that know it, and snappy makes a partition unreadable.

pub(crate) mod cluster_id;
mod error;
mod server;
mod serving;
mod watch;

pub use error::Error;
pub use server::{Broker, Topic};
