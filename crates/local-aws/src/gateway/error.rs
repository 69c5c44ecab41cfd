//! Why the gateway did not start.

use std::io;

use crate::athena::AthenaError;
use crate::glue::GlueError;
use crate::s3::StoreError;

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Another process listens on the port: most often another `tickerlake local`.
    #[error("port {port} on 127.0.0.1 is in use")]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// The port cannot be listened on for another reason.
    #[error("cannot listen on port {port} of 127.0.0.1")]
    Listen {
        /// The port.
        port: u16,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// S3's folder cannot be used.
    #[error("the local S3 did not start")]
    S3(#[from] StoreError),
    /// Glue's catalog cannot be used, or the template's definitions do not fit it.
    #[error("the local Glue did not start")]
    Glue(#[from] GlueError),
    /// Athena's folder or work groups cannot be used.
    #[error("the local Athena did not start")]
    Athena(#[from] AthenaError),
}
