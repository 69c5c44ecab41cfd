//! Objects of the lake: each has one row, whose offset is its own.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

/// A data file with these offsets in its rows.
pub(crate) fn rows(offsets: &[i64]) -> Vec<u8> {
    let symbols = StringArray::from_iter_values(offsets.iter().map(|_| "AAPL"));
    let offsets = Int64Array::from_iter_values(offsets.iter().copied());
    let batch = RecordBatch::try_from_iter([("symbol", Arc::new(symbols) as _), ("kafka_offset", Arc::new(offsets) as _)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// The key of the object with this offset.
pub(crate) fn key(day: &str, offset: i64) -> String {
    format!("quotes/dt={day}/c-unknown-quotes-00000-{offset:020}.parquet")
}
