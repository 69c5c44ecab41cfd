//! The form of the lake's Parquet files.

use std::sync::Arc;

use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use quotes::schema::{self, ColumnType};

/// How files are written: zstd, sorted by symbol and time. `created_by` goes into their footers.
pub fn properties(created_by: &str) -> WriterPropertiesBuilder {
    let column = |name| schema::COLUMNS.iter().position(|column| column.name == name).unwrap_or_default() as i32;
    let ascending = |name| SortingColumn { column_idx: column(name), descending: false, nulls_first: false };
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(created_by.to_owned())
        .set_sorting_columns(Some(vec![ascending("symbol"), ascending("event_time_ns")]));
    // Sorted by symbol and time, neighbours differ little: differences take less room and time than
    // a dictionary of numbers that hardly repeat. Texts do repeat.
    let numbers = schema::COLUMNS.iter().filter(|column| column.column_type != ColumnType::Text);
    numbers.fold(properties, |properties, column| {
        let path = ColumnPath::from(column.name);
        properties.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, Encoding::DELTA_BINARY_PACKED)
    })
}

/// Begins a file in memory with the table's columns.
pub fn writer(properties: WriterProperties) -> Result<ArrowWriter<Vec<u8>>, ParquetError> {
    // Without the Arrow schema in the footer: Parquet's own types say all there is to say, and
    // readers that honour the hint would see Arrow's types instead of the table's.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(Vec::with_capacity(64 * 1024), Arc::clone(&schema::file_schema()), options)
}
