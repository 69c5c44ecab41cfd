//! The broker, from its folder to its topics.

use super::cluster_id;
use super::error::Error;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tansu_broker::broker::Broker as Tansu;
use tansu_broker::coordinator::group::administrator::Controller;
use tansu_storage::StorageContainer;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;
use url::Url;
use uuid::Uuid;

const NODE_ID: i32 = 1;
/// How long the last owner of the file may take to let go of it.
const LOCKED: Duration = Duration::from_secs(10);
const LOCKED_RETRY: Duration = Duration::from_millis(5);
/// How long the broker may take to answer for the first time.
const READY: Duration = Duration::from_secs(30);
const READY_RETRY: Duration = Duration::from_millis(10);

type Server = Tansu<Controller<StorageContainer>, StorageContainer>;
type Serving = AbortOnDropHandle<Result<(), tansu_broker::Error>>;

/// A topic to be made at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many partitions it gets if it is not there yet.
    pub partitions: i32,
}

/// A running broker. Dropping it, or `stop`, ends it; what was acknowledged is in its file.
pub struct Broker {
    port: u16,
    cluster_id: String,
    serving: Serving,
    /// The log is opened through this folder's descriptor.
    _folder: File,
}

impl Broker {
    /// Starts a broker on 127.0.0.1 (port 0: any free port) whose log is in this folder, and makes the topics that are missing.
    ///
    /// Topics get no `cleanup.policy`: the broker's maintenance would delete replayed records, whose time is long past.
    pub async fn start(folder: &Path, port: u16, topics: &[Topic]) -> Result<Self, Error> {
        let failed = |what, source| Error::File { what, path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(|source| failed("make the folder", source))?;
        let cluster_id = cluster_id::load(&folder.join("cluster-id"))?;
        let port = free_port(port)?;
        let handle = File::open(folder).map_err(|source| failed("open the folder", source))?;
        let server = open(folder, &handle, port, &cluster_id).await?;
        // Without it reading a record with a header reads all headers: the time of a fetch grows with the log.
        index_headers(&folder.join("kafka.db")).await.map_err(|source| storage(folder, source))?;
        let mut server = server;
        let serving = AbortOnDropHandle::new(tokio::spawn(async move { server.serve(Instant::now()).await }));
        let mut broker = Self { port, cluster_id, serving, _folder: handle };
        let admin = broker.wait_until_ready().await?;
        make_topics(&admin, port, topics).await?;
        Ok(broker)
    }

    /// `host:port`, for clients.
    pub fn bootstrap_servers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The cluster's id, as clients see it.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Whether the broker still serves.
    pub fn is_serving(&self) -> bool {
        !self.serving.is_finished()
    }

    /// Ends the broker. Clients should be closed first: they would try to reconnect.
    pub async fn stop(self) {
        self.serving.abort();
        let _ = self.serving.await;
    }

    /// Asks for the cluster's id until it is answered: whoever answers with another one has taken the port meanwhile.
    async fn wait_until_ready(&mut self) -> Result<Arc<AdminClient<DefaultClientContext>>, Error> {
        let port = self.port;
        let admin: AdminClient<_> = ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap_servers())
            .set("reconnect.backoff.ms", "10")
            .set("reconnect.backoff.max.ms", "100")
            .create()
            .map_err(|source| Error::Unanswered { port, source })?;
        let admin = Arc::new(admin);
        let deadline = Instant::now() + READY;
        loop {
            if self.serving.is_finished() {
                return Err(self.end().await);
            }
            let asked = admin.clone();
            let answer = tokio::task::spawn_blocking(move || {
                let client = asked.inner();
                // The id comes with the metadata; asked for alone it would be waited for all the time.
                client.fetch_metadata(None, Duration::from_millis(500))?;
                Ok(client.fetch_cluster_id(Duration::from_millis(500)))
            });
            match answer.await {
                Ok(Ok(Some(id))) if id == self.cluster_id => return Ok(admin),
                Ok(Ok(Some(_))) => return Err(Error::PortBusy { port }),
                Ok(Err(source)) if Instant::now() >= deadline => return Err(Error::Unanswered { port, source }),
                _ => sleep(READY_RETRY).await,
            }
        }
    }

    /// Why the broker has ended.
    async fn end(&mut self) -> Error {
        let port = self.port;
        match (&mut self.serving).await {
            Ok(Err(tansu_broker::Error::Io(source))) if source.kind() == io::ErrorKind::AddrInUse => Error::PortBusy { port },
            Ok(Err(source)) => Error::Ended { port, source: Some(Box::new(source)) },
            Ok(Ok(())) => Error::Ended { port, source: None },
            Err(source) => Error::Ended { port, source: Some(Box::new(source)) },
        }
    }
}

/// The port itself if it is free, or any free one for 0. The broker tells a busy port only in passing: clients would then talk to
/// whoever has it.
fn free_port(port: u16) -> Result<u16, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| listener.local_addr()).map_or_else(
        |source| match source.kind() {
            io::ErrorKind::AddrInUse => Err(Error::PortBusy { port }),
            _ => Err(Error::Listen { port, source }),
        },
        |address| Ok(address.port()),
    )
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

async fn make_topics(admin: &AdminClient<DefaultClientContext>, port: u16, topics: &[Topic]) -> Result<(), Error> {
    if topics.is_empty() {
        return Ok(());
    }
    let wanted: Vec<_> = topics.iter().map(|topic| NewTopic::new(&topic.name, topic.partitions, TopicReplication::Fixed(1))).collect();
    let options = AdminOptions::new().request_timeout(Some(READY));
    let made = admin.create_topics(&wanted, &options).await.map_err(|source| Error::Unanswered { port, source })?;
    for answer in made {
        match answer {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(Error::Topic { topic, code }),
        }
    }
    Ok(())
}
