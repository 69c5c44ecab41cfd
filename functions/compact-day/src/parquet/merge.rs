//! The second pass: sorted runs become one sorted stream.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Int32Type, Int64Type};

use super::read::Batches;
use super::runs::{ORDER, RUN_BATCH, Run};
use crate::error::Error;

/// Rows in a batch that comes out.
const BATCH: usize = 4096;

/// What rows are ordered by, in the order of [`ORDER`].
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    symbol: String,
    event_time_ns: i64,
    cluster: String,
    partition: i32,
    offset: i64,
}

/// Where a run is.
struct Cursor {
    batches: Batches,
    /// Its batch under way, as an index into [`Merge::held`].
    batch: usize,
    row: usize,
}

/// Runs that are being merged.
pub(super) struct Merge {
    cursors: Vec<Cursor>,
    /// The next row of each run that has one.
    next: BinaryHeap<Reverse<(Key, usize)>>,
    /// Batches that rows of the batch under way, or cursors, are in.
    held: Vec<RecordBatch>,
}

impl Merge {
    /// Begins with the first rows of all runs.
    pub(super) fn of(runs: Vec<Run>) -> Result<Self, Error> {
        let mut merge = Self { cursors: Vec::with_capacity(runs.len()), next: BinaryHeap::new(), held: Vec::new() };
        for run in runs {
            let batches = Batches::open(&run.name, run.bytes, RUN_BATCH)?;
            merge.cursors.push(Cursor { batches, batch: 0, row: 0 });
            merge.load(merge.cursors.len() - 1)?;
        }
        Ok(merge)
    }

    /// The next rows in order; `None` at the end.
    pub(super) fn next_batch(&mut self) -> Result<Option<RecordBatch>, Error> {
        let mut rows = Vec::with_capacity(BATCH);
        while rows.len() < BATCH {
            let Some(Reverse((_, run))) = self.next.pop() else { break };
            let Some(cursor) = self.cursors.get_mut(run) else { break };
            rows.push((cursor.batch, cursor.row));
            cursor.row += 1;
            let (batch, row) = (cursor.batch, cursor.row);
            match self.held.get(batch).filter(|batch| row < batch.num_rows()) {
                Some(batch) => self.next.push(Reverse((key(batch, row)?, run))),
                None => self.load(run)?,
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let held: Vec<&RecordBatch> = self.held.iter().collect();
        let merged = interleave_record_batch(&held, &rows).map_err(|error| failed(error.into()))?;
        self.let_go();
        Ok(Some(merged))
    }

    /// Goes on with a run's next batch that has rows.
    fn load(&mut self, run: usize) -> Result<(), Error> {
        let Some(cursor) = self.cursors.get_mut(run) else { return Ok(()) };
        while let Some(batch) = cursor.batches.next_batch()? {
            if batch.num_rows() > 0 {
                self.next.push(Reverse((key(&batch, 0)?, run)));
                (cursor.batch, cursor.row) = (self.held.len(), 0);
                self.held.push(batch);
                break;
            }
        }
        Ok(())
    }

    /// Keeps the batches that cursors are in, and no others.
    fn let_go(&mut self) {
        let held = std::mem::take(&mut self.held);
        for Reverse((_, run)) in &self.next {
            if let Some(cursor) = self.cursors.get_mut(*run)
                && let Some(batch) = held.get(cursor.batch)
            {
                cursor.batch = self.held.len();
                self.held.push(batch.clone());
            }
        }
    }
}

fn key(batch: &RecordBatch, row: usize) -> Result<Key, Error> {
    let text = |name| Some(batch.column_by_name(name)?.as_string_opt::<i32>()?.value(row).to_owned());
    let bigint = |name| Some(batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?.value(row));
    let int = |name| Some(batch.column_by_name(name)?.as_primitive_opt::<Int32Type>()?.value(row));
    let [symbol, event_time_ns, cluster, partition, offset] = ORDER;
    let key = || {
        Some(Key {
            symbol: text(symbol)?,
            event_time_ns: bigint(event_time_ns)?,
            cluster: text(cluster)?,
            partition: int(partition)?,
            offset: bigint(offset)?,
        })
    };
    // The batches were fitted to the table's columns.
    key().ok_or_else(|| failed("a batch without the columns that order it".into()))
}

fn failed(source: crate::error::BoxError) -> Error {
    Error::Encode { what: "the merged rows".to_owned(), source }
}
