//! What stands in for EventBridge: the default bus, whose rules invoke functions with the events that match their patterns.
//!
//! A rule invokes asynchronously: whoever puts an event does not wait, and a failed invocation is not tried again (the
//! template allows its functions no retries; on AWS the event then goes to their dead letters).

mod bus;
mod pattern;

pub use bus::{Bus, Rule};
pub use pattern::{Pattern, PatternError};
