//! What can go wrong with a queue.

use std::io;
use std::path::PathBuf;

/// Why a queue could not be opened or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The queue's file could not be read or written.
    #[error("cannot {what} the queue's file {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The queue's file has a line, other than the last, that was not written by this module.
    #[error("line {line} of the queue's file {} cannot be read", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl Error {
    /// Whether trying again can help: a full disk may be emptied, a corrupt file stays one.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::File { .. })
    }
}
