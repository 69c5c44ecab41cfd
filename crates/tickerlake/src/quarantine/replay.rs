//! Produces mended records again.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quotes::cluster::CLUSTER_HEADER;
use quotes::json;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::util::Timeout;

use super::kept::{self, Kept, Line, REPLAYED};
use crate::failure::Failure;
use crate::kafka::{self, Cluster, Role};
use crate::lake::{Lake, Visit};

/// How long Kafka may take to acknowledge a record.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The header by which fetch-quotes knows the rows of a replayed file: a mended record is none of them.
const FILE_REPLAY_HEADER: &str = "replay";

/// Reads mended records, one line of JSON each.
pub(crate) fn read(file: &Path) -> Result<Vec<Line>, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| Failure::new(format_args!("cannot read {}", file.display()), error))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let what = format!("line {} of {} is not a record as `quarantine list --format json` prints it", number + 1, file.display());
            serde_json::from_str(line).map_err(|error| Failure::new(what, error))
        })
        .collect()
}

/// Produces the records whose values are quotes now, and marks each once Kafka has it.
///
/// A run that is killed between the two produces that one record again the next time: a second row with an offset of
/// its own. Without the mark after the record it would be lost instead.
pub(crate) async fn run(visit: &Visit, mended: Vec<Line>) -> Result<(), Failure> {
    let cluster = match &visit.running {
        Some(stack) => Some(Cluster::of_stack(stack, Role::Producer)?),
        None => Cluster::of_environment()?,
    };
    let Some(cluster) = cluster else {
        return Err(Failure::plain("no Kafka to produce to: start `tickerlake local` on this folder, or set KAFKA_BOOTSTRAP_SERVERS"));
    };
    let (topic, now) = (kafka::topic(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    let mut config = cluster.client();
    config.set("enable.idempotence", "true").set("message.timeout.ms", TIMEOUT.as_millis().to_string());
    // The same partition as fetch-quotes computes: a symbol's quotes stay in one.
    config.set("partitioner", "murmur2_random");
    let producer: FutureProducer = config.create().map_err(|error| Failure::new("cannot make a Kafka producer", error))?;

    let (mut replayed, mut refused) = (0_usize, 0_usize);
    for line in mended {
        let mark = mark(&line.object)?;
        if visit.lake.has(&mark).await? {
            println!("{}: was replayed before", line.object);
            refused += 1;
            continue;
        }
        let value = line.value.unwrap_or_default();
        let arrival = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        let quote = match json::from_record(Some(value.as_bytes()), arrival) {
            Ok(quote) => quote,
            Err(poison) => {
                println!("{}: still not a quote: {poison}", line.object);
                refused += 1;
                continue;
            }
        };
        let kept = kept::read(&visit.lake, line.object, false).await?;
        let record = FutureRecord::to(&topic).key(quote.symbol.as_bytes()).payload(value.as_bytes()).headers(headers(&kept));
        let sent = producer.send(record, Timeout::After(TIMEOUT)).await;
        sent.map_err(|(error, _)| Failure::new(format_args!("{} could not be produced", kept.object), error))?;
        mark_replayed(&visit.lake, &mark).await?;
        replayed += 1;
    }
    let _ = producer.flush(TIMEOUT);
    println!("Replayed {replayed} record(s).");
    if refused > 0 {
        return Err(Failure::plain(format_args!("{refused} record(s) were not replayed")));
    }
    Ok(())
}

/// The record's own headers, without those that say where and in which file it was: it begins a new life.
fn headers(kept: &Kept) -> OwnedHeaders {
    let pairs = kept.record.headers.as_array().into_iter().flatten().filter_map(serde_json::Value::as_object).flatten();
    let own = pairs.filter(|(name, _)| *name != CLUSTER_HEADER && *name != FILE_REPLAY_HEADER);
    own.fold(OwnedHeaders::new(), |headers, (name, value)| {
        let bytes = value.as_array().into_iter().flatten().filter_map(serde_json::Value::as_i64);
        let bytes: Vec<u8> = bytes.map(|byte| byte.rem_euclid(256) as u8).collect();
        headers.insert(Header { key: name, value: Some(&bytes) })
    })
}

fn mark(object: &str) -> Result<String, Failure> {
    let stem = object.strip_suffix(".json").filter(|_| quotes::keys::parse(object).is_some());
    let stem = stem.ok_or_else(|| Failure::plain(format_args!("{object} is not the name of a record in quarantine")))?;
    Ok(format!("{stem}{REPLAYED}"))
}

async fn mark_replayed(lake: &Lake, mark: &str) -> Result<(), Failure> {
    lake.put(mark, bytes::Bytes::new()).await
}
