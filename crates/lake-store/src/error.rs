//! What can go wrong with a request to S3.

use std::error::Error;

/// A request to S3 that did not end in an answer that its caller knows.
#[derive(Debug, thiserror::Error)]
#[error("{operation} s3://{bucket}/{key} failed: {reason}")]
pub struct StoreError {
    /// The operation's name in the S3 API.
    pub operation: &'static str,
    /// The bucket.
    pub bucket: String,
    /// The object's key, or the prefix that was to be listed.
    pub key: String,
    /// S3's error code, or what happened instead of an answer.
    pub reason: String,
    /// Whether the same request may succeed later. A refusal (403, a missing bucket) does not mend itself.
    pub retryable: bool,
    /// The SDK's error.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}
