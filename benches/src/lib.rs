//! What the measurements of write-quotes share: the events that it is measured on.

pub mod event;
