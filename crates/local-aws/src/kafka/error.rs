//! Why Apache Kafka could not be started.

use std::io;
use std::path::PathBuf;

use kafka_client::Refusal;

/// Why Apache Kafka could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not installed.
    #[error("{program} is missing: install {install}")]
    Missing {
        /// The program.
        program: &'static str,
        /// What brings it.
        install: &'static str,
    },
    /// Java is there, but too old.
    #[error("Java {found} is too old: Kafka needs Java {needed} or newer")]
    OldJava {
        /// Its version.
        found: u32,
        /// The oldest that serves.
        needed: u32,
    },
    /// Maven did not bring the jars.
    #[error("Maven could not fetch Apache Kafka {version}: {reason}")]
    Download {
        /// Kafka's version.
        version: String,
        /// Maven's words.
        reason: String,
    },
    /// There is no folder for what is kept between runs of this user.
    #[error("there is no cache folder: set HOME or XDG_CACHE_HOME")]
    NoCache,
    /// A file or folder cannot be read or written.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is there, but does not hold what it should.
    #[error("{} cannot be used: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate could not be made.
    #[error("a certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    /// Another program listens on the port.
    #[error("the port {port} is in use by another program")]
    PortBusy {
        /// The port.
        port: u16,
    },
    /// No port could be found that nobody listens on.
    #[error("no free port was found on 127.0.0.1")]
    NoPort,
    /// A process could not be run at all.
    #[error("cannot run {program}")]
    Run {
        /// The program.
        program: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// One of Kafka's commands failed.
    #[error("{what} failed: {reason}")]
    Command {
        /// What was done.
        what: &'static str,
        /// The command's last words.
        reason: String,
    },
    /// A node's disk is still used by a process that should have ended.
    #[error("another Kafka still works in {}", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A node ended while it was being started.
    #[error("Kafka's node {node} ended while starting: {reason}; its log is {}", log.display())]
    Ended {
        /// The node.
        node: u16,
        /// Its last words.
        reason: String,
        /// Its log.
        log: PathBuf,
    },
    /// The nodes don't answer.
    #[error("Kafka does not answer at {servers}; its log is {}", log.display())]
    Unanswered {
        /// Where.
        servers: String,
        /// The log of the first node.
        log: PathBuf,
        /// Why, if it shows.
        #[source]
        source: Option<Refusal>,
    },
    /// The cluster's id cannot be read or kept.
    #[error(transparent)]
    ClusterId(#[from] crate::broker::Error),
}
