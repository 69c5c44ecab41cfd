//! A query's rows on their way into Parquet files: which column goes where, and as which type.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::util::display::FormatOptions;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt as _;

use super::files::{Codec, PartitionedFiles, WrittenFile};
use crate::athena::failure::Failure;
use crate::athena::running::Running;

/// What the files look like.
pub(super) struct Shape {
    /// The files' columns, then the partition keys.
    pub(super) fields: Vec<FieldRef>,
    /// How many of them are keys.
    pub(super) keys: usize,
    /// For each of them the query's column; none for null.
    pub(super) from: Vec<Option<usize>>,
    pub(super) codec: Codec,
}

/// Runs the plan to its end; answers the files, not yet in S3, and how many rows they hold.
pub(super) async fn collect(
    running: &Running<'_>,
    state: &SessionState,
    plan: Arc<dyn ExecutionPlan>,
    shape: &Shape,
) -> Result<(Vec<WrittenFile>, u64), Failure> {
    let in_files = shape.fields.len().saturating_sub(shape.keys);
    let schema: SchemaRef = Arc::new(Schema::new(shape.fields.iter().take(in_files).cloned().collect::<Vec<_>>()));
    let mut files = PartitionedFiles::new(running, schema, shape.keys, shape.codec);
    let mut batches = execute_stream(plan, state.task_ctx())?;
    // A value that does not fit is an error, not null.
    let options = CastOptions { safe: false, format_options: FormatOptions::default() };
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(shape.fields.len());
        for (field, from) in shape.fields.iter().zip(&shape.from) {
            let column = match from.and_then(|from| batch.columns().get(from)) {
                Some(column) => cast_with_options(column, field.data_type(), &options)?,
                None => arrow::array::new_null_array(field.data_type(), batch.num_rows()),
            };
            columns.push(column);
        }
        files.write(&columns, batch.num_rows())?;
    }
    files.finish()
}

/// The type that a query's column has in a file; nothing if Hive's tables cannot hold it.
pub(super) fn file_type(query: &DataType) -> Option<DataType> {
    Some(match query {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::Dictionary(_, values) => file_type(values)?,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Decimal128(..) => query.clone(),
        _ => return None,
    })
}
