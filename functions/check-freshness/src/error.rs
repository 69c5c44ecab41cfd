//! Why a check failed.

use std::error::Error as StdError;
use std::fmt::Write as _;

use aws_sdk_athena::error::{ProvideErrorMetadata, SdkError};
use lambda_runtime::Diagnostic;

/// Why a check failed. It is not tried again: the next one asks a fresher question.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Athena or S3 answered a call with an error, or not at all.
    #[error("{operation} of {subject} failed")]
    Call {
        /// The API's operation.
        operation: &'static str,
        /// The query, workgroup or prefix that it was about.
        subject: String,
        /// Whether the service may answer otherwise in some minutes: throttled, timed out, or failed by itself.
        retryable: bool,
        /// The SDK's error.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Athena gave the query up.
    #[error("query {query} failed: {reason}")]
    Failed {
        /// The query's execution id.
        query: String,
        /// Athena's own words.
        reason: String,
        /// Whether Athena says that the same query can succeed.
        retryable: bool,
    },
    /// Somebody cancelled the query, or it would have scanned more than the workgroup allows.
    #[error("query {query} was cancelled: {reason}")]
    Cancelled {
        /// The query's execution id.
        query: String,
        /// Athena's own words.
        reason: String,
    },
    /// The query did not end within the invocation's time.
    #[error("query {query} was still {state} when the invocation's time was over{}", if *.stopped { "; it was stopped" } else { ", and could not be stopped" })]
    TimedOut {
        /// The query's execution id.
        query: String,
        /// Its last known state.
        state: String,
        /// Whether Athena took the request to stop it. It scans, and costs, no more then.
        stopped: bool,
    },
    /// Something else did not come to an end within the invocation's time.
    #[error("{what} took longer than the invocation")]
    OutOfTime {
        /// What was under way.
        what: String,
    },
    /// Athena's answer is not what the query asks for.
    #[error("the rows of query {query} cannot be read: {reason}")]
    Unreadable {
        /// The query's execution id.
        query: String,
        /// What is wrong with them.
        reason: String,
    },
}

impl Error {
    /// What the SDK reported about `operation` on `subject`.
    pub(crate) fn call<E>(operation: &'static str, subject: impl Into<String>, error: SdkError<E>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let retryable = match &error {
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status();
                status.is_server_error() || answer.err().code().is_some_and(|code| THROTTLED.contains(&code))
            }
            _ => false,
        };
        Self::Call { operation, subject: subject.into(), retryable, source: error.into() }
    }

    /// Whether the next check may fare better without anybody changing anything.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Call { retryable, .. } | Self::Failed { retryable, .. } => *retryable,
            Self::TimedOut { .. } | Self::OutOfTime { .. } => true,
            Self::Cancelled { .. } | Self::Unreadable { .. } => false,
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

/// The codes by which the services ask for patience.
const THROTTLED: [&str; 5] = ["ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"];

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        let error_type = if error.is_retryable() { "Retryable" } else { "NonRetryable" };
        Self { error_type: error_type.to_owned(), error_message: error.chain() }
    }
}
