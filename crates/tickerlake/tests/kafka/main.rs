//! The pipeline on Apache Kafka itself: TLS, users and rights, brokers that are killed, logs that begin again or lose records.
//!
//! Java and Maven are prerequisites of the tests as cmake is: nothing here is skipped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod begun_again;
mod expired;
mod failover;
mod kafka;
mod local;
mod refusals;

// What the pipeline's other tests drive it with.
#[allow(dead_code)]
#[path = "../e2e/harness.rs"]
mod harness;
#[allow(dead_code)]
#[path = "../e2e/lake.rs"]
mod lake;
#[allow(dead_code)]
#[path = "../e2e/processes.rs"]
mod processes;
