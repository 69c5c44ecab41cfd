//! Integration tests: what needs processes, sockets or a broker. One binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod athena;
mod athena_named_queries;
mod athena_statements;
mod athena_trino;
mod athena_writes;
mod broker;
mod faults;
mod gateway;
mod glue;
mod glue_requests;
mod lambda;
mod mapping;
mod s3;
mod sqs;
mod stack;
mod support;
mod template;
