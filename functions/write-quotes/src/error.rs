//! What can go wrong in an invocation.
//!
//! Every error makes the mapping deliver the batch again; what was stored before it stays stored
//! and is not stored twice. None is about a record: a bad record goes to quarantine.

use lake_store::StoreError;
use lambda_runtime::Diagnostic;
use quotes::keys::LogId;

use crate::watermark::WatermarkError;

/// Why a log's records could not all be stored.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A request to S3 failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The watermark object does not hold a watermark: somebody wrote over it. Retrying cannot help.
    #[error("{key}: {source}")]
    Watermark {
        /// The watermark's key.
        key: String,
        /// What is wrong with it.
        source: WatermarkError,
    },
    /// A file of ours does not say how far it covers its log. Retrying cannot help.
    #[error("s3://{bucket}/{key} does not say which offset it ends with")]
    Uncovered {
        /// The bucket.
        bucket: String,
        /// The file's key.
        key: String,
    },
    /// The rows could not be made into Parquet. Retrying cannot help.
    #[error("{key} could not be encoded")]
    Parquet {
        /// The file's key.
        key: String,
        /// Parquet's error.
        source: ::parquet::errors::ParquetError,
    },
    /// A small JSON object could not be encoded. Retrying cannot help.
    #[error("{key} could not be encoded")]
    Json {
        /// The object's key.
        key: String,
        /// The encoder's error.
        source: serde_json::Error,
    },
    /// The invocation stopped before its deadline; the next one goes on where it stopped.
    #[error("stopped before the invocation's deadline; what is stored stays, the rest comes again")]
    OutOfTime,
}

impl WriteError {
    /// Whether delivering the batch again can help without anybody mending something first.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.retryable,
            Self::OutOfTime => true,
            Self::Watermark { .. } | Self::Uncovered { .. } | Self::Parquet { .. } | Self::Json { .. } => false,
        }
    }
}

/// The invocation's failure: the first log that failed, and how many did.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {logs} logs could not be stored; {log}: {source}")]
pub struct HandlerError {
    /// The first log that failed.
    pub log: LogId,
    /// How many logs failed.
    pub failed: usize,
    /// How many logs the event had.
    pub logs: usize,
    /// Why the first one failed.
    pub source: WriteError,
}

impl From<HandlerError> for Diagnostic {
    fn from(error: HandlerError) -> Self {
        let kind = if error.source.is_retryable() { "Retryable" } else { "NonRetryable" };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}
