//! The function's own binary behind the local Lambda and the local S3, through every fault at every durable step.
//!
//! Each durable step is a request to S3, so the faults lie there, and the binary is the one that deploys: a step's request
//! is held before or after its effect, and the process is killed, stopped or overtaken meanwhile. What is stored is read
//! from the objects alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod lake;
mod limits;
mod matrix;
mod overlap;
mod records;
mod stack;
