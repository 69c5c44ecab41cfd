//! Why a day could not be compacted.

use std::error::Error as StdError;
use std::fmt::Write as _;

use aws_sdk_glue::error::{ProvideErrorMetadata, SdkError};
use chrono::NaiveDate;
use lake_store::StoreError;
use lambda_runtime::Diagnostic;

/// A cause of another crate's.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// Why a day stays as it is. Nothing is lost by any of these: readers go on with the files that they have.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A request to S3 failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Glue answered a call with an error, or not at all.
    #[error("{operation} of {subject} failed")]
    Glue {
        /// The API's operation.
        operation: &'static str,
        /// The partition that it was about.
        subject: String,
        /// Whether Glue may answer otherwise in some minutes.
        retryable: bool,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// The day is not over in New York: quotes still come in.
    #[error("{0} is not over in New York")]
    NotClosed(NaiveDate),
    /// Somebody led the partition to a place that is neither the day's own folder nor a compacted one.
    #[error("the partition dt={date} leads to {location:?}, where no compaction put it")]
    Elsewhere {
        /// The day.
        date: NaiveDate,
        /// The partition's Location.
        location: String,
    },
    /// An object lies where it would be a day's file but for a folder in between: its rows would be lost from sight.
    #[error("{0} lies in a folder below its day's")]
    Nested(String),
    /// A small object of the function's own holds something else.
    #[error("{key} is not what this function writes there")]
    Unreadable {
        /// The object's key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A generation that counts has no manifest.
    #[error("{0} has no manifest")]
    NoManifest(String),
    /// A file is no Parquet, or not with the table's columns.
    #[error("{key} cannot be read")]
    Damaged {
        /// The file's key.
        key: String,
        /// Parquet's or Arrow's error.
        #[source]
        source: BoxError,
    },
    /// A file was replaced or removed while the day was read.
    #[error("{0} changed while it was read")]
    Changed(String),
    /// A row is there twice. Compaction would hide which file is wrong.
    #[error("offset {offset} of partition {partition} of cluster {cluster} is there twice: `tickerlake audit` names the files")]
    Doubled {
        /// The row's cluster.
        cluster: String,
        /// The row's Kafka partition.
        partition: i32,
        /// The row's offset.
        offset: i64,
    },
    /// What came out is not what went in.
    #[error("{what}: {found} rows instead of {expected}")]
    Counts {
        /// The object or folder.
        what: String,
        /// Rows that went in.
        expected: u64,
        /// Rows that came out.
        found: u64,
    },
    /// The day's rows could not be made into Parquet.
    #[error("{what} could not be encoded")]
    Encode {
        /// The object.
        what: String,
        /// The encoder's error.
        #[source]
        source: BoxError,
    },
    /// The day does not fit.
    #[error("{date} has {bytes} bytes in files: for more than {limit} the function needs more memory")]
    TooLarge {
        /// The day.
        date: NaiveDate,
        /// Bytes in its files.
        bytes: u64,
        /// How many the function's memory allows.
        limit: u64,
    },
    /// Others changed the day again and again.
    #[error("the partition dt={0} was changed by others again and again")]
    Contended(NaiveDate),
    /// The invocation stopped before its deadline.
    #[error("stopped before the invocation's deadline; what is written stays, and the next run goes on with it")]
    OutOfTime,
}

impl Error {
    /// What the SDK reported about `operation` on `subject`.
    pub(crate) fn glue<E>(operation: &'static str, subject: impl Into<String>, error: SdkError<E>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let retryable = match &error {
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
            SdkError::ServiceError(answer) => {
                let codes =
                    ["ThrottlingException", "OperationTimeoutException", "InternalServiceException", "ConcurrentModificationException"];
                answer.raw().status().is_server_error() || answer.err().code().is_some_and(|code| codes.contains(&code))
            }
            _ => false,
        };
        Self::Glue { operation, subject: subject.into(), retryable, source: error.into() }
    }

    /// Whether another run can help without anybody mending something first.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.retryable,
            Self::Glue { retryable, .. } => *retryable,
            Self::Changed(_) | Self::Contended(_) | Self::OutOfTime => true,
            _ => false,
        }
    }

    /// The error and all that caused it, in one line.
    pub(crate) fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Writing to a String cannot fail.
            let _ = write!(line, ": {error}");
            cause = error.source();
        }
        line
    }
}

/// The invocation's failure: the first day that failed, and how many did.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {days} days could not be compacted; {date}: {}", source.chain())]
pub(crate) struct HandlerError {
    /// The first day that failed.
    pub(crate) date: NaiveDate,
    /// How many days failed.
    pub(crate) failed: usize,
    /// How many days were looked at.
    pub(crate) days: usize,
    /// Why the first one failed.
    pub(crate) source: Error,
}

impl From<HandlerError> for Diagnostic {
    fn from(error: HandlerError) -> Self {
        let kind = if error.source.is_retryable() { "Retryable" } else { "NonRetryable" };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}
