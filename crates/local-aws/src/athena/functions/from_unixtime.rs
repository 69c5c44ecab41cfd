//! `from_unixtime(seconds)`: an instant with milliseconds, in UTC. DataFusion's own drops the fraction and the zone.

use std::sync::Arc;

use arrow::array::{AsArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Float64Type, TimeUnit};
use datafusion::common::{internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};

use super::scalar::Scalar;

const NAME: &str = "from_unixtime";

/// The function.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Scalar { name: NAME, takes, returns, body })
}

fn takes(arguments: &[DataType]) -> Result<Vec<DataType>> {
    match arguments {
        [seconds] if seconds.is_numeric() || seconds.is_null() => Ok(vec![DataType::Float64]),
        _ => plan_err!("{NAME} takes seconds since 1970"),
    }
}

fn returns(_: &ReturnFieldArgs<'_>) -> Result<DataType> {
    Ok(DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())))
}

fn body(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let [seconds] = args.args.as_slice() else { return internal_err!("{NAME} takes one argument") };
    let seconds = seconds.to_array(args.number_rows)?;
    let seconds = seconds.as_primitive::<Float64Type>();
    let millis: TimestampMillisecondArray =
        seconds.iter().map(|seconds| seconds.map(|seconds| (seconds * 1000.0).round() as i64)).collect();
    Ok(ColumnarValue::Array(Arc::new(millis.with_timezone("UTC"))))
}
