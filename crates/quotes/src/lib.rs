//! What a quote is.
//!
//! Everything here is pure: no I/O, no clock, no async, no AWS. A quote travels as
//! [`quote::Quote`], in Kafka as its JSON form ([`json`]), in the lake as a row of the Arrow
//! schema ([`schema`], [`columns`]) under the object keys of [`keys`].
//!
//! Two rules in this crate are frozen, because object keys and the exactly-once protocol rest on
//! them: what poison is ([`json::from_record`]) and which day a record belongs to
//! ([`calendar::Calendar`]). Changing either needs the event source mapping drained first.

pub mod calendar;
pub mod cluster;
pub mod columns;
pub mod compaction;
pub mod decimal;
pub mod hours;
pub mod json;
pub mod keys;
pub mod quote;
pub mod schema;
pub mod symbol;
mod text;
pub mod time;

pub use cluster::CLUSTER_HEADER;
pub use decimal::Decimal;
pub use quote::Quote;
pub use time::Timestamp;
