//! What can go wrong outside of a function's own code.

use std::io;
use std::path::PathBuf;

/// Why the Lambda stand-in could not be started or a function not be added.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener's port is taken, or cannot be bound for another reason.
    #[error("cannot listen on 127.0.0.1:{port} for the Lambda API")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A function's log file could not be opened.
    #[error("cannot open the log file {}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A function's name that Lambda would not take either.
    #[error("{name:?} cannot be a function's name: 1 to 64 letters, digits, - and _")]
    Name {
        /// The name.
        name: String,
    },
    /// A second function of the same name.
    #[error("a function named {name} is already there")]
    Duplicate {
        /// The name.
        name: String,
    },
}

/// Why an invocation could not be made at all. What happens inside of one is an `Outcome`.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The event is above Lambda's limit.
    #[error("the event for {function} has {bytes} bytes, more than Lambda's {}", super::PAYLOAD_LIMIT)]
    PayloadTooLarge {
        /// The function.
        function: String,
        /// The event's size.
        bytes: usize,
    },
    /// The binary could not be started.
    #[error("cannot start {}", binary.display())]
    Spawn {
        /// The binary.
        binary: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The function was stopped.
    #[error("the function {function} is stopped")]
    Stopped {
        /// The function.
        function: String,
    },
}

impl InvokeError {
    /// Whether the same invocation could succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Spawn { .. })
    }
}
