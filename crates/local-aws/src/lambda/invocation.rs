//! What an invocation came to.

use super::error::InvokeError;
use bytes::Bytes;
use std::time::Duration;

/// Invokes a function and waits for its outcome. What `Function` does; pollers and schedules depend on no more.
#[async_trait::async_trait]
pub trait Invoke: Send + Sync {
    /// The function's name.
    fn name(&self) -> &str;

    /// Invokes synchronously.
    async fn invoke(&self, payload: Bytes) -> Result<Invocation, InvokeError>;
}

/// The report on one invocation: what Lambda writes as its `REPORT` line, and the outcome.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// `AwsRequestId`.
    pub request_id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// From handing over the event until the outcome was known.
    pub duration: Duration,
    /// From starting the process until it asked for its first event; `None` if it was warm.
    pub init_duration: Option<Duration>,
    /// The process's peak resident memory in bytes (`VmHWM`) since it was started; `None` if it had already ended.
    pub peak_memory: Option<u64>,
    /// Whether a process had to be started for it.
    pub start: Start,
}

/// Whether an invocation found a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// A process was started for it.
    Cold,
    /// A waiting process took it.
    Warm,
}

/// What became of an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The function's response.
    Success(Bytes),
    /// The function's handler returned an error or panicked.
    FunctionError {
        /// `errorType`.
        error_type: String,
        /// `errorMessage`.
        error_message: String,
    },
    /// The function took longer than its timeout, and was killed.
    TimedOut {
        /// The timeout.
        after: Duration,
    },
    /// The process ended in the middle of the invocation.
    Crashed {
        /// How, such as `exit status: 101` or `signal: 9 (SIGKILL)`.
        exit: String,
        /// The last lines of its stderr, which is where a panic's text is.
        stderr: String,
    },
    /// The process ended, or reported an error, before it asked for its first event.
    InitError {
        /// `errorType`; `Runtime.ExitError` if it just ended.
        error_type: String,
        /// `errorMessage`.
        error_message: String,
        /// The last lines of its stderr.
        stderr: String,
    },
}

impl Outcome {
    /// Whether it is `Success`.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Success(_))
    }

    /// What Lambda tells a caller: `None` for success, else `errorType` and `errorMessage`.
    pub fn error(&self) -> Option<(String, String)> {
        match self {
            Self::Success(_) => None,
            Self::FunctionError { error_type, error_message } | Self::InitError { error_type, error_message, .. } => {
                Some((error_type.clone(), error_message.clone()))
            }
            Self::TimedOut { after } => {
                Some(("Sandbox.Timedout".to_owned(), format!("Task timed out after {:.2} seconds", after.as_secs_f64())))
            }
            Self::Crashed { exit, stderr } => {
                let mut message = format!("Runtime exited with error: {exit}");
                if let Some(last) = stderr.lines().last() {
                    message.push_str(": ");
                    message.push_str(last);
                }
                Some(("Runtime.ExitError".to_owned(), message))
            }
        }
    }
}

impl Invocation {
    /// The line that Lambda writes to a function's log after each invocation.
    pub(super) fn report(&self) -> String {
        let mut line = format!("REPORT RequestId: {} Duration: {:.2} ms", self.request_id, self.duration.as_secs_f64() * 1000.0);
        if let Some(bytes) = self.peak_memory {
            line.push_str(&format!(" Max Memory Used: {} MB", bytes.div_ceil(1024 * 1024)));
        }
        if let Some(init) = self.init_duration {
            line.push_str(&format!(" Init Duration: {:.2} ms", init.as_secs_f64() * 1000.0));
        }
        if let Some((error_type, message)) = self.outcome.error() {
            line.push_str(&format!(" Status: error Error Type: {error_type} Error: {message}"));
        }
        line
    }
}
