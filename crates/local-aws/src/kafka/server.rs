//! Kafka, from its folder to its topics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::access::Access;
use super::disk::{Disk, Tools};
use super::error::Error;
use super::node::{Node, Ports};
use super::provision::Provision;
use super::{files, jars, port};
use crate::broker::{Topic, cluster_id};
use crate::process::Watchdog;

const SERVER_PROPERTIES: &str = include_str!("../../../../broker/server.properties");
const LOG_SETTINGS: &str = include_str!("../../../../broker/log4j2.properties");

/// How long records are kept: a week, as the template has it.
const RETENTION_HOURS: &str = "168";

/// How long the nodes may take to answer: on a busy machine several Javas start at once.
const READY: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long is listened for the reason why they don't.
const LISTEN: Duration = Duration::from_secs(5);

/// What is to be started.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// The port on 127.0.0.1 where clients find the first node; 0: any.
    pub port: u16,
    /// How many nodes: with 3, each record has 3 copies, of which 2 must be there.
    pub nodes: u16,
    /// The topics to be made.
    pub topics: Vec<Topic>,
    /// The group that the consumer may read in.
    pub consumer_group: String,
    /// Whether the producer may also read how far a replay came.
    pub replay: bool,
    /// The folder of the nodes' logs.
    pub logs: PathBuf,
}

/// A running Kafka. Dropping it kills its nodes, as a power cut would.
pub struct RealKafka {
    folder: PathBuf,
    libs: PathBuf,
    cluster_id: String,
    access: Access,
    nodes: Vec<Node>,
    /// How a disk that is formatted now takes part in the quorum.
    quorum: String,
    watchdog: Arc<Watchdog>,
}

impl RealKafka {
    /// Starts Kafka on the data that this folder holds, or anew in an empty one, and makes the topics and rights that are missing.
    pub async fn start(folder: &Path, config: &KafkaConfig) -> Result<Self, Error> {
        let libs = jars::fetched().await?;
        files::make_folder(folder)?;
        files::make_folder(&config.logs)?;
        let access = Access::make(folder)?;
        let cluster_id = cluster_id::load(&folder.join("cluster-id"))?;
        files::write(&folder.join("server.properties"), SERVER_PROPERTIES)?;
        files::write(&folder.join("log4j2.properties"), LOG_SETTINGS)?;
        let disks: Vec<_> = (1..=config.nodes).map(|id| (id, Disk::new(folder.join(format!("node-{id}"))))).collect();
        for (_, disk) in &disks {
            // Before the ports are looked at, which the same process would hold.
            disk.let_go().await?;
        }
        let nodes = nodes(folder, config, disks)?;
        let quorum = quorum(&nodes);
        let watchdog = Arc::new(Watchdog::start());
        let mut kafka = Self { folder: folder.to_owned(), libs, cluster_id, access, nodes, quorum, watchdog };
        for index in 0..kafka.nodes.len() {
            kafka.spawn(index).await?;
        }
        let all: Vec<u16> = (1..=config.nodes).collect();
        kafka.answered(&all).await?;
        if let Some(first) = kafka.nodes.first() {
            let provision = Provision { topics: &config.topics, consumer_group: &config.consumer_group, replay: config.replay };
            provision.run(folder, &first.disk, &kafka.libs, &kafka.bootstrap_servers(), &kafka.access).await?;
        }
        Ok(kafka)
    }

