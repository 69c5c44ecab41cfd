//! Why the catalog did not open.

use std::io;
use std::path::PathBuf;

use crate::protocol::ApiError;

/// Why the catalog did not open.
#[derive(Debug, thiserror::Error)]
pub enum GlueError {
    /// The folder or the file cannot be read or written.
    #[error("the catalog {path} cannot be used")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The file system's reason.
        #[source]
        source: io::Error,
    },
    /// The file is not a catalog of this version.
    #[error("the catalog {path} is damaged; move it away to begin a new one")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it stops making sense.
        #[source]
        source: serde_json::Error,
    },
    /// A definition of the template is refused.
    #[error("the template's {what} is refused")]
    Seed {
        /// Which resource.
        what: &'static str,
        /// Glue's answer to it.
        #[source]
        source: ApiError,
    },
}
