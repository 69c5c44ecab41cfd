//! Arguments that are points in time.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{AsArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use chrono::{DateTime, NaiveDateTime, TimeZone as _, Utc};
use datafusion::common::{ScalarValue, exec_datafusion_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;

/// The type that an argument is taken as: milliseconds in the zone that it has, or in none.
pub(super) fn coerced(function: &str, argument: &DataType) -> Result<DataType> {
    match argument {
        DataType::Timestamp(_, zone) => Ok(DataType::Timestamp(TimeUnit::Millisecond, zone.clone())),
        DataType::Date32 | DataType::Date64 | DataType::Null => Ok(DataType::Timestamp(TimeUnit::Millisecond, None)),
        other => plan_err!("{function} takes a timestamp or a date, not {other}"),
    }
}

/// An argument's values after the coercion.
pub(super) fn array(argument: &ColumnarValue, rows: usize) -> Result<TimestampMillisecondArray> {
    Ok(argument.to_array(rows)?.as_primitive::<TimestampMillisecondType>().clone())
}

/// The zone of a type; UTC if it has none.
pub(super) fn zone(data_type: &DataType) -> Result<Tz> {
    match data_type {
        DataType::Timestamp(_, Some(zone)) => Ok(zone.parse()?),
        _ => Ok("UTC".parse()?),
    }
}

/// What a clock on the wall of the zone shows.
pub(super) fn wall_clock(millis: i64, zone: Tz) -> Result<NaiveDateTime> {
    let instant = DateTime::<Utc>::from_timestamp_millis(millis);
    let instant = instant.ok_or_else(|| exec_datafusion_err!("the timestamp {millis} ms is out of range"))?;
    Ok(instant.with_timezone(&zone).naive_local())
}

/// The instant at which a clock in the zone shows this; the earlier one of two, and after a gap the first one.
pub(super) fn instant(wall_clock: NaiveDateTime, zone: Tz) -> Result<i64> {
    let out_of_range = || exec_datafusion_err!("the timestamp {wall_clock} is out of range");
    if let Some(instant) = zone.from_local_datetime(&wall_clock).earliest() {
        return Ok(instant.timestamp_millis());
    }
    let later = wall_clock.checked_add_signed(chrono::TimeDelta::hours(1)).ok_or_else(out_of_range)?;
    zone.from_local_datetime(&later).earliest().map(|instant| instant.timestamp_millis()).ok_or_else(out_of_range)
}

/// An argument that must be the same text for all rows, in lower case.
pub(super) fn literal(function: &str, argument: Option<&ColumnarValue>) -> Result<String> {
    match argument {
        Some(ColumnarValue::Scalar(value)) => match value {
            ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => Ok(text.clone()),
            _ => plan_err!("{function} takes a text here"),
        },
        _ => plan_err!("{function} takes a literal text here"),
    }
}

/// Values back in the zone of their type.
pub(super) fn returned(values: TimestampMillisecondArray, data_type: &DataType) -> Result<ColumnarValue> {
    let array: arrow::array::ArrayRef = match data_type {
        DataType::Timestamp(_, Some(zone)) => Arc::new(values.with_timezone(Arc::clone(zone))),
        _ => Arc::new(values),
    };
    Ok(ColumnarValue::Array(array))
}
