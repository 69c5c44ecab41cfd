//! `tickerlake audit`: the proof that every offset is in the lake exactly once.

mod kafka;
mod ledger;
mod report;

use std::time::{Duration, Instant};

use local_aws::broker::Broker;

use crate::cli::{AuditArgs, AuditFormat};
use crate::failure::Failure;
use crate::lake::Visit;
use crate::stored::{self, Stored};
use kafka::Offsets;

/// How long records that are on their way while the pipeline runs are waited for.
const PATIENCE: Duration = Duration::from_secs(60);
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
        wait_for_watermarks(visit, offsets.as_ref()).await?;
    }
    let stored = Stored::read(&visit.lake).await?;
    Ok(ledger::compare(&stored, offsets.as_ref()))
}

/// The offsets of the running stack's cluster, of the broker that lies at rest in the data folder,
/// or of the cluster that the environment names; `None` where there is none to ask.
async fn kafka_offsets(visit: &Visit) -> Result<Option<Offsets>, Failure> {
    if let Some(running) = &visit.running {
        return kafka::offsets(running.kafka.clone()).await.map(Some);
    }
    if let Some(servers) = crate::kafka::servers_of_environment() {
        return kafka::offsets(servers).await.map(Some);
    }
    let Some(folder) = visit.folder.as_ref().map(|folder| folder.path().join("kafka")).filter(|folder| folder.join("kafka.db").is_file())
    else {
        return Ok(None);
    };
    let broker = Broker::start(&folder, 0, &[]).await;
    let broker = broker.map_err(|error| Failure::new("the embedded broker's log cannot be opened", error))?;
    let offsets = kafka::offsets(broker.bootstrap_servers()).await;
    broker.stop().await;
    offsets.map(Some)
}

async fn wait_for_watermarks(visit: &Visit, offsets: Option<&Offsets>) -> Result<(), Failure> {
    let since = Instant::now();
    let Some(offsets) = offsets else { return Ok(()) };
    loop {
        let watermarks = stored::watermarks(&visit.lake).await?;
        let reached = offsets.partitions.iter().all(|(partition, range)| {
            let of_partition = watermarks.iter().filter(|(log, _)| log.topic == offsets.topic && log.partition == *partition);
            of_partition.map(|(_, watermark)| watermark.next).max().unwrap_or(0) >= range.end
        });
        if reached || since.elapsed() > PATIENCE {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
