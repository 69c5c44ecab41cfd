//! S3 for one machine: s3s's REST protocol over s3s-fs's plain files, made exact.
//!
//! An object lives at `<root>/<bucket>/<key>` as an ordinary file; s3s-fs keeps its attributes and its ETag in two
//! files of their own beside the buckets ([`sidecar`]). On its own s3s-fs checks a condition and writes in separate
//! steps, so two conditional writes can both win. [`Store`] puts one lock per key around it and mends what else keeps
//! the protocol from being S3's; what a `kill -9` leaves half done is settled at start ([`recovery`]).
//!
//! Limits of plain files: a key `a` cannot stand beside a key `a/b`, and a bucket's and a key's name share the 255
//! bytes of one file name (longer ones are refused with `KeyTooLongError`).

mod body;
mod encoding;
mod event;
pub mod faults;
mod files;
mod location;
mod locks;
mod notification;
mod recovery;
mod sidecar;
mod store;

pub use location::{LocationError, S3Location};
pub use notification::{ObjectCreated, ObjectCreatedHook};
pub use recovery::Recovered;
pub use store::{Store, StoreError};

pub(crate) use files::{StoredFile, visible_files};
