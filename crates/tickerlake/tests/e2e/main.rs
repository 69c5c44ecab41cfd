//! The whole pipeline, driven as a person drives it: the real `tickerlake` binary, and through it the real functions.
//!
//! Each test has a data folder and ports of its own, so all of them run at once. What a test compares is worked out here
//! from the contract, not by the code under test: a mistake in `crates/quotes` must not cancel itself out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod audit;
mod aws_clients;
mod bad_input;
mod compaction;
mod exchange;
mod freshness;
mod harness;
mod kill;
mod lake;
mod live;
mod poison;
mod processes;
mod providers;
mod quarantine;
mod query;
mod recording;
mod replay;
