//! What is told about a new object, as S3's event notifications tell it.

use std::sync::Arc;

/// An object that was just created and acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectCreated {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key, not URL-encoded (S3's own event encodes it).
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// The ETag without its quotes.
    pub etag: String,
    /// As an S3 event names it: `ObjectCreated:Put`, `ObjectCreated:Copy` or `ObjectCreated:CompleteMultipartUpload`.
    pub event_name: &'static str,
}

/// Called once for each object created, after it is stored and before the client has its answer, while the key is
/// still locked: the calls for one key come in the order of the writes. It must not block and must not call S3.
pub type ObjectCreatedHook = Arc<dyn Fn(ObjectCreated) + Send + Sync>;
