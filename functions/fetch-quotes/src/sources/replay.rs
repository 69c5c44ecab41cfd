//! A recorded file, told again: exactly once from the file to the log.
//!
//! The file is a CSV, plain or gzipped, whose header names quote columns ([`columns`]). It is read
//! line by line and never held whole. What was stored already is known from Kafka itself
//! ([`progress`]), so a replay that was killed at any moment goes on where the log ends, and one
//! that is through stays through.

mod columns;
pub(crate) mod mark;
mod pace;
mod progress;
mod rows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::mark::{FileId, Mark};
use self::pace::Pace;
use self::progress::{Anchor, Position, Progress};
use self::rows::{BadRow, Row, Rows};
use crate::config::{KafkaConfig, Speed};
use crate::kafka::REQUEST_TIMEOUT;
use crate::producer::{Delivered, Outcome};
use crate::source::{Batch, Fetched, Invocation, Next, Source, SourceError};
use crate::sources::provider::fault::Reason;
use crate::summary::{Failure, Subject};

pub(crate) use self::progress::ProgressError;
pub(crate) use self::rows::FileError;

const NAME: &str = "replay";

/// Rows of one batch: it is held in memory, and the position is committed after it.
const BATCH: usize = 2_000;

/// How long one invocation goes on catching up with a paced replay before it answers.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a replay cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// The file is missing, or not of quotes.
    #[error(transparent)]
    File(#[from] FileError),
    /// What is stored already could not be found out or noted.
    #[error(transparent)]
    Progress(#[from] ProgressError),
}

impl ReplayError {
    /// Whether the same can succeed later without anybody changing anything.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::File(_) => false,
            Self::Progress(error) => error.is_retryable(),
        }
    }
}

/// The source `replay`.
pub(crate) struct Replay {
    path: PathBuf,
    file: FileId,
    speed: Speed,
    kafka: KafkaConfig,
    /// Set from the first fetch on. Unset again whenever it is unsure what the log has: the next
    /// fetch then reads the log and the file anew.
    reading: Option<Reading>,
    /// Set by the first row of this process.
    pace: Option<Pace>,
    /// The last bad line that was told, so that reading the file again does not tell it again.
    told: u64,
}

/// The file, opened at the position that the log shows.
struct Reading {
    rows: Rows,
    progress: Arc<Progress>,
    position: Position,
    /// Read, but not due yet.
    held: Option<Row>,
    /// Whether rows were handed out of which nothing was heard yet.
    is_pending: bool,
}

impl Replay {
    /// A replay of the file at `path`, which is read once to identify it and to check its header.
    pub(crate) fn new(path: &Path, speed: Speed, kafka: &KafkaConfig) -> Result<Self, ReplayError> {
        let file = FileId::of(path).map_err(|source| FileError::Read { path: path.to_owned(), source })?;
        Rows::open(path)?;
        Ok(Self { path: path.to_owned(), file, speed, kafka: kafka.clone(), reading: None, pace: None, told: 0 })
    }

    /// Reads from Kafka how far the replay came and opens the file there.
    async fn open(&self, invocation: &Invocation) -> Result<Reading, ReplayError> {
        let rows = Rows::open(&self.path)?;
        let (kafka, file, time) = (self.kafka.clone(), self.file.clone(), invocation.left());
        let opened = tokio::task::spawn_blocking(move || Progress::open(&kafka, &file, time)).await;
        // The task neither panics nor is cancelled.
        let (progress, position) = opened.unwrap_or(Err(ProgressError::Interrupted))?;
        tracing::info!(
            file = %self.path.display(),
            stored_through_line = position.line,
            stored_beyond = position.beyond.len(),
            "The replay goes on where the log ends."
        );
        Ok(Reading { rows, progress: Arc::new(progress), position, held: None, is_pending: false })
    }
}

#[async_trait]
impl Source for Replay {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn fetch(&mut self, invocation: &Invocation) -> Result<Batch, SourceError> {
        // Producing failed as a whole: which rows of it are in the log, only the log knows.
        let reading = self.reading.take().filter(|reading| !reading.is_pending);
        let mut reading = match reading {
            Some(reading) => reading,
            None => self.open(invocation).await?,
        };
        let mut batch = Batch { next: Next::Now, ..Batch::default() };
        while batch.rows.len() + batch.failures.len() < BATCH {
            match reading.next() {
                None => {
                    batch.next = Next::Never;
                    break;
                }
                Some(Err(BadRow { line, reason })) => {
                    if line > self.told {
                        self.told = line;
                        batch.failures.push(Failure { subject: Subject::Line(line), kind: Reason::Unreadable, reason });
                    }
                }
                Some(Ok(row)) => {
                    let fetched_at = row.quote.fetched_at;
                    let pace = self.pace.get_or_insert_with(|| Pace::starting_now(self.speed, fetched_at));
                    if !pace.is_due(fetched_at) {
                        reading.held = Some(row);
                        batch.next = Next::Later;
                        break;
                    }
                    let mark = Mark { file: self.file.clone(), line: row.line };
                    batch.rows.push(Fetched { quote: row.quote, mark: Some(mark) });
                }
            }
        }
        if batch.next == Next::Now && self.speed != Speed::Max && invocation.elapsed() > PATIENCE {
            batch.next = Next::Later;
        }
        reading.is_pending = !batch.rows.is_empty();
        self.reading = Some(reading);
        Ok(batch)
    }

    async fn acknowledge(&mut self, rows: &[Fetched], delivered: &Delivered, invocation: &Invocation) {
        // Rows without an acknowledgement may be in the log all the same, and another cluster has
        // another log: in both cases the log is read again.
        let is_sure = |reading: &Reading| delivered.is_settled() && reading.progress.cluster() == delivered.cluster.as_deref();
        let Some(mut reading) = self.reading.take().filter(is_sure) else {
            return;
        };
        reading.is_pending = false;

        let progress = Arc::clone(&reading.progress);
        let anchors = anchors(rows, delivered);
        self.reading = Some(reading);
        let commit = tokio::task::spawn_blocking(move || progress.commit(&anchors));
        // Every row is stored whether or not this succeeds; without it the next start merely has
        // more of the log to read.
        match tokio::time::timeout(invocation.at_most(REQUEST_TIMEOUT), commit).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "The replay's position was not committed."),
            Ok(Err(_)) | Err(_) => tracing::warn!("The replay's position was not committed in time."),
        }
    }
}

impl Reading {
    /// The next row that is not in the log yet.
    fn next(&mut self) -> Option<Result<Row, BadRow>> {
        if let Some(row) = self.held.take() {
            return Some(Ok(row));
        }
        let position = &self.position;
        self.rows.next(|line| position.has(line))
    }
}

/// Each partition's record with the greatest line of the batch.
fn anchors(rows: &[Fetched], delivered: &Delivered) -> BTreeMap<i32, Anchor> {
    let mut anchors: BTreeMap<i32, Anchor> = BTreeMap::new();
    for (row, outcome) in rows.iter().zip(&delivered.outcomes) {
        if let (Some(mark), Outcome::Stored { partition, offset }) = (&row.mark, outcome) {
            let anchor = Anchor { offset: *offset, line: mark.line };
            anchors.entry(*partition).and_modify(|found| *found = anchor.max_by_line(*found)).or_insert(anchor);
        }
    }
    anchors
}
