//! `tickerlake audit`: the proof that every offset is in the lake exactly once.

pub(crate) mod kafka;
mod ledger;
mod report;

use std::path::Path;
use std::time::{Duration, Instant};

use local_aws::broker::Broker;
use local_aws::kafka::{KafkaConfig, RealKafka};
use local_aws::mapping::Security;
use quotes::cluster::UNKNOWN_CLUSTER;
use quotes::keys::LogId;

use crate::cli::{AuditArgs, AuditFormat};
use crate::data_folder::{DataFolder, REAL_KAFKA};
use crate::failure::Failure;
use crate::kafka::{Cluster, Role};
use crate::lake::Visit;
use crate::stored::{self, Stored};
use kafka::Offsets;

/// How long records that are on their way while the pipeline runs are waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take until readers see a file that landed in a compacted day: `start-crawler`'s own time, and some of its tries.
const ADDED_WITHIN: Duration = Duration::from_secs(10);
/// How often the watermarks are looked at meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Compares Kafka, rows and quarantine, and prints what was found.
pub(crate) async fn run(args: AuditArgs) -> Result<(), Failure> {
    let visit = Visit::open(&args.lake).await?;
    let audited = audit(&visit).await;
    visit.close().await;
    let audit = audited?;
    match args.format {
        AuditFormat::Text => report::text(&audit),
        AuditFormat::Json => report::json(&audit)?,
    }
    if audit.is_sound() { Ok(()) } else { Err(Failure::plain("the audit found records that are not in the lake exactly once")) }
}

async fn audit(visit: &Visit) -> Result<ledger::Audit, Failure> {
    // Kafka's offsets first: what is produced later is not this audit's.
    let offsets = kafka_offsets(visit).await?;
    if visit.running.is_some() {
        wait_for_watermarks(visit, &offsets).await?;
    }
    Ok(ledger::compare(&read(visit).await?, &offsets))
}

/// What is stored. While the pipeline runs, a file that landed in a compacted day is waited for until readers see it.
async fn read(visit: &Visit) -> Result<Stored, Failure> {
    let since = Instant::now();
    loop {
        let stored = Stored::read(&visit.lake).await?;
        if stored.invisible.is_empty() || visit.running.is_none() || since.elapsed() > ADDED_WITHIN {
            return Ok(stored);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The offsets of the running stack's cluster, of the cluster that the environment names, or of the brokers that lie at rest
/// in the data folder; none where there is none to ask.
pub(crate) async fn kafka_offsets(visit: &Visit) -> Result<Vec<Offsets>, Failure> {
    if let Some(stack) = &visit.running {
        return Ok(vec![kafka::offsets(Cluster::of_stack(stack, Role::Consumer)?).await?]);
    }
    if let Some(cluster) = Cluster::of_environment()? {
        return Ok(vec![kafka::offsets(cluster).await?]);
    }
    let Some(data) = visit.folder.as_ref().map(DataFolder::path) else { return Ok(Vec::new()) };
    let mut offsets = Vec::new();
    // Both, if the folder was used with both.
    offsets.extend(of_embedded_at_rest(&data.join("kafka")).await?);
    offsets.extend(of_real_at_rest(data).await?);
    Ok(offsets)
}

async fn of_embedded_at_rest(folder: &Path) -> Result<Option<Offsets>, Failure> {
    if !folder.join("kafka.db").is_file() {
        return Ok(None);
    }
    let broker = Broker::start(folder, 0, &[]).await;
    let broker = broker.map_err(|error| Failure::new("the embedded broker's log cannot be opened", error))?;
    let offsets = kafka::offsets(Cluster { servers: broker.bootstrap_servers(), security: Security::Plaintext }).await;
    broker.stop().await;
    offsets.map(Some)
}

/// Starts Apache Kafka once more, to ask it: nobody else can say what its log holds.
async fn of_real_at_rest(data: &Path) -> Result<Option<Offsets>, Failure> {
    let folder = data.join(REAL_KAFKA);
    if !folder.join("cluster-id").is_file() {
        return Ok(None);
    }
    let config =
        KafkaConfig { port: 0, nodes: 1, topics: Vec::new(), consumer_group: String::new(), replay: false, logs: data.join("logs") };
    let kafka = RealKafka::start(&folder, &config).await;
    let kafka = kafka.map_err(|error| Failure::new("Kafka cannot be started to be asked for its offsets", error))?;
    let access = kafka.access();
    let cluster = Cluster { servers: kafka.bootstrap_servers(), security: access.security(&access.consumer) };
    let offsets = kafka::offsets(cluster).await;
    kafka.stop().await;
    offsets.map(Some)
}

async fn wait_for_watermarks(visit: &Visit, offsets: &[Offsets]) -> Result<(), Failure> {
    let since = Instant::now();
    let partitions =
        || offsets.iter().flat_map(|offsets| offsets.partitions.iter().map(move |(partition, range)| (offsets, partition, range)));
    loop {
        let watermarks = stored::watermarks(&visit.lake).await?;
        let reached = partitions().all(|(offsets, partition, range)| {
            // Records without an id are under another name, and share the partition's offsets.
            let is_its = |log: &LogId| {
                log.topic == offsets.topic && log.partition == *partition && [&*offsets.cluster, UNKNOWN_CLUSTER].contains(&&*log.cluster)
            };
            let of_partition = watermarks.iter().filter(|(log, _)| is_its(log));
            of_partition.map(|(_, watermark)| watermark.next).max().unwrap_or(0) >= range.end
        });
        if reached || since.elapsed() > PATIENCE {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
