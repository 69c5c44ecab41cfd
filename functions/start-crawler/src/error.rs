//! Why a message could not be worked off.

use std::error::Error as StdError;
use std::fmt::Write as _;

use aws_sdk_glue::error::{ProvideErrorMetadata, SdkError};
use chrono::{DateTime, SecondsFormat, Utc};

/// Why a message goes back to its queue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The body is nothing that S3 sends. It comes back until the queue hands it to its dead letters.
    #[error("the message is not an S3 notification")]
    NotANotification(#[source] serde_json::Error),
    /// Glue does not have the table, or its database.
    #[error("Glue has no table {database}.{table}")]
    NoTable {
        /// The configured database.
        database: String,
        /// The configured table.
        table: String,
        /// Glue's answer.
        #[source]
        source: BoxError,
    },
    /// Glue does not have the crawler.
    #[error("Glue has no crawler {crawler}")]
    NoCrawler {
        /// The configured crawler.
        crawler: String,
        /// Glue's answer.
        #[source]
        source: BoxError,
    },
    /// The partition is registered, or would have to be, for another place: Athena does not see the object.
    #[error("{partition} lies in {expected}, but Glue looks for it in {found}")]
    OtherLocation {
        /// The partition, `dt=YYYY-MM-DD`.
        partition: String,
        /// The object's folder.
        expected: String,
        /// The partition's Location, or what the table's makes of it.
        found: String,
    },
    /// A crawl is under way that began before the object landed: it may have listed the folder by then.
    #[error("crawler {crawler} is running since {}, before the object landed: the crawl is asked for again", began.to_rfc3339_opts(SecondsFormat::Millis, true))]
    CrawlerBusy {
        /// The configured crawler.
        crawler: String,
        /// When the crawl that is running began.
        began: DateTime<Utc>,
    },
    /// Glue answered a call with an error, or not at all.
    #[error("{operation} of {subject} failed")]
    Glue {
        /// The API's operation.
        operation: &'static str,
        /// The partition, table or crawler that it was about.
        subject: String,
        /// Whether Glue may answer otherwise in some minutes: throttled, timed out, or failed by itself.
        retryable: bool,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
}

type BoxError = Box<dyn StdError + Send + Sync>;

impl Error {
    /// What the SDK reported about `operation` on `subject`.
    pub(crate) fn glue<E>(operation: &'static str, subject: impl Into<String>, error: SdkError<E>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let retryable = match &error {
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
            SdkError::ServiceError(answer) => {
                answer.raw().status().is_server_error()
                    || matches!(
                        answer.err().code(),
                        Some(
                            "ThrottlingException"
                                | "Throttling"
                                | "TooManyRequestsException"
                                | "RequestLimitExceeded"
                                | "OperationTimeoutException"
                                | "InternalServiceException"
                                | "ResourceNotReadyException"
                                | "ConcurrentModificationException"
                        )
                    )
            }
            _ => false,
        };
        Self::Glue { operation, subject: subject.into(), retryable, source: error.into() }
    }

    /// Whether waiting can help. If not, someone must mend the message, the stack or its permissions.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::CrawlerBusy { .. } => true,
            Self::Glue { retryable, .. } => *retryable,
            Self::NotANotification(_) | Self::NoTable { .. } | Self::NoCrawler { .. } | Self::OtherLocation { .. } => false,
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
