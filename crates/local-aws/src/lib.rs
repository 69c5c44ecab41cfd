//! What stands in for AWS on one machine, one module per service.
//!
//! The functions that deploy run here unmodified: `lambda` serves them the Runtime API, `mapping`, `sqs` and `scheduler`
//! invoke them as their AWS namesakes do, and `template` reads all wiring from the same `template.yaml` that deploys.

pub mod athena;
pub mod broker;
pub mod clock;
pub mod eventbridge;
pub mod gateway;
pub mod glue;
pub mod kafka;
pub mod lambda;
pub mod mapping;
mod process;
pub mod protocol;
pub mod s3;
pub mod scheduler;
pub mod sqs;
pub mod template;
