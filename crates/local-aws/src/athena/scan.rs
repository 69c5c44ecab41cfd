//! What a query reads, counted while it reads: the bytes of the column chunks that it asks for.
//!
//! Footers do not count: Athena says 0 for `SELECT count(*)` over Parquet.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::error::Result;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt as _;
use futures::future::{self, BoxFuture};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

/// The bytes that one query has read, and how many it may. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(super) struct ScannedBytes(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    bytes: AtomicU64,
    limit: Option<u64>,
}

/// A query that would read more than its work group lets it.
#[derive(Debug, thiserror::Error)]
#[error("Bytes scanned limit was exceeded")]
pub(super) struct LimitExceeded;

impl ScannedBytes {
    /// None yet.
    pub(super) fn up_to(limit: Option<u64>) -> Self {
        Self(Arc::new(Count { bytes: AtomicU64::new(0), limit }))
    }

    /// So many so far.
    pub(super) fn get(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Whether a read was refused.
    pub(super) fn exceeded(&self) -> bool {
        self.0.limit.is_some_and(|limit| self.get() > limit)
    }

    fn add<'a>(&self, ranges: impl IntoIterator<Item = &'a Range<u64>>) -> std::result::Result<(), ParquetError> {
        let bytes: u64 = ranges.into_iter().map(|range| range.end.saturating_sub(range.start)).sum();
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.exceeded() { Err(ParquetError::External(Box::new(LimitExceeded))) } else { Ok(()) }
    }
}

/// Makes the readers of one query.
#[derive(Debug)]
pub(super) struct CountingReaders {
    readers: CachedParquetFileReaderFactory,
    scanned: ScannedBytes,
}

impl CountingReaders {
    pub(super) fn new(readers: CachedParquetFileReaderFactory, scanned: ScannedBytes) -> Self {
        Self { readers, scanned }
    }
}

impl ParquetFileReaderFactory for CountingReaders {
    fn create_reader(
        &self,
        partition_index: usize,
        partitioned_file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let reader = self.readers.create_reader(partition_index, partitioned_file, metadata_size_hint, metrics)?;
        Ok(Box::new(CountingReader { reader, scanned: self.scanned.clone() }))
    }
}

struct CountingReader {
    reader: Box<dyn AsyncFileReader + Send>,
    scanned: ScannedBytes,
}

impl AsyncFileReader for CountingReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        match self.scanned.add([&range]) {
            Ok(()) => self.reader.get_bytes(range),
            Err(error) => future::ready(Err(error)).boxed(),
        }
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        match self.scanned.add(&ranges) {
            Ok(()) => self.reader.get_byte_ranges(ranges),
            Err(error) => future::ready(Err(error)).boxed(),
        }
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        self.reader.get_metadata(options)
    }
}
