//! Which partitions a query's filters leave.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Fields, Schema};
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;

use crate::s3::S3Location;

/// A partition and where its files are.
#[derive(Debug, Clone)]
pub(super) struct PartitionFolder {
    /// One for each key.
    pub(super) values: Vec<ScalarValue>,
    pub(super) location: S3Location,
}

/// The partitions for which every filter is true. The filters are on the keys alone.
pub(super) fn keep(state: &dyn Session, keys: &Fields, partitions: &[PartitionFolder], filters: Vec<Expr>) -> Result<Vec<PartitionFolder>> {
    let Some(filter) = conjunction(filters) else { return Ok(partitions.to_vec()) };
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let schema = Arc::new(Schema::new(keys.clone()));
    let columns = (0..keys.len())
        .map(|key| ScalarValue::iter_to_array(partitions.iter().filter_map(|partition| partition.values.get(key).cloned())))
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(partitions.len()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)?;
    let filter = state.create_physical_expr(filter, &DFSchema::try_from(schema)?)?;
    let kept = filter.evaluate(&batch)?.into_array(partitions.len())?;
    let kept = kept.as_boolean();
    let kept = partitions.iter().enumerate().filter(|(row, _)| kept.is_valid(*row) && kept.value(*row));
    Ok(kept.map(|(_, partition)| partition.clone()).collect())
}
