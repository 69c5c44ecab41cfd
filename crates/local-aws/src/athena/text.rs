//! Values as Athena writes them.

use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, DecimalType, Float32Type, Float64Type, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, NaiveDate, TimeZone as _, Utc};
use chrono_tz::Tz;

/// A column whose values can be written one by one.
pub(super) struct Column {
    array: ArrayRef,
}

impl Column {
    /// Prepares a column: what is written alike becomes one type.
    pub(super) fn new(array: &ArrayRef) -> Result<Self, ArrowError> {
        let plain = match array.data_type() {
            DataType::Dictionary(_, values) => cast(array, values)?,
            DataType::Timestamp(TimeUnit::Millisecond, _) => array.clone(),
            // Trino's timestamps have milliseconds here; the finer digits are cut off.
            DataType::Timestamp(_, zone) => cast(array, &DataType::Timestamp(TimeUnit::Millisecond, zone.clone()))?,
            DataType::Date64 => cast(array, &DataType::Date32)?,
            DataType::LargeUtf8 | DataType::Utf8View => cast(array, &DataType::Utf8)?,
            DataType::LargeList(item) => cast(array, &DataType::List(item.clone()))?,
            _ => array.clone(),
        };
        Ok(Self { array: plain })
    }

    /// The value at a row; none for null.
    pub(super) fn value(&self, row: usize) -> Result<Option<String>, ArrowError> {
        let array = &self.array;
        if array.is_null(row) || array.data_type() == &DataType::Null {
            return Ok(None);
        }
        Ok(Some(match array.data_type() {
            DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
            DataType::Decimal128(precision, scale) => {
                Decimal128Type::format_decimal(array.as_primitive::<Decimal128Type>().value(row), *precision, *scale)
            }
            DataType::Float64 => double(array.as_primitive::<Float64Type>().value(row)),
            DataType::Float32 => float(array.as_primitive::<Float32Type>().value(row)),
            DataType::Timestamp(_, zone) => timestamp(array.as_primitive::<TimestampMillisecondType>().value(row), zone.as_deref()),
            DataType::Date32 => date(array.as_primitive::<Date32Type>().value(row)),
            DataType::List(_) => list(&array.as_list::<i32>().value(row))?,
            DataType::Struct(fields) => {
                let row_of = array.as_struct();
                let mut text = String::from("{");
                for (index, (field, column)) in fields.iter().zip(row_of.columns()).enumerate() {
                    let value = Column::new(column)?.value(row)?;
                    let separator = if index == 0 { "" } else { ", " };
                    let _ = write!(text, "{separator}{}={}", field.name(), value.as_deref().unwrap_or("null"));
                }
                text.push('}');
                text
            }
            _ => ArrayFormatter::try_new(array, &FormatOptions::default())?.value(row).to_string(),
        }))
    }
}

fn list(values: &ArrayRef) -> Result<String, ArrowError> {
    let column = Column::new(values)?;
    let values = (0..values.len()).map(|row| Ok(column.value(row)?.unwrap_or_else(|| "null".to_owned())));
    Ok(format!("[{}]", values.collect::<Result<Vec<_>, ArrowError>>()?.join(", ")))
}

fn date(days: i32) -> String {
    let date = NaiveDate::from_epoch_days(days);
    date.map_or_else(|| days.to_string(), |date| date.format("%Y-%m-%d").to_string())
}

/// `2013-10-07 08:00:59.999`, with the zone's name behind it if the type has one.
fn timestamp(millis: i64, zone: Option<&str>) -> String {
    const FORMAT: &str = "%Y-%m-%d %H:%M:%S%.3f";
    let Some(instant) = DateTime::<Utc>::from_timestamp_millis(millis) else { return millis.to_string() };
    match zone {
        None => instant.format(FORMAT).to_string(),
        Some("UTC" | "+00:00" | "Z") => format!("{} UTC", instant.format(FORMAT)),
        Some(zone) => match zone.parse::<Tz>() {
            Ok(known) => format!("{} {zone}", known.from_utc_datetime(&instant.naive_utc()).format(FORMAT)),
            Err(_) => match zone.parse::<chrono::FixedOffset>() {
                Ok(offset) => format!("{} {zone}", instant.with_timezone(&offset).format(FORMAT)),
                Err(_) => format!("{} UTC", instant.format(FORMAT)),
            },
        },
    }
}

/// As Java's `Double.toString`, which Trino uses: `1.0`, `0.001`, `1.0E7`, `9.99E-4`.
fn double(value: f64) -> String {
    java(value, format!("{value:?}"), format!("{value:e}"))
}

fn float(value: f32) -> String {
    java(f64::from(value), format!("{value:?}"), format!("{value:e}"))
}

fn java(value: f64, plain: String, scientific: String) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return plain;
    }
    match scientific.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => scientific,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray, StringArray, TimestampMicrosecondArray,
        TimestampMillisecondArray,
    };
    use arrow::datatypes::Int64Type;

    use super::*;

    fn texts(array: impl Array + 'static) -> Vec<Option<String>> {
        let array: ArrayRef = Arc::new(array);
        let column = Column::new(&array).unwrap();
        (0..array.len()).map(|row| column.value(row).unwrap()).collect()
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        let values = vec![0.0, 1.0, -2.5, 1e7, 12_345_678.9, 0.001, 0.000_999, f64::NAN, f64::NEG_INFINITY];
        let expected = ["0.0", "1.0", "-2.5", "1.0E7", "1.23456789E7", "0.001", "9.99E-4", "NaN", "-Infinity"];
        assert_eq!(texts(Float64Array::from(values)), some(&expected));
    }

    #[test]
    fn timestamps_have_milliseconds_and_are_cut_not_rounded() {
        let array = TimestampMillisecondArray::from(vec![Some(1_381_132_859_999), None]);
        assert_eq!(texts(array), [Some("2013-10-07 08:00:59.999".to_owned()), None]);
        let micros = TimestampMicrosecondArray::from(vec![1_381_132_859_999_900]);
        assert_eq!(texts(micros), some(&["2013-10-07 08:00:59.999"]));
        let zoned = TimestampMillisecondArray::from(vec![1_381_132_859_999]);
        assert_eq!(texts(zoned.clone().with_timezone("America/New_York")), some(&["2013-10-07 04:00:59.999 America/New_York"]));
        assert_eq!(texts(zoned.with_timezone("+00:00")), some(&["2013-10-07 08:00:59.999 UTC"]));
    }

    #[test]
    fn other_types() {
        let decimals = Decimal128Array::from(vec![189_040_000, -1]).with_precision_and_scale(18, 6).unwrap();
        assert_eq!(texts(decimals), some(&["189.040000", "-0.000001"]));
        assert_eq!(texts(Date32Array::from(vec![15_985])), some(&["2013-10-07"]));
        assert_eq!(texts(BooleanArray::from(vec![true, false])), some(&["true", "false"]));
        assert_eq!(texts(Int64Array::from(vec![-7])), some(&["-7"]));
        assert_eq!(texts(StringArray::from(vec![Some(""), None])), [Some(String::new()), None]);
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None])]);
        assert_eq!(texts(lists), some(&["[1, null]"]));
    }
}
