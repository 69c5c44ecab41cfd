//! The real handler against the local Glue, SQS and S3, wired as the template says, on a clock that the tests move.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod compacted;
mod dead_letters;
mod notices;
mod objects;
mod three_weeks;
mod world;
