//! The files of a generation.

use std::sync::LazyLock;

use arrow::array::{AsArray, RecordBatch};
use lake_store::files;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use quotes::compaction;

use crate::error::{BoxError, Error};

/// Rows in a part, but for the last one: some 20 MB, which is put in one request. The number decides which rows lie under which
/// key: changing it changes [`crate::content`]'s `FORM`.
const PART_ROWS: usize = 262_144;

/// A row group ends at the first change of symbol after so many rows, so that a symbol's rows lie in few groups, and a query for
/// it skips the others by their statistics.
const GROUP_ROWS: usize = 8_192;

/// Rows in a row group at the most, for a symbol that has more.
const MAX_GROUP_ROWS: usize = 32_768;

/// Rows in a page at the most: the page index lets readers skip within a row group.
const PAGE_ROWS: usize = 4_096;

/// A finished part.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) bytes: Vec<u8>,
}

/// The parts of one topic.
pub(super) struct Parts {
    topic: String,
    finished: usize,
    writer: Option<ArrowWriter<Vec<u8>>>,
    /// Rows in the part under way.
    rows: usize,
    last_symbol: String,
    part_rows: usize,
    group_rows: usize,
}

impl Parts {
    pub(super) fn new(topic: &str) -> Self {
        Self::with_sizes(topic, PART_ROWS, GROUP_ROWS)
    }

    /// The same with other sizes than the lake's.
    pub(super) fn with_sizes(topic: &str, part_rows: usize, group_rows: usize) -> Self {
        Self { topic: topic.to_owned(), finished: 0, writer: None, rows: 0, last_symbol: String::new(), part_rows, group_rows }
    }

    /// Adds rows in order; answers the parts that they complete.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<Vec<Part>, Error> {
        let mut parts = Vec::new();
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let fits = rest.num_rows().min(self.part_rows - self.rows);
            self.write(&rest.slice(0, fits))?;
            rest = rest.slice(fits, rest.num_rows() - fits);
            if self.rows == self.part_rows {
                parts.extend(self.finish()?);
            }
        }
        Ok(parts)
    }

    /// The part under way, if it has any rows.
    pub(super) fn finish(&mut self) -> Result<Option<Part>, Error> {
        let Some(writer) = self.writer.take() else { return Ok(None) };
        let name = compaction::part(&self.topic, self.finished);
        let bytes = writer.into_inner().map_err(|error| self.failed(error.into()))?;
        let rows = std::mem::take(&mut self.rows) as u64;
        self.finished += 1;
        Ok(Some(Part { name, rows, bytes }))
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let mut writer = match self.writer.take() {
                Some(writer) => writer,
                None => files::writer((**PROPERTIES).clone()).map_err(|error| self.failed(error.into()))?,
            };
            let end = self.group_end(&rest, self.group_rows.saturating_sub(writer.in_progress_rows()));
            let written = match end {
                Some(0) => writer.flush(),
                Some(end) => writer.write(&rest.slice(0, end)).and_then(|()| writer.flush()),
                None => writer.write(&rest),
            };
            written.map_err(|error| self.failed(error.into()))?;
            let taken = end.unwrap_or(rest.num_rows());
            self.rows += taken;
            self.writer = Some(writer);
            if let Some(symbol) = symbols(&rest).filter(|_| taken > 0).map(|symbols| symbols.value(taken - 1)) {
                symbol.clone_into(&mut self.last_symbol);
            }
            rest = rest.slice(taken, rest.num_rows() - taken);
        }
        Ok(())
    }

    /// How many of the rows still belong to the row group under way, which takes `room` more before it ends with its symbol;
    /// `None` for all of them.
    fn group_end(&self, batch: &RecordBatch, room: usize) -> Option<usize> {
        let symbols = symbols(batch)?;
        (room..batch.num_rows()).find(|row| {
            let before = if *row == 0 { self.last_symbol.as_str() } else { symbols.value(row - 1) };
            symbols.value(*row) != before
        })
    }

    fn failed(&self, source: BoxError) -> Error {
        Error::Encode { what: compaction::part(&self.topic, self.finished), source }
    }
}

fn symbols(batch: &RecordBatch) -> Option<&arrow::array::StringArray> {
    batch.column_by_name("symbol")?.as_string_opt::<i32>()
}

static PROPERTIES: LazyLock<Box<WriterProperties>> = LazyLock::new(|| {
    let properties = files::properties(concat!("tickerlake compact-day ", env!("CARGO_PKG_VERSION")));
    let properties = properties.set_max_row_group_row_count(Some(MAX_GROUP_ROWS)).set_data_page_row_count_limit(PAGE_ROWS);
    // Rows are looked at for the limit of a page once in so many.
    Box::new(properties.set_write_batch_size(PAGE_ROWS / 4).build())
});
