//! Kafka for the tests, and what it says of itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use local_aws::broker::Topic;
use local_aws::kafka::{Access, KafkaConfig, RealKafka};
use local_aws::mapping::Security;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::harness::{Ended, LIMIT, Tickerlake};

pub(crate) const TOPIC: &str = "quotes";
pub(crate) const PARTITIONS: i32 = 3;
/// The group that the template names.
pub(crate) const GROUP: &str = "tickerlake-write-quotes";

/// A Kafka with the topic and the rights, in a folder of its own.
pub(crate) struct Kafka {
    runtime: Runtime,
    /// `None` while it is down.
    running: Option<RealKafka>,
    config: KafkaConfig,
    folder: PathBuf,
    _temporary: TempDir,
}

impl Kafka {
    /// One node.
    pub(crate) fn one() -> Self {
        Self::start(1, &at_rest())
    }

    /// Three nodes, which keep each record three times.
    pub(crate) fn three() -> Self {
        Self::start(3, Path::new(""))
    }

    fn start(nodes: u16, ready_made: &Path) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("kafka-real");
        if ready_made.is_dir() {
            copy(ready_made, &folder);
        }
        let runtime = Runtime::new().unwrap();
        let config = config(nodes, temporary.path().join("logs"));
        let mut kafka = Self { runtime, running: None, config, folder, _temporary: temporary };
        kafka.go_on();
        kafka
    }

    /// Starts it on what its folder holds.
    fn go_on(&mut self) {
        let started = self.runtime.block_on(RealKafka::start(&self.folder, &self.config));
        self.running = Some(started.unwrap_or_else(|error| panic!("{error:?}")));
    }

    /// Pulls the plug, puts in an empty disk and starts it again under the same address, users and certificates.
    pub(crate) fn rebuild(&mut self) {
        let address = self.servers();
        self.config.port = address.rsplit_once(':').unwrap().1.parse().unwrap();
        // Without a handover.
        self.runtime.block_on(async { drop(self.running.take()) });
        fs::remove_dir_all(self.folder.join("node-1")).unwrap();
        fs::remove_file(self.folder.join("cluster-id")).unwrap();
        self.go_on();
        assert_eq!(self.servers(), address);
    }

    pub(crate) fn kill(&mut self, node: u16) {
        let kafka = self.running.as_mut().unwrap();
        self.runtime.block_on(kafka.kill(node));
    }

    pub(crate) fn start_node(&mut self, node: u16) {
        let kafka = self.running.as_mut().unwrap();
        self.runtime.block_on(kafka.start_node(node)).unwrap();
    }

    pub(crate) fn running(&self) -> &RealKafka {
        self.running.as_ref().unwrap()
    }

    pub(crate) fn servers(&self) -> String {
        self.running().bootstrap_servers()
    }

    pub(crate) fn cluster_id(&self) -> String {
        self.running().cluster_id().to_owned()
    }

    pub(crate) fn access(&self) -> &Access {
        self.running().access()
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// A client of the administrator.
    pub(crate) fn client(&self) -> ClientConfig {
        self.access().client_config(&self.servers(), &self.access().admin)
    }

    pub(crate) fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    /// The topic's partitions as the cluster describes them: leader and in-sync replicas.
    pub(crate) fn partitions(&self) -> BTreeMap<i32, (i32, Vec<i32>)> {
        let client: BaseConsumer = self.client().create().unwrap();
        let metadata = client.fetch_metadata(Some(TOPIC), LIMIT).unwrap();
        let found = metadata.topics()[0].partitions();
        found.iter().map(|partition| (partition.id(), (partition.leader(), partition.isr().to_vec()))).collect()
    }

    /// Each partition's next offset.
    pub(crate) fn ends(&self) -> BTreeMap<i32, i64> {
        let client: BaseConsumer = self.client().create().unwrap();
        (0..PARTITIONS).map(|partition| (partition, client.fetch_watermarks(TOPIC, partition, LIMIT).unwrap().1)).collect()
    }

    /// The variables by which `tickerlake local --kafka HOST:PORT` comes in, as the administrator: on a cluster of the user's
    /// own, producer and mapping share one user.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let access = self.access();
        security_variables(&access.security(&access.admin))
    }

    /// Starts the pipeline on this cluster.
    pub(crate) fn pipeline(&self, data: &Path, flags: &[&str]) -> Tickerlake {
        local(data, &[&["--kafka", &self.servers()], flags].concat(), self.variables())
    }

    /// Audits a data folder at rest against this cluster.
    pub(crate) fn audit(&self, data: &Path) -> (serde_json::Value, Option<i32>) {
        let mut variables = self.variables();
        variables.push(("KAFKA_BOOTSTRAP_SERVERS".to_owned(), self.servers()));
        audit(data, variables)
    }
}

