//! What the measurements share: the events that write-quotes is measured on, and how figures are taken and shown.

pub mod event;
pub mod figures;
