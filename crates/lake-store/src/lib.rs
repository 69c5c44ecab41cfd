//! What the functions that write to the lake share.
//!
//! [`Store`] is the lake's bucket with S3's conditional writes, on which the exactly-once protocol rests; [`files`] is the form
//! of the Parquet files in it.

mod error;
pub mod files;
mod store;

pub use error::StoreError;
pub use store::{Condition, Copied, Object, Put, Store, Version};
