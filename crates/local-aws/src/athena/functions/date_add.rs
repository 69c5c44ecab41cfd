//! `date_add(unit, n, t)`: n units later; the day of a shorter month is its last.

use std::sync::Arc;

use arrow::array::{Array, AsArray, TimestampMillisecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use chrono::{Months, NaiveDateTime, TimeDelta};
use datafusion::common::{exec_datafusion_err, internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};

use super::instants;
use super::scalar::Scalar;
use super::unit::Unit;

const NAME: &str = "date_add";

/// The function.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Scalar { name: NAME, takes, returns, body })
}

fn takes(arguments: &[DataType]) -> Result<Vec<DataType>> {
    match arguments {
        [_, _, DataType::Date32] => Ok(vec![DataType::Utf8, DataType::Int64, DataType::Date32]),
        [_, _, value] => Ok(vec![DataType::Utf8, DataType::Int64, instants::coerced(NAME, value)?]),
        _ => plan_err!("{NAME} takes a unit, a number and a timestamp"),
    }
}

fn returns(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
    match args.arg_fields {
        [_, _, value] => Ok(value.data_type().clone()),
        _ => plan_err!("{NAME} takes a unit, a number and a timestamp"),
    }
}

fn body(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let [unit, count, value] = args.args.as_slice() else { return internal_err!("{NAME} takes three arguments") };
    let unit: Unit = instants::literal(NAME, Some(unit))?.parse()?;
    let returned = value.data_type();
    let zone = instants::zone(&returned)?;
    let counts = count.to_array(args.number_rows)?;
    let counts = counts.as_primitive::<Int64Type>();
    let value = value.cast_to(&instants::coerced(NAME, &returned)?, None)?;
    let values = instants::array(&value, args.number_rows)?;
    let later = (0..args.number_rows).map(|row| {
        if counts.is_null(row) || values.is_null(row) {
            return Ok(None);
        }
        let (count, value) = (counts.value(row), values.value(row));
        match unit {
            Unit::Fixed(millis) => Ok(Some(value.saturating_add(count.saturating_mul(millis)))),
            Unit::Days(days) => {
                let wall_clock = instants::wall_clock(value, zone)?;
                let later = TimeDelta::try_days(count.saturating_mul(days)).and_then(|days| wall_clock.checked_add_signed(days));
                Ok(Some(instants::instant(in_range(later)?, zone)?))
            }
            Unit::Months(months) => {
                let wall_clock = instants::wall_clock(value, zone)?;
                let later = add_months(wall_clock, count.saturating_mul(months));
                Ok(Some(instants::instant(in_range(later)?, zone)?))
            }
        }
    });
    let later = later.collect::<Result<TimestampMillisecondArray>>()?;
    if returned == DataType::Date32 {
        return Ok(ColumnarValue::Array(cast(&(Arc::new(later) as Arc<dyn Array>), &DataType::Date32)?));
    }
    instants::returned(later, &returned)
}

fn add_months(from: NaiveDateTime, months: i64) -> Option<NaiveDateTime> {
    let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    if months < 0 { from.checked_sub_months(count) } else { from.checked_add_months(count) }
}

fn in_range(later: Option<NaiveDateTime>) -> Result<NaiveDateTime> {
    later.ok_or_else(|| exec_datafusion_err!("{NAME}'s result is out of range"))
}
