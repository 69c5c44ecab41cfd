//! Columns as Athena describes them.

use arrow::datatypes::{DataType, Field};
use serde_json::{Value, json};

/// A result's column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnInfo {
    pub(super) name: String,
    /// Athena's name of the type, without its arguments.
    pub(super) type_name: &'static str,
    pub(super) precision: u32,
    pub(super) scale: u32,
}

impl ColumnInfo {
    pub(super) fn of(field: &Field) -> Self {
        let (type_name, precision, scale) = describe(field.data_type());
        Self { name: field.name().clone(), type_name, precision, scale }
    }

    /// A column of text, as SHOW and EXPLAIN answer.
    pub(super) fn text(name: &str) -> Self {
        let (type_name, precision, scale) = describe(&DataType::Utf8);
        Self { name: name.to_owned(), type_name, precision, scale }
    }

    /// A column of numbers, as a statement that writes answers.
    pub(super) fn bigint(name: &str) -> Self {
        let (type_name, precision, scale) = describe(&DataType::Int64);
        Self { name: name.to_owned(), type_name, precision, scale }
    }

    /// Whether upper and lower case differ in it.
    pub(super) fn is_case_sensitive(&self) -> bool {
        matches!(self.type_name, "varchar" | "char")
    }

    pub(super) fn to_api(&self) -> Value {
        json!({
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": self.name,
            "Label": self.name,
            "Type": self.type_name,
            "Precision": self.precision,
            "Scale": self.scale,
            "Nullable": "UNKNOWN",
            "CaseSensitive": self.is_case_sensitive(),
        })
    }
}

/// Athena's name, precision and scale of a type.
fn describe(arrow: &DataType) -> (&'static str, u32, u32) {
    match arrow {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ("varchar", 2_147_483_647, 0),
        DataType::Boolean => ("boolean", 0, 0),
        DataType::Int8 => ("tinyint", 3, 0),
        DataType::Int16 | DataType::UInt8 => ("smallint", 5, 0),
        DataType::Int32 | DataType::UInt16 => ("integer", 10, 0),
        // Trino counts and ranks in bigint; DataFusion's are unsigned.
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => ("bigint", 19, 0),
        DataType::Float16 | DataType::Float32 => ("float", 17, 0),
        DataType::Float64 => ("double", 17, 0),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => ("decimal", u32::from(*precision), u32::try_from(*scale).unwrap_or(0)),
        DataType::Date32 | DataType::Date64 => ("date", 0, 0),
        DataType::Time32(_) | DataType::Time64(_) => ("time", 3, 0),
        DataType::Timestamp(_, None) => ("timestamp", 3, 0),
        DataType::Timestamp(_, Some(_)) => ("timestamp with time zone", 3, 0),
        DataType::Interval(_) | DataType::Duration(_) => ("interval day to second", 0, 0),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => ("varbinary", 1_073_741_824, 0),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) | DataType::ListView(_) => ("array", 0, 0),
        DataType::Struct(_) => ("row", 0, 0),
        DataType::Map(_, _) => ("map", 0, 0),
        DataType::Dictionary(_, values) => describe(values),
        _ => ("unknown", 0, 0),
    }
}
