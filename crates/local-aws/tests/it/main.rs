//! Integration tests: what needs processes, sockets or a broker. One binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broker;
mod lambda;
mod mapping;
mod support;
