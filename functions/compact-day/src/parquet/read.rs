//! Files as batches of the table's columns.

use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use quotes::schema;

use crate::error::{BoxError, Error};

/// What a file has that the table has not, or the other way round.
#[derive(Debug, thiserror::Error)]
enum Misfit {
    /// A column that nothing would keep.
    #[error("it has a column {0:?}, which the table does not have")]
    Extra(String),
    /// A column that is never null is not there.
    #[error("it has no column {0:?}")]
    Missing(&'static str),
}

/// The batches of one file.
pub(super) struct Batches {
    key: String,
    reader: ParquetRecordBatchReader,
    /// Rows by the file's footer.
    pub(super) rows: u64,
}

impl Batches {
    /// Opens a file that is at hand, to be read in batches of at most `batch` rows.
    pub(super) fn open(key: &str, bytes: Bytes, batch: usize) -> Result<Self, Error> {
        let damaged = |source| Error::Damaged { key: key.to_owned(), source };
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| damaged(error.into()))?;
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let reader = builder.with_batch_size(batch).build().map_err(|error| damaged(error.into()))?;
        Ok(Self { key: key.to_owned(), reader, rows })
    }

    /// The next batch, in the table's columns and their order; `None` at the end.
    pub(super) fn next_batch(&mut self) -> Result<Option<RecordBatch>, Error> {
        let damaged = |source| Error::Damaged { key: self.key.clone(), source };
        match self.reader.next() {
            None => Ok(None),
            Some(Err(error)) => Err(damaged(error.into())),
            Some(Ok(batch)) => fitted(&batch).map(Some).map_err(damaged),
        }
    }
}

/// The batch in the table's columns. A file that is older than a column has none of it.
fn fitted(batch: &RecordBatch) -> Result<RecordBatch, BoxError> {
    let schema = schema::file_schema();
    if let Some(extra) = batch.schema().fields().iter().find(|field| schema.field_with_name(field.name()).is_err()) {
        return Err(Misfit::Extra(extra.name().clone()).into());
    }
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (field, column) in schema.fields().iter().zip(&schema::COLUMNS) {
        columns.push(match batch.column_by_name(column.name) {
            Some(found) => Arc::clone(found),
            None if column.nullable => new_null_array(field.data_type(), batch.num_rows()),
            None => return Err(Misfit::Missing(column.name).into()),
        });
    }
    // Refuses other types, and nulls where there may be none.
    Ok(RecordBatch::try_new(schema, columns)?)
}
