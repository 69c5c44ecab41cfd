//! `at_timezone(t, zone)`: the same instant, seen in another zone. Also what `t AT TIME ZONE zone` becomes.
//!
//! A timestamp without a zone is UTC, as in an Athena session. DataFusion's own AT TIME ZONE takes it for a time in
//! the target zone instead, which is off by the zone's offset.

use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{ScalarValue, internal_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};

use super::instants;
use super::scalar::Scalar;

const NAME: &str = "at_timezone";

/// The function.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Scalar { name: NAME, takes, returns, body })
}

fn takes(arguments: &[DataType]) -> Result<Vec<DataType>> {
    match arguments {
        [value, _] => Ok(vec![instants::coerced(NAME, value)?, DataType::Utf8]),
        _ => plan_err!("{NAME} takes a timestamp and a zone"),
    }
}

/// The zone is part of the type: it must be a literal.
fn returns(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
    let zone = match args.scalar_arguments.get(1) {
        Some(Some(ScalarValue::Utf8(Some(zone)) | ScalarValue::Utf8View(Some(zone)))) => zone,
        _ => return plan_err!("{NAME} takes a literal zone"),
    };
    if zone.parse::<Tz>().is_err() {
        return Err(DataFusionError::Plan(format!("'{zone}' is not a valid time zone")));
    }
    Ok(DataType::Timestamp(TimeUnit::Millisecond, Some(zone.as_str().into())))
}

fn body(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let [value, _] = args.args.as_slice() else { return internal_err!("{NAME} takes two arguments") };
    instants::returned(instants::array(value, args.number_rows)?, args.return_field.data_type())
}
