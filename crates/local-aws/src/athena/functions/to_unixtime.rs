//! `to_unixtime(t)`: seconds since 1970 with their fraction. DataFusion's own drops the fraction.

use std::sync::Arc;

use arrow::array::Float64Array;
use arrow::datatypes::DataType;
use datafusion::common::{internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};

use super::instants;
use super::scalar::Scalar;

const NAME: &str = "to_unixtime";

/// The function.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Scalar { name: NAME, takes, returns, body })
}

fn takes(arguments: &[DataType]) -> Result<Vec<DataType>> {
    match arguments {
        [value] => Ok(vec![instants::coerced(NAME, value)?]),
        _ => plan_err!("{NAME} takes a timestamp"),
    }
}

fn returns(_: &ReturnFieldArgs<'_>) -> Result<DataType> {
    Ok(DataType::Float64)
}

fn body(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let [value] = args.args.as_slice() else { return internal_err!("{NAME} takes one argument") };
    let millis = instants::array(value, args.number_rows)?;
    let seconds: Float64Array = millis.iter().map(|millis| millis.map(|millis| millis as f64 / 1000.0)).collect();
    Ok(ColumnarValue::Array(Arc::new(seconds)))
}
