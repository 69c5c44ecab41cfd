//! What stands in for EventBridge Scheduler: invokes a function at the times that an expression gives, or every so often.
//!
//! Never two invocations of one schedule at once: a tick that comes while the function is at work is skipped. (On AWS it would
//! start a second environment; locally ticks may come every few milliseconds.) A failed invocation is not tried again, the
//! next tick comes anyway.

mod expression;
mod input;
mod schedule;

pub use expression::{Expression, ExpressionError};
pub use schedule::{Schedule, ScheduleConfig, ScheduleProgress, Ticks};
