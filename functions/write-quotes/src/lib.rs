//! Writes batches of Kafka records to S3 as Parquet, each record exactly once.
//!
//! The story of one invocation is in [`handler`]. What makes it exactly once is [`protocol`]: pure,
//! and searched exhaustively in this package's tests; [`writer`] carries out its steps.

pub mod batch;
pub mod config;
pub mod error;
pub mod event;
pub mod handler;
pub mod parquet;
pub mod protocol;
pub mod quarantine;
pub mod watermark;
pub mod writer;
