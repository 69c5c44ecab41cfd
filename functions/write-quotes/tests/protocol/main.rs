//! The protocol's code, searched: every interleaving of small histories, and random long ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod histories;
mod model;
mod search;
