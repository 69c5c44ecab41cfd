//! The data folder: who works in it, and where a running stack listens.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// A data folder that this process alone works in, until it is dropped or the process ends however it may.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

/// Where the stack that works in a folder listens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Endpoints {
    /// The AWS endpoint, `host:port`.
    pub(crate) aws: SocketAddr,
    /// Kafka's bootstrap servers.
    pub(crate) kafka: String,
    /// Whose Kafka it is.
    pub(crate) broker: Broker,
}

/// Whose Kafka a stack uses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Broker {
    /// The stack's, in its process.
    Embedded,
    /// The stack's, Apache Kafka with its data in this folder.
    Real(PathBuf),
    /// The user's own.
    Own,
}

/// What a question to a folder finds there.
#[derive(Debug)]
pub(crate) enum Occupied {
    /// Nobody: the folder is ours now.
    No(DataFolder),
    /// A running stack.
    By(Endpoints),
}

/// Where Apache Kafka has its data in a data folder.
pub(crate) const REAL_KAFKA: &str = "kafka-real";

/// How long another question to the same folder may take before one gives up.
const PATIENCE: Duration = Duration::from_secs(30);

impl DataFolder {
    /// Makes the folder if it is not there, and takes it.
    pub(crate) fn take(path: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(path).map_err(|error| Failure::new(format_args!("cannot make the data folder {}", path.display()), error))?;
        // Absolute, because the functions run in folders of their own.
        let path = fs::canonicalize(path).map_err(|error| unusable(path, error))?;
        match Self::try_take(&path)? {
            Some(folder) => {
                // A stack that was killed left word of where it listened.
                let _ = fs::remove_file(folder.endpoints_file());
                Ok(folder)
            }
            None => Err(Failure::plain(format_args!(
                "another tickerlake works in {}: stop it, or choose another folder with --data",
                path.display()
            ))),
        }
    }

    /// Takes the folder of an earlier run, or tells where the stack that has it listens.
    pub(crate) async fn visit(path: &Path) -> Result<Occupied, Failure> {
        if !path.join("s3").is_dir() {
            return Err(Failure::plain(format_args!(
                "there is no lake in {}: make one with `tickerlake local`, or name its folder with --data",
                path.display()
            )));
        }
        let path = fs::canonicalize(path).map_err(|error| unusable(path, error))?;
        let since = Instant::now();
        loop {
            if let Some(folder) = Self::try_take(&path)? {
                return Ok(Occupied::No(folder));
            }
            let endpoints = fs::read(path.join(ENDPOINTS)).ok().and_then(|json| serde_json::from_slice::<Endpoints>(&json).ok());
            if let Some(endpoints) = endpoints
                && tokio::net::TcpStream::connect(endpoints.aws).await.is_ok()
            {
                return Ok(Occupied::By(endpoints));
            }
            // A stack that is starting or ending, or another question.
            if since.elapsed() > PATIENCE {
                return Err(Failure::plain(format_args!("another tickerlake works in {} and does not answer", path.display())));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn try_take(path: &Path) -> Result<Option<Self>, Failure> {
        let lock = OpenOptions::new().create(true).append(true).open(path.join("lock")).map_err(|error| unusable(path, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { path: path.to_owned(), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(unusable(path, error)),
        }
    }

    /// The folder, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves word of where the stack listens.
    pub(crate) fn announce(&self, endpoints: &Endpoints) -> Result<(), Failure> {
        let json = serde_json::to_vec(endpoints).map_err(|error| Failure::new("cannot describe the endpoints", error))?;
        // Renamed into place, so that nobody reads half of it.
        let temporary = self.path.join("endpoints.new");
        fs::write(&temporary, json)
            .and_then(|()| fs::rename(&temporary, self.endpoints_file()))
            .map_err(|error| unusable(&self.path, error))
    }

    fn endpoints_file(&self) -> PathBuf {
        self.path.join(ENDPOINTS)
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.endpoints_file());
    }
}

const ENDPOINTS: &str = "endpoints.json";

fn unusable(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(format_args!("cannot use the data folder {}", path.display()), error)
}
