//! `start-crawler`: makes what lands in the lake queryable.
//!
//! S3 tells of each new object through SQS. An object in a partition that Glue knows is visible to
//! Athena already. A day's first object registers its partition, so that its rows are visible in
//! seconds, and starts the crawler, which reconciles the table with the lake. An object that lands
//! in a day that is compacted already is copied to where the day is read from by then.

mod batch;
mod catalog;
pub mod config;
mod crawl;
mod dead_letters;
mod error;
mod event;
mod generation;
pub mod handler;
mod partition;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use batch::NoMessageId;

/// Tells the time: the system's, or a test's.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;
