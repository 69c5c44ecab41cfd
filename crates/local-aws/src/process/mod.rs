//! Processes of the local stack's own: each leads a process group, and none outlives the stack.

mod group;
mod watchdog;

pub(crate) use group::Group;
pub(crate) use watchdog::Watchdog;