    /// `host:port` of each node, separated by commas.
    pub fn bootstrap_servers(&self) -> String {
        let servers: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.ports.client)).collect();
        servers.join(",")
    }

    /// The cluster's id, as clients see it.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The users and the certificate authority.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The node that leads the controllers, as the nodes' disks say; `None` while they choose one.
    pub fn active_controller(&self) -> Option<u16> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct QuorumState {
            leader_id: i32,
            leader_epoch: i32,
        }
        let states = self.nodes.iter().filter_map(|node| {
            let json = std::fs::read(node.disk.data().join("__cluster_metadata-0/quorum-state")).ok()?;
            serde_json::from_slice::<QuorumState>(&json).ok()
        });
        // Of one epoch, some have not heard of the leader yet.
        let newest = states.max_by_key(|state| (state.leader_epoch, state.leader_id))?;
        u16::try_from(newest.leader_id).ok()
    }

    /// Kills a node, as a power cut would.
    pub async fn kill(&mut self, id: u16) {
        if let Some(node) = self.nodes.iter_mut().find(|node| node.id == id) {
            node.kill().await;
        }
    }

    /// Starts a node that was killed, under its own address, and waits until it answers.
    pub async fn start_node(&mut self, id: u16) -> Result<(), Error> {
        if let Some(index) = self.nodes.iter().position(|node| node.id == id) {
            self.spawn(index).await?;
            self.answered(&[id]).await?;
        }
        Ok(())
    }

    /// Ends all nodes. Clients should be closed first: they would try to reconnect.
    pub async fn stop(mut self) {
        futures::future::join_all(self.nodes.iter_mut().map(Node::stop)).await;
    }

    async fn spawn(&mut self, index: usize) -> Result<(), Error> {
        let Some(node) = self.nodes.get_mut(index) else { return Ok(()) };
        let properties = self.folder.join("server.properties");
        let tools = Tools { libs: &self.libs, properties: &properties };
        node.disk.format(&tools, &node.environment, &self.cluster_id, &self.quorum, &self.access).await?;
        node.start(&tools, &self.folder.join("log4j2.properties"), &self.watchdog)
    }

    /// Asks as the administrator until these nodes are in the answer.
    async fn answered(&mut self, wanted: &[u16]) -> Result<(), Error> {
        let servers = self.bootstrap_servers();
        let log = self.nodes.first().map(|node| node.log.clone()).unwrap_or_default();
        let unanswered = |source| Error::Unanswered { servers: servers.clone(), log: log.clone(), source };
        let mut config = self.access.client_config(&servers, &self.access.admin);
        config.set("reconnect.backoff.ms", "20").set("reconnect.backoff.max.ms", "200");
        let client: BaseConsumer = config.create().map_err(|_| unanswered(None))?;
        let client = Arc::new(client);
        let deadline = Instant::now() + READY;
        loop {
            if let Some(ended) = self.nodes.iter_mut().find_map(|node| node.has_ended().then(|| node.ended())) {
                return Err(ended);
            }
            let asked = Arc::clone(&client);
            let answer = tokio::task::spawn_blocking(move || {
                let metadata = asked.fetch_metadata(None, Duration::from_millis(500)).ok()?;
                let cluster_id = asked.client().fetch_cluster_id(Duration::ZERO);
                Some((metadata.brokers().iter().map(|broker| broker.id()).collect::<Vec<_>>(), cluster_id))
            });
            if let Ok(Some((brokers, cluster_id))) = answer.await
                && cluster_id.as_deref() == Some(&self.cluster_id)
                && wanted.iter().all(|id| brokers.contains(&i32::from(*id)))
            {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let reason = tokio::task::spawn_blocking(move || kafka_client::refusal(&config, LISTEN)).await;
                return Err(unanswered(reason.unwrap_or(None)));
            }
            sleep(LOOK_AGAIN).await;
        }
    }
}

/// The first nodes of a cluster found its quorum together; a node whose disk was lost is taken in by the others.
fn quorum(nodes: &[Node]) -> String {
    if nodes.iter().any(|node| node.disk.data().is_dir()) {
        return "--no-initial-controllers".to_owned();
    }
    let voter = |node: &Node| format!("{}@127.0.0.1:{}:{}", node.id, node.ports.controller, cluster_id::random_id());
    let voters: Vec<_> = nodes.iter().map(voter).collect();
    format!("--initial-controllers={}", voters.join(","))
}

/// The nodes with their ports and what server.properties asks of the environment.
fn nodes(folder: &Path, config: &KafkaConfig, disks: Vec<(u16, Disk)>) -> Result<Vec<Node>, Error> {
    let mut taken = vec![config.port];
    let mut next = |wanted| {
        let port = port::free(wanted, &taken)?;
        taken.push(port);
        Ok::<_, Error>(port)
    };
    let mut nodes = Vec::new();
    for (id, disk) in disks {
        let client = next(if id == 1 { config.port } else { 0 })?;
        nodes.push((id, disk, Ports { client, nodes: next(0)?, controller: next(0)? }));
    }
    let controllers: Vec<_> = nodes.iter().map(|(_, _, ports)| format!("127.0.0.1:{}", ports.controller)).collect();
    let controllers = controllers.join(",");
    let is_alone = config.nodes == 1;
    let node = |(id, disk, ports): (u16, Disk, Ports)| {
        let address = |port: u16| format!("127.0.0.1:{port}");
        let environment = BTreeMap::from([
            ("BROKER_NODE_ID", id.to_string()),
            ("BROKER_CONTROLLERS", controllers.clone()),
            ("BROKER_CLIENT_LISTENER", address(ports.client)),
            ("BROKER_CLIENT_ADDRESS", address(ports.client)),
            ("BROKER_NODES_LISTENER", address(ports.nodes)),
            ("BROKER_CONTROLLER_LISTENER", address(ports.controller)),
            ("BROKER_DATA", disk.data().display().to_string()),
            ("BROKER_TLS", folder.join("tls").display().to_string()),
            ("BROKER_REPLICAS", config.nodes.to_string()),
            ("BROKER_MIN_IN_SYNC", if is_alone { "1" } else { "2" }.to_owned()),
            ("BROKER_FLUSH_MESSAGES", if is_alone { 1 } else { i64::MAX }.to_string()),
            ("BROKER_RETENTION_HOURS", RETENTION_HOURS.to_owned()),
        ]);
        let log = config.logs.join(if is_alone { "kafka.log".to_owned() } else { format!("kafka-{id}.log") });
        Node::new(id, ports, disk, log, environment)
    };
    Ok(nodes.into_iter().map(node).collect())
}
