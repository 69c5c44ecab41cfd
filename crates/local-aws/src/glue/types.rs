//! Glue's (Hive's) types and Arrow's.

use arrow::datatypes::{DataType, TimeUnit};

/// The Arrow type that holds a column of a Glue type in a query; nothing for a type that the local stack does not know.
///
/// A timestamp has milliseconds and no zone, as in Athena.
pub(crate) fn arrow_type(glue: &str) -> Option<DataType> {
    let glue = glue.trim().to_lowercase();
    Some(match glue.as_str() {
        "string" => DataType::Utf8,
        "boolean" => DataType::Boolean,
        "tinyint" => DataType::Int8,
        "smallint" => DataType::Int16,
        "int" | "integer" => DataType::Int32,
        "bigint" => DataType::Int64,
        "float" | "real" => DataType::Float32,
        "double" => DataType::Float64,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Millisecond, None),
        "binary" => DataType::Binary,
        other => return other_type(other),
    })
}

/// Types with arguments.
fn other_type(glue: &str) -> Option<DataType> {
    if glue.starts_with("varchar(") || glue.starts_with("char(") {
        return Some(DataType::Utf8);
    }
    let arguments = glue.strip_prefix("decimal")?.strip_prefix('(')?.strip_suffix(')')?;
    let (precision, scale) = arguments.split_once(',').unwrap_or((arguments, "0"));
    let (precision, scale): (u8, i8) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    let fits = (1..=38).contains(&precision) && (0..=precision as i8).contains(&scale);
    fits.then_some(DataType::Decimal128(precision, scale))
}

/// Whether a file's column can be read as the table's type without changing a value's meaning.
pub(super) fn reads_as(file: &DataType, table: &DataType) -> bool {
    match (file, table) {
        (DataType::Dictionary(_, values), table) => reads_as(values, table),
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, DataType::Utf8) => true,
        (DataType::Binary | DataType::LargeBinary | DataType::BinaryView, DataType::Binary) => true,
        (DataType::Timestamp(_, None), DataType::Timestamp(_, None)) => true,
        (DataType::Timestamp(_, Some(zone)), DataType::Timestamp(_, None)) => matches!(zone.as_ref(), "UTC" | "+00:00"),
        (
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
            | DataType::Decimal256(precision, scale),
            DataType::Decimal128(table_precision, table_scale),
        ) => precision == table_precision && scale == table_scale,
        (file, table) => file == table,
    }
}

/// A file's type in Glue's words, for messages.
pub(super) fn glue_name(arrow: &DataType) -> String {
    match arrow {
        DataType::Dictionary(_, values) => glue_name(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "int".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float32 => "float".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::Timestamp(_, Some(zone)) if zone.as_ref() == "UTC" => "timestamp".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "binary".to_owned(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => format!("decimal({precision},{scale})"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_types_have_arrow_types() {
        assert_eq!(arrow_type("decimal(18,6)"), Some(DataType::Decimal128(18, 6)));
        assert_eq!(arrow_type("Decimal(10)"), Some(DataType::Decimal128(10, 0)));
        assert_eq!(arrow_type("timestamp"), Some(DataType::Timestamp(TimeUnit::Millisecond, None)));
        for unknown in ["decimal(0,0)", "decimal(39,6)", "decimal(5,6)", "decimal(18", "array<string>", ""] {
            assert_eq!(arrow_type(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_timestamp_of_another_zone_is_not_the_tables() {
        let table = DataType::Timestamp(TimeUnit::Millisecond, None);
        assert!(reads_as(&DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), &table));
        assert!(!reads_as(&DataType::Timestamp(TimeUnit::Millisecond, Some("America/New_York".into())), &table));
        assert!(!reads_as(&DataType::Int64, &table));
    }

    #[test]
    fn a_decimal_must_have_the_tables_digits() {
        let table = DataType::Decimal128(18, 6);
        assert!(reads_as(&DataType::Decimal128(18, 6), &table));
        assert!(!reads_as(&DataType::Decimal128(18, 4), &table));
        assert!(!reads_as(&DataType::Float64, &table));
    }
}