/// A Kafka that was provisioned and stopped, made once: formatting and granting rights takes several Javas' starts.
fn at_rest() -> PathBuf {
    static MADE: Mutex<Option<TempDir>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = made.get_or_insert_with(|| {
        let temporary = tempfile::tempdir().unwrap();
        let config = config(1, temporary.path().join("logs"));
        let folder = temporary.path().join("kafka-real");
        Runtime::new().unwrap().block_on(async {
            let kafka = RealKafka::start(&folder, &config).await;
            kafka.unwrap_or_else(|error| panic!("{error:?}")).stop().await;
        });
        temporary
    });
    folder.path().join("kafka-real")
}

fn config(nodes: u16, logs: PathBuf) -> KafkaConfig {
    let topics = vec![Topic { name: TOPIC.to_owned(), partitions: PARTITIONS }];
    KafkaConfig { port: 0, nodes, topics, consumer_group: GROUP.to_owned(), replay: true, logs }
}

/// Puts that Kafka into a data folder, for `--kafka real`.
pub(crate) fn prepare(data: &Path) {
    copy(&at_rest(), &data.join("kafka-real"));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

/// The variables that say how to connect.
pub(crate) fn security_variables(security: &Security) -> Vec<(String, String)> {
    let Security::SaslSsl { username, password, ca_pem } = security else { panic!("not secured: {security:?}") };
    let variables = [
        ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
        ("KAFKA_USERNAME", username),
        ("KAFKA_PASSWORD", password),
        ("KAFKA_CA_CERTIFICATE", ca_pem.as_deref().unwrap()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// Where Java and Kafka's jars are found.
pub(crate) fn machine() -> Vec<(String, String)> {
    ["PATH", "HOME", "XDG_CACHE_HOME", "JAVA_HOME"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .collect()
}

/// Starts `tickerlake local` on free ports.
pub(crate) fn local(data: &Path, flags: &[&str], variables: Vec<(String, String)>) -> Tickerlake {
    let fixed = ["local", "--port", "0", "--kafka-port", "0", "--data", data.to_str().unwrap()];
    Tickerlake::start_with(&[&fixed, flags].concat(), &[machine(), variables].concat())
}

/// An audit's report and exit code.
pub(crate) fn audit(data: &Path, variables: Vec<(String, String)>) -> (serde_json::Value, Option<i32>) {
    let arguments = ["audit", "--data", data.to_str().unwrap(), "--format", "json"];
    let ended = Tickerlake::start_with(&arguments, &[machine(), variables].concat()).finish();
    let report = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    (report, ended.code)
}

/// Checks that an audit compared with this cluster and found the lake sound.
#[track_caller]
pub(crate) fn assert_sound((report, code): &(serde_json::Value, Option<i32>), cluster: &str) {
    assert_eq!((code, &report["sound"]), (&Some(0), &true.into()), "{report:#}");
    assert_eq!(report["kafka"], serde_json::json!([cluster]), "{report:#}");
}

/// Checks that a pipeline which was told to stop drained and ended well; notices of what went wrong on the way are allowed.
#[track_caller]
pub(crate) fn assert_ended_well(ended: &Ended) {
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:#?}");
}

/// How long the administrator waits.
pub(crate) fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(LIMIT)).operation_timeout(Some(Duration::from_secs(30)))
}
