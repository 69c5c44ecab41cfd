//! The story of one invocation.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures::stream::{self, StreamExt};
use lake_store::{Store, Version};
use quotes::keys::LogId;
use serde::Serialize;
use tokio::time::Instant;

use crate::batch::{self, Batch};
use crate::error::{HandlerError, WriteError};
use crate::event::KafkaEvent;
use crate::protocol::Known;
use crate::writer::{self, Written};

/// Logs that are written at once. More would hold more files in memory, fewer would wait longer for S3.
const LOGS_AT_ONCE: usize = 8;

/// What is kept between the invocations of a warm environment.
#[derive(Debug)]
pub struct Handler {
    store: Store,
    unknown_cluster: String,
    /// The watermarks as the latest invocations left them: a log's first step is then a swap, not a read.
    watermarks: Mutex<HashMap<LogId, Known<Version>>>,
}

/// The invocation's answer.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub struct Summary {
    /// Records in the event.
    pub records: usize,
    /// Rows in the files that this invocation wrote.
    pub rows: usize,
    /// Records that this invocation found in or put into quarantine.
    pub quarantined: usize,
    /// Records that an earlier or concurrent invocation stored.
    pub already_stored: usize,
    /// Offsets that the log no longer held when they should have been stored.
    pub missing: i64,
    /// Keys of the files that this invocation wrote.
    pub files: Vec<String>,
    /// Always empty, for mappings in provisioned mode that ask for partial failures: a batch is
    /// stored whole, or fails and comes again.
    #[serde(rename = "batchItemFailures")]
    pub batch_item_failures: [(); 0],
}

/// When Lambda ends the invocation.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(SystemTime);

impl Deadline {
    /// Time to log and to answer in.
    const RESERVE: Duration = Duration::from_secs(1);

    /// The invocation ends at `at`.
    pub const fn new(at: SystemTime) -> Self {
        Self(at)
    }

    /// How long work may go on. A request cut off then may still take effect: the protocol allows for that.
    pub fn time_left(self) -> Duration {
        self.0.duration_since(SystemTime::now()).unwrap_or_default().saturating_sub(Self::RESERVE)
    }
}

impl Handler {
    /// A handler that writes to `store`.
    pub fn new(store: Store, unknown_cluster: String) -> Self {
        Self { store, unknown_cluster, watermarks: Mutex::default() }
    }

    /// Stores every record of the event.
    ///
    /// Each log is stored on its own: one that fails does not hold up the others, but the event
    /// fails with it, and comes again.
    pub async fn handle(&self, event: &KafkaEvent, deadline: Deadline) -> Result<Summary, HandlerError> {
        let until = Instant::now() + deadline.time_left();
        let batches = batch::split(event, &self.unknown_cluster);
        let mut results: Vec<_> = stream::iter(&batches)
            .map(|batch| async move { (batch, self.write(batch, until).await) })
            .buffer_unordered(LOGS_AT_ONCE)
            .collect()
            .await;
        results.sort_by(|(a, _), (b, _)| a.log.cmp(&b.log));

        let mut summary = Summary::default();
        let mut failure: Option<HandlerError> = None;
        for (batch, result) in results {
            match result {
                Ok(written) => self.stored(batch, written, &mut summary),
                Err(source) => {
                    tracing::error!(log = %batch.log, error = %source, "A log could not be stored.");
                    self.forget(&batch.log);
                    let first = failure.get_or_insert(HandlerError { log: batch.log.clone(), failed: 0, logs: batches.len(), source });
                    first.failed += 1;
                }
            }
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        tracing::info!(
            records = summary.records,
            rows = summary.rows,
            quarantined = summary.quarantined,
            already_stored = summary.already_stored,
            missing = summary.missing,
            files = summary.files.len(),
            "The batch was stored."
        );
        Ok(summary)
    }

    async fn write(&self, batch: &Batch<'_>, until: Instant) -> Result<Written, WriteError> {
        let write = writer::write(&self.store, batch, self.cached(&batch.log));
        tokio::time::timeout_at(until, write).await.unwrap_or(Err(WriteError::OutOfTime))
    }

    fn stored(&self, batch: &Batch<'_>, written: Written, summary: &mut Summary) {
        if written.missing > 0 {
            tracing::error!(log = %batch.log, missing = written.missing, "The log no longer held records that were not yet stored.");
        }
        summary.records += batch.len();
        summary.rows += written.rows;
        summary.quarantined += written.quarantined;
        summary.already_stored += batch.len().saturating_sub(written.rows + written.quarantined);
        summary.missing += written.missing;
        summary.files.extend(written.files);
        let mut watermarks = self.watermarks.lock().unwrap_or_else(PoisonError::into_inner);
        match written.watermark {
            Some(known) => watermarks.insert(batch.log.clone(), known),
            None => watermarks.remove(&batch.log),
        };
    }

    fn cached(&self, log: &LogId) -> Option<Known<Version>> {
        self.watermarks.lock().unwrap_or_else(PoisonError::into_inner).get(log).cloned()
    }

    fn forget(&self, log: &LogId) {
        self.watermarks.lock().unwrap_or_else(PoisonError::into_inner).remove(log);
    }
}
