//! The first pass: groups of files become sorted runs.

use arrow::array::RecordBatch;
use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch};
use bytes::Bytes;
use lake_store::files;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use quotes::schema;

use super::merge::Merge;
use super::read::Batches;
use crate::error::Error;

/// The columns that order a day's rows, and that no two rows agree on.
pub(super) const ORDER: [&str; 5] = ["symbol", "event_time_ns", "kafka_cluster", "kafka_partition", "kafka_offset"];

/// A group ends with the file that brings it to so many compressed bytes or files: decoded it is ten times as large, and is in
/// memory two or three times while it is sorted.
const GROUP_BYTES: usize = 2 << 20;
const GROUP_FILES: usize = 64;

/// Runs that are merged at once: each has a page of each column decoded.
const FAN_IN: usize = 96;

/// Rows in a page of a run, and in a batch that is read from it.
pub(super) const RUN_BATCH: usize = 512;

/// A file in memory whose rows are in order, with what to call it.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) name: String,
    pub(super) bytes: Bytes,
}

/// The runs so far.
#[derive(Debug, Default)]
pub(super) struct Runs {
    done: Vec<Run>,
    /// Files of the group under way.
    group: Vec<(String, Bytes)>,
    rows: u64,
}

impl Runs {
    /// Adds a file. One of ours that is a part of a generation is in order, and a run already.
    pub(super) fn add(&mut self, key: &str, bytes: Bytes, is_sorted: bool) -> Result<(), Error> {
        self.rows += Batches::open(key, bytes.clone(), RUN_BATCH)?.rows;
        if is_sorted {
            self.done.push(Run { name: key.to_owned(), bytes });
            return Ok(());
        }
        self.group.push((key.to_owned(), bytes));
        if self.group.len() >= GROUP_FILES || self.group.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() >= GROUP_BYTES {
            self.end_group()?;
        }
        Ok(())
    }

    /// All runs, few enough to be merged at once, and how many rows they must have.
    pub(super) fn finish(mut self) -> Result<(Vec<Run>, u64), Error> {
        self.end_group()?;
        let mut runs = self.done;
        while runs.len() > FAN_IN {
            let later = runs.split_off(FAN_IN);
            let mut merge = Merge::of(runs)?;
            let mut writer = RunWriter::new("a run of runs")?;
            while let Some(batch) = merge.next_batch()? {
                writer.write(&batch)?;
            }
            runs = later;
            runs.push(writer.finish()?);
        }
        Ok((runs, self.rows))
    }

    fn end_group(&mut self) -> Result<(), Error> {
        let mut batches = Vec::new();
        for (key, bytes) in self.group.drain(..) {
            let mut file = Batches::open(&key, bytes, usize::from(u16::MAX))?;
            while let Some(batch) = file.next_batch()? {
                batches.push(batch);
            }
        }
        if batches.is_empty() {
            return Ok(());
        }
        let mut writer = RunWriter::new(format!("run {}", self.done.len()))?;
        writer.write(&sorted(&batches).map_err(|error| writer.failed(error))?)?;
        self.done.push(writer.finish()?);
        Ok(())
    }
}

/// The rows of the batches in order.
fn sorted(batches: &[RecordBatch]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let batch = concat_batches(&schema::file_schema(), batches)?;
    let column = |name| batch.column_by_name(name).map(|values| SortColumn { values: values.clone(), options: None });
    let indices = lexsort_to_indices(&ORDER.into_iter().filter_map(column).collect::<Vec<_>>(), None)?;
    take_record_batch(&batch, &indices)
}

/// Writes a run: small pages, so that reading it holds little, and nothing that only a query needs.
struct RunWriter {
    name: String,
    writer: parquet::arrow::ArrowWriter<Vec<u8>>,
}

impl RunWriter {
    fn new(name: impl Into<String>) -> Result<Self, Error> {
        let (name, properties) = (name.into(), properties());
        let writer = files::writer(properties).map_err(|error| Error::Encode { what: name.clone(), source: error.into() })?;
        Ok(Self { name, writer })
    }

    fn failed(&self, error: impl Into<crate::error::BoxError>) -> Error {
        Error::Encode { what: self.name.clone(), source: error.into() }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let written = self.writer.write(batch);
        written.map_err(|error| self.failed(error))
    }

    fn finish(self) -> Result<Run, Error> {
        let Self { name, writer } = self;
        let bytes = writer.into_inner().map_err(|error| Error::Encode { what: name.clone(), source: error.into() })?;
        Ok(Run { name, bytes: bytes.into() })
    }
}

fn properties() -> WriterProperties {
    files::properties("tickerlake compact-day")
        .set_data_page_row_count_limit(RUN_BATCH)
        .set_write_batch_size(RUN_BATCH)
        .set_max_row_group_row_count(Some(16 * RUN_BATCH))
        .set_statistics_enabled(EnabledStatistics::None)
        .build()
}
