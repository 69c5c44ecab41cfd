//! The broker, from its folder to its topics.

use super::cluster_id;
use super::error::Error;
use super::serving::Serving;
use super::watch::{self, Admin, Watch};
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::types::RDKafkaErrorCode;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How long the broker may take to make a topic.
const TOPIC_MADE: Duration = Duration::from_secs(30);
/// How long a broker that is told to end may take.
const STOPPED: Duration = Duration::from_secs(5);

/// A topic to be made at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many partitions it gets if it is not there yet.
    pub partitions: i32,
}

/// A running broker. Dropping it, or `stop`, ends it; what was acknowledged is in its file.
///
/// It is watched over: one that ended or does not answer any more is started again on its port and its log.
pub struct Broker {
    port: u16,
    cluster_id: String,
    stop: CancellationToken,
    /// Ends with the error for which the broker could not be started again.
    watched: tokio::sync::watch::Receiver<Option<Arc<Error>>>,
    supervisor: AbortOnDropHandle<()>,
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
        let origin = Origin { folder: folder.to_owned(), handle: Arc::new(handle), port, cluster_id: cluster_id.clone() };
        let (serving, admin) = origin.serve().await?;
        make_topics(&admin, port, topics).await?;

        let stop = CancellationToken::new();
        let (ended, watched) = tokio::sync::watch::channel(None);
        let supervision = supervise(origin, serving, admin, Watch::default(), stop.clone());
        let supervisor = AbortOnDropHandle::new(tokio::spawn(async move {
            if let Err(error) = supervision.await {
                ended.send_replace(Some(Arc::new(error)));
            }
        }));
        Ok(Self { port, cluster_id, stop, watched, supervisor })
    }

    /// `host:port`, for clients.
    pub fn bootstrap_servers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The cluster's id, as clients see it.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Returns once the broker has ended and could not be started again, and says why.
    pub async fn ended(&self) -> Arc<Error> {
        let mut watched = self.watched.clone();
        match watched.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(error)) => Arc::clone(error),
            // It was told to stop.
            _ => std::future::pending().await,
        }
    }

    /// Ends the broker. Clients should be closed first: they would try to reconnect.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = self.supervisor.await;
    }
}

/// What a broker is started from, each time.
struct Origin {
    folder: PathBuf,
    handle: Arc<File>,
    port: u16,
    cluster_id: String,
}

impl Origin {
    /// Starts a run of the broker and waits until it answers.
    async fn serve(&self) -> Result<(Serving, Arc<Admin>), Error> {
        let mut serving = Serving::start(&self.folder, &self.handle, self.port, &self.cluster_id).await?;
        let admin = watch::wait_until_ready(&mut serving, self.port, &self.cluster_id).await?;
        Ok((serving, admin))
    }
}

/// Keeps a broker serving until it is told to stop. Its clients reconnect by themselves.
async fn supervise(
    origin: Origin,
    mut serving: Serving,
    mut admin: Arc<Admin>,
    watch: Watch,
    stop: CancellationToken,
) -> Result<(), Error> {
    loop {
        let broken = tokio::select! {
            broken = watch::until_broken(&mut serving, &admin, origin.port, watch) => broken,
            () = stop.cancelled() => {
                serving.stop(STOPPED).await;
                return Ok(());
            }
        };
        tracing::error!(error = &broken as &(dyn std::error::Error + 'static), "The embedded Kafka broker is started again.");
        serving.stop(STOPPED).await;
        (serving, admin) = origin.serve().await.map_err(|again| match again {
            // One that hangs keeps its port.
            Error::PortBusy { .. } => broken,
            again => again,
        })?;
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

async fn make_topics(admin: &Admin, port: u16, topics: &[Topic]) -> Result<(), Error> {
    if topics.is_empty() {
        return Ok(());
    }
    let wanted: Vec<_> = topics.iter().map(|topic| NewTopic::new(&topic.name, topic.partitions, TopicReplication::Fixed(1))).collect();
    let options = AdminOptions::new().request_timeout(Some(TOPIC_MADE));
    let made = admin.create_topics(&wanted, &options).await.map_err(|source| Error::Unanswered { port, source })?;
    for answer in made {
        match answer {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(Error::Topic { topic, code }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rdkafka::producer::{FutureProducer, FutureRecord};
    use rdkafka::{ClientConfig, Offset, TopicPartitionList};

    const TOPIC: &str = "quotes";
    /// How long a test waits for what must happen.
    const LIMIT: Duration = Duration::from_secs(60);
    const QUICK: Watch =
        Watch { every: Duration::from_millis(50), answer_within: Duration::from_secs(1), patience: Duration::from_secs(3) };

    struct Supervised {
        _folder: tempfile::TempDir,
        admin: Arc<Admin>,
        producer: FutureProducer,
        stop: CancellationToken,
        supervision: tokio::task::JoinHandle<Result<(), Error>>,
    }

    /// A broker that is watched over, holds one record, and is then broken.
    async fn broken_by(break_it: impl FnOnce(&Serving)) -> Supervised {
        let folder = tempfile::tempdir().unwrap();
        let handle = Arc::new(File::open(folder.path()).unwrap());
        let cluster_id = cluster_id::load(&folder.path().join("cluster-id")).unwrap();
        let port = free_port(0).unwrap();
        let origin = Origin { folder: folder.path().to_owned(), handle, port, cluster_id };
        let (serving, admin) = origin.serve().await.unwrap();
        make_topics(&admin, port, &[Topic { name: TOPIC.to_owned(), partitions: 1 }]).await.unwrap();
        let producer = ClientConfig::new().set("bootstrap.servers", format!("127.0.0.1:{port}")).create().unwrap();
        assert_eq!(produce(&producer).await, 0);
        break_it(&serving);
        let stop = CancellationToken::new();
        let supervision = tokio::spawn(supervise(origin, serving, Arc::clone(&admin), QUICK, stop.clone()));
        Supervised { _folder: folder, admin, producer, stop, supervision }
    }

    async fn produce(producer: &FutureProducer) -> i64 {
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let record = FutureRecord::<str, str>::to(TOPIC).partition(0).payload("a value");
            match producer.send(record, LIMIT).await {
                Ok(delivered) => return delivered.offset,
                Err((error, _)) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
            }
        }
    }

    impl Supervised {
        async fn goes_on(self) {
            assert_eq!(produce(&self.producer).await, 1, "the client goes on after the record that was acknowledged");
            drop((self.producer, self.admin));
            self.stop.cancel();
            self.supervision.await.unwrap().unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_broker_that_ended_is_started_again() {
        broken_by(Serving::abort).await.goes_on().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_broker_whose_storage_died_is_started_again() {
        let broken = broken_by(|_| ()).await;
        let mut all = TopicPartitionList::new();
        all.add_partition_offset(TOPIC, 0, Offset::Offset(1)).unwrap();
        // Its storage panics at this request: the broker goes on accepting connections, but reads and writes nothing.
        let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(1)));
        let _ = broken.admin.delete_records(&all, &options).await;
        broken.goes_on().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_broker_that_hangs_is_told_of() {
        let (open, gate) = std::sync::mpsc::channel();
        let gate = Arc::new(std::sync::Mutex::new(gate));
        let broken = broken_by(|serving| serving.block(&gate)).await;
        let ended = tokio::time::timeout(LIMIT, broken.supervision).await.unwrap().unwrap();
        drop(open);
        assert!(matches!(ended, Err(Error::Unanswered { .. })), "{ended:?}");
    }
}
