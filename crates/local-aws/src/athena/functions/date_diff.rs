//! `date_diff(unit, from, to)`: how many whole units lie between, negative if `to` is earlier.

use std::sync::Arc;

use arrow::array::{Array, Int64Array};
use arrow::datatypes::DataType;
use chrono::{Datelike as _, NaiveDateTime};
use datafusion::common::{internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};

use super::instants;
use super::scalar::Scalar;
use super::unit::Unit;

const NAME: &str = "date_diff";
const DAY: i64 = 86_400_000;

/// The function.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Scalar { name: NAME, takes, returns, body })
}

fn takes(arguments: &[DataType]) -> Result<Vec<DataType>> {
    match arguments {
        [_, from, to] => Ok(vec![DataType::Utf8, instants::coerced(NAME, from)?, instants::coerced(NAME, to)?]),
        _ => plan_err!("{NAME} takes a unit and two timestamps"),
    }
}

fn returns(_: &ReturnFieldArgs<'_>) -> Result<DataType> {
    Ok(DataType::Int64)
}

fn body(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let [unit, from, to] = args.args.as_slice() else { return internal_err!("{NAME} takes three arguments") };
    let unit: Unit = instants::literal(NAME, Some(unit))?.parse()?;
    // Calendar units are counted on the first argument's calendar.
    let zone = instants::zone(&from.data_type())?;
    let (from, to) = (instants::array(from, args.number_rows)?, instants::array(to, args.number_rows)?);
    let differences = (0..args.number_rows).map(|row| {
        if from.is_null(row) || to.is_null(row) {
            return Ok(None);
        }
        let (from, to) = (from.value(row), to.value(row));
        Ok(Some(match unit {
            Unit::Fixed(millis) => (to - from) / millis,
            Unit::Days(days) => {
                let (from, to) = (instants::wall_clock(from, zone)?, instants::wall_clock(to, zone)?);
                (to - from).num_milliseconds() / (days * DAY)
            }
            Unit::Months(months) => whole_months(instants::wall_clock(from, zone)?, instants::wall_clock(to, zone)?) / months,
        }))
    });
    Ok(ColumnarValue::Array(Arc::new(differences.collect::<Result<Int64Array>>()?)))
}

/// Months that are complete: from 31 January to 28 February is none.
fn whole_months(from: NaiveDateTime, to: NaiveDateTime) -> i64 {
    let months = i64::from(to.year() - from.year()) * 12 + i64::from(to.month()) - i64::from(from.month());
    let (begun, reached) = ((from.day(), from.time()), (to.day(), to.time()));
    if months > 0 && reached < begun {
        months - 1
    } else if months < 0 && reached > begun {
        months + 1
    } else {
        months
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_months_count() {
        let at = |text: &str| text.parse::<NaiveDateTime>().unwrap();
        for (from, to, months) in [
            ("2013-01-31T00:00:00", "2013-02-28T00:00:00", 0),
            ("2013-01-15T12:00:00", "2013-02-15T12:00:00", 1),
            ("2013-01-15T12:00:00", "2013-02-15T11:59:59", 0),
            ("2013-02-15T12:00:00", "2013-01-15T12:00:01", 0),
            ("2013-02-15T12:00:00", "2012-02-15T12:00:00", -12),
        ] {
            assert_eq!(whole_months(at(from), at(to)), months, "{from} {to}");
        }
    }
}
