//! One run of the broker: its log, its listener, and a runtime of its own.

use super::error::Error;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tansu_broker::broker::Broker as Tansu;
use tansu_broker::coordinator::group::administrator::Controller;
use tansu_storage::StorageContainer;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use url::Url;
use uuid::Uuid;

const NODE_ID: i32 = 1;
const THREADS: usize = 2;
/// How long the last owner of the file may take to let go of it.
const LOCKED: Duration = Duration::from_secs(10);
const LOCKED_RETRY: Duration = Duration::from_millis(5);

type Server = Tansu<Controller<StorageContainer>, StorageContainer>;

/// A broker that serves. Dropping it ends it; what was acknowledged is in its file.
///
/// Its tasks have threads of their own: a thread that something else in the process blocks would keep the broker's tasks waiting.
pub(super) struct Serving {
    /// Always there but while it is dropped.
    runtime: Option<Runtime>,
    task: JoinHandle<Result<(), tansu_broker::Error>>,
    /// The log is opened through this descriptor, now and for each further connection to it.
    _handle: Arc<File>,
}

impl Serving {
    /// Opens the log in `folder` through its descriptor, and serves it on 127.0.0.1.
    pub(super) async fn start(folder: &Path, handle: &Arc<File>, port: u16, cluster_id: &str) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).thread_name("kafka-broker").enable_all().build();
        let runtime =
            runtime.map_err(|source| Error::File { what: "start the threads of the broker in", path: folder.to_owned(), source })?;
        // The broker's storage starts tasks while it is built: they belong to the same threads.
        let opened = {
            let (folder, handle, cluster_id) = (folder.to_owned(), Arc::clone(handle), cluster_id.to_owned());
            runtime.spawn(async move {
                let server = open(&folder, &handle, port, &cluster_id).await?;
                // Without it reading a record with a header reads all headers: the time of a fetch grows with the log.
                index_headers(&folder.join("kafka.db")).await.map_err(|source| storage(&folder, source))?;
                Ok(server)
            })
        };
        let mut server = match opened.await.map_err(|source| storage(folder, source)).flatten() {
            Ok(server) => server,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let task = runtime.spawn(async move { server.serve(Instant::now()).await });
        Ok(Self { runtime: Some(runtime), task, _handle: Arc::clone(handle) })
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Why it has ended.
    pub(super) async fn end(&mut self, port: u16) -> Error {
        match (&mut self.task).await {
            Ok(Err(tansu_broker::Error::Io(source))) if source.kind() == io::ErrorKind::AddrInUse => Error::PortBusy { port },
            Ok(Err(source)) => Error::Ended { port, source: Some(Box::new(source)) },
            Ok(Ok(())) => Error::Ended { port, source: None },
            Err(source) => Error::Ended { port, source: Some(Box::new(source)) },
        }
    }

    /// Ends it. One that hangs is left behind after `patience`.
    pub(super) async fn stop(mut self, patience: Duration) {
        self.task.abort();
        if !self.has_ended() {
            let _ = tokio::time::timeout(patience, &mut self.task).await;
        }
    }

    /// Ends its task.
    #[cfg(test)]
    pub(super) fn abort(&self) {
        self.task.abort();
    }

    /// Blocks its threads until the gate's sender is dropped.
    #[cfg(test)]
    pub(super) fn block(&self, gate: &Arc<std::sync::Mutex<std::sync::mpsc::Receiver<()>>>) {
        for _ in 0..THREADS {
            let gate = Arc::clone(gate);
            if let Some(runtime) = &self.runtime {
                runtime.spawn(async move { gate.lock().map(|gate| gate.recv().is_err()).is_ok() });
            }
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(runtime) = self.runtime.take() {
            // A runtime may not be waited for where other tasks run.
            runtime.shutdown_background();
        }
    }
}

/// Opens the log. A broker that was just stopped or killed may hold it for some milliseconds more.
async fn open(folder: &Path, handle: &File, port: u16, cluster_id: &str) -> Result<Server, Error> {
    let wrong = |source: url::ParseError| storage(folder, source);
    let listener = Url::parse(&format!("tcp://127.0.0.1:{port}")).map_err(wrong)?;
    // Through the descriptor, because the broker takes no path with blanks or # in it.
    let log = Url::parse(&format!("sqlite:////proc/self/fd/{}/kafka.db", handle.as_raw_fd())).map_err(wrong)?;
    let deadline = Instant::now() + LOCKED;
    loop {
        let built = Tansu::<Controller<StorageContainer>, StorageContainer>::builder()
            .node_id(NODE_ID)
            .cluster_id(cluster_id)
            .incarnation_id(Uuid::new_v4())
            .advertised_listener(listener.clone())
            .listener(listener.clone())
            .storage(log.clone())
            .silent(true)
            .build()
            .await;
        match built {
            Ok(server) => return Ok(server),
            Err(error) if is_locked(&error) && Instant::now() < deadline => sleep(LOCKED_RETRY).await,
            Err(error) => return Err(storage(folder, error)),
        }
    }
}

async fn index_headers(log: &PathBuf) -> Result<(), libsql::Error> {
    let deadline = Instant::now() + LOCKED;
    let connection = libsql::Builder::new_local(log).build().await?.connect()?;
    loop {
        let made = connection.execute("create index if not exists header_by_record on header (topition, offset_id)", ()).await;
        match made {
            Ok(_) => return Ok(()),
            Err(error) if is_locked(&error) && Instant::now() < deadline => sleep(LOCKED_RETRY).await,
            Err(error) => return Err(error),
        }
    }
}

/// The broker wraps SQLite's error several times over.
fn is_locked(error: &impl std::fmt::Debug) -> bool {
    format!("{error:?}").contains("database is locked")
}

fn storage(folder: &Path, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Storage { path: folder.to_owned(), source: Box::new(source) }
}
