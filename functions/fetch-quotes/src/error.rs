//! Why the function does not start, and why an invocation failed as a whole.

use std::fmt::Write as _;

use lambda_runtime::Diagnostic;

use crate::config::ConfigError;
use crate::producer::ProduceError;
use crate::source::SourceError;
use crate::sources::provider::http::TransportError;
use crate::sources::provider::key::SecretError;
use crate::sources::replay::ReplayError;
use crate::symbols::ObjectError;

/// Why the function does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The list of symbols.
    #[error(transparent)]
    Symbols(#[from] ObjectError),
    /// The Kafka user's secret.
    #[error(transparent)]
    Login(#[from] SecretError),
    /// The file to replay.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The HTTP client: this machine has no certificates to check a server's with.
    #[error("the HTTP client cannot be made")]
    Http(#[from] TransportError),
    /// The Kafka client.
    #[error(transparent)]
    Kafka(#[from] ProduceError),
}

/// Why an invocation failed as a whole: nothing was produced, or nothing could be fetched.
///
/// Whatever happens to single quotes is a failure in the [`crate::summary::Summary`] instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvocationError {
    /// The source gave no answer at all.
    #[error("nothing was fetched from the source {name}")]
    Fetch {
        /// The source's name.
        name: &'static str,
        #[source]
        source: SourceError,
    },
    /// Kafka took nothing.
    #[error("nothing was produced")]
    Produce(#[source] ProduceError),
}

impl InvocationError {
    /// Whether the same invocation can succeed later without anybody changing anything.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Fetch { source, .. } => source.is_retryable(),
            Self::Produce(error) => error.is_retryable(),
        }
    }
}

impl From<InvocationError> for Diagnostic {
    fn from(error: InvocationError) -> Self {
        let error_type = if error.is_retryable() { "Retryable" } else { "NonRetryable" };
        Self { error_type: error_type.to_owned(), error_message: chain(&error) }
    }
}

/// An error with its causes in one line: `nothing was produced: topic quotes: …`.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_is_told_whether_a_retry_can_help_and_every_cause() {
        let error = InvocationError::Produce(ProduceError::TopicMissing { topic: "quotes".to_owned() });
        let diagnostic = Diagnostic::from(error);
        assert_eq!(diagnostic.error_type, "NonRetryable");
        assert!(diagnostic.error_message.starts_with("nothing was produced: topic quotes does not exist"));
    }
}
