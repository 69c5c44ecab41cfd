//! Parquet files under way: one for each partition that rows were seen of.

use std::collections::BTreeMap;
use std::fs::File;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::athena::failure::Failure;
use crate::athena::objects::{Objects, PartFile};
use crate::athena::running::Running;
use crate::athena::text::Column;

/// As many as Athena writes at once.
const MAX_PARTITIONS: usize = 100;

/// Hive's name for null in a path.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// How pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Codec(Compression);

impl Codec {
    /// By Athena's name; Athena's own choice without one.
    pub(super) fn named(name: Option<&str>) -> Result<Self, Failure> {
        Ok(Self(match name.map(str::to_uppercase).as_deref() {
            None | Some("GZIP") => Compression::GZIP(GzipLevel::default()),
            Some("SNAPPY") => Compression::SNAPPY,
            Some("ZSTD") => Compression::ZSTD(ZstdLevel::default()),
            Some("LZ4") => Compression::LZ4,
            Some("NONE" | "UNCOMPRESSED") => Compression::UNCOMPRESSED,
            Some(other) => return Err(Failure::Refused(format!("the local engine does not compress Parquet with {other}"))),
        }))
    }
}

/// A file that is complete and not yet in S3.
pub(super) struct WrittenFile {
    /// The partition's values; empty without partition keys.
    pub(super) values: Vec<String>,
    pub(super) part: PartFile,
}

struct OpenFile {
    writer: ArrowWriter<File>,
    part: PartFile,
}

/// The files of one query.
pub(super) struct PartitionedFiles<'a> {
    objects: Objects<'a>,
    schema: SchemaRef,
    keys: usize,
    codec: Codec,
    open: BTreeMap<Vec<String>, OpenFile>,
    rows: u64,
}

impl<'a> PartitionedFiles<'a> {
    /// None yet. The columns written are the schema's, then so many partition keys.
    pub(super) fn new(running: &'a Running<'a>, schema: SchemaRef, keys: usize, codec: Codec) -> Self {
        Self { objects: Objects::new(running), schema, keys, codec, open: BTreeMap::new(), rows: 0 }
    }

    /// Adds rows, each to its partition's file.
    pub(super) fn write(&mut self, columns: &[ArrayRef], rows: usize) -> Result<(), Failure> {
        if rows == 0 {
            return Ok(());
        }
        self.rows += rows as u64;
        let (columns, keys) = columns.split_at(columns.len().saturating_sub(self.keys));
        if keys.is_empty() {
            return self.append(Vec::new(), columns.to_vec(), rows);
        }
        for (values, rows) in rows_by_partition(keys, rows)? {
            let count = rows.len();
            let rows = UInt32Array::from(rows);
            let columns = columns.iter().map(|column| take(column, &rows, None)).collect::<Result<_, _>>()?;
            self.append(values, columns, count)?;
        }
        Ok(())
    }

    fn append(&mut self, values: Vec<String>, columns: Vec<ArrayRef>, rows: usize) -> Result<(), Failure> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(SchemaRef::clone(&self.schema), columns, &options)?;
        if !self.open.contains_key(&values) {
            if self.open.len() == MAX_PARTITIONS {
                let message =
                    format!("HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of {MAX_PARTITIONS} open writers for partitions/buckets");
                return Err(Failure::Plain(message));
            }
            let part = self.objects.part(&format!("-{}", self.open.len()));
            let properties = WriterProperties::builder().set_compression(self.codec.0).build();
            let writer = ArrowWriter::try_new(File::create(part.path())?, SchemaRef::clone(&self.schema), Some(properties))?;
            self.open.insert(values.clone(), OpenFile { writer, part });
        }
        if let Some(file) = self.open.get_mut(&values) {
            file.writer.write(&batch)?;
        }
        Ok(())
    }

    /// Completes the files; answers them and how many rows they hold.
    pub(super) fn finish(self) -> Result<(Vec<WrittenFile>, u64), Failure> {
        let mut written = Vec::new();
        for (values, file) in self.open {
            file.writer.close()?;
            written.push(WrittenFile { values, part: file.part });
        }
        Ok((written, self.rows))
    }
}

/// Which rows belong to which partition.
fn rows_by_partition(keys: &[ArrayRef], rows: usize) -> Result<BTreeMap<Vec<String>, Vec<u32>>, Failure> {
    let keys = keys.iter().map(Column::new).collect::<Result<Vec<_>, _>>()?;
    let mut by_partition: BTreeMap<Vec<String>, Vec<u32>> = BTreeMap::new();
    for row in 0..rows {
        let values = keys.iter().map(|key| Ok(key.value(row)?.unwrap_or_else(|| NULL_PARTITION.to_owned())));
        let values = values.collect::<Result<Vec<_>, Failure>>()?;
        by_partition.entry(values).or_default().extend(u32::try_from(row));
    }
    Ok(by_partition)
}
