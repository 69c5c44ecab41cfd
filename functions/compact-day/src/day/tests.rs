//! The protocol, run as it is, against a model of S3, Glue and `start-crawler`.
//!
//! An actor does one request at a time, and a history decides whose request comes next, who dies, and whether what the dead had
//! under way still takes effect. After each request a query is made: it must see each of the day's old rows once, and no row
//! twice. In the end, after one run that nobody disturbs, it must see every row once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod explore;
mod histories;
mod removal;
mod world;
