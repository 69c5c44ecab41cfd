//! What is in Kafka and not yet stored.

use quotes::cluster::UNKNOWN_CLUSTER;
use serde::Serialize;

use super::known::Known;
use crate::audit;
use crate::failure::Failure;
use crate::lake::Visit;
use crate::stored;

/// How far one partition is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PartitionLag {
    /// The cluster.
    pub(super) cluster: String,
    /// The topic.
    pub(super) topic: String,
    /// The partition.
    pub(super) partition: i32,
    /// The first offset that is not stored yet; null where nothing was ever stored.
    pub(super) next: Option<i64>,
    /// The next offset that Kafka will give.
    pub(super) end: i64,
    /// Records between the two.
    pub(super) lag: i64,
}

/// Asks Kafka and the watermarks.
pub(super) async fn of(visit: &Visit) -> Known<Vec<PartitionLag>> {
    match lags(visit).await {
        Ok(Some(lags)) => Known::Known(lags),
        Ok(None) => Known::unknown("no Kafka could be asked: name its brokers in KAFKA_BOOTSTRAP_SERVERS where they can be reached"),
        Err(failure) => Known::unknown(failure),
    }
}

async fn lags(visit: &Visit) -> Result<Option<Vec<PartitionLag>>, Failure> {
    // The watermarks afterwards: what is stored meanwhile is no lag.
    let clusters = audit::kafka_offsets(visit).await?;
    if clusters.is_empty() {
        return Ok(None);
    }
    let watermarks = stored::watermarks(&visit.lake).await?;
    let mut lags = Vec::new();
    for offsets in clusters {
        for (partition, range) in offsets.partitions {
            // Records without an id are under another name, and share the partition's offsets.
            let of_partition = watermarks.iter().filter(|(log, _)| {
                log.topic == offsets.topic && log.partition == partition && [&*offsets.cluster, UNKNOWN_CLUSTER].contains(&&*log.cluster)
            });
            let next = of_partition.map(|(_, watermark)| watermark.next).max();
            let lag = (range.end - next.unwrap_or(range.start).max(range.start)).max(0);
            let (cluster, topic) = (offsets.cluster.clone(), offsets.topic.clone());
            lags.push(PartitionLag { cluster, topic, partition, next, end: range.end, lag });
        }
    }
    Ok(Some(lags))
}
