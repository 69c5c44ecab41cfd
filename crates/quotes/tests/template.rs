//! The table that `template.yaml` declares is the one that Parquet files hold: the same columns, of
//! the same types, in the same order. Athena matches a decimal's type exactly.

#![allow(clippy::unwrap_used, clippy::panic)]

use arrow::datatypes::{DataType, TimeUnit};
use quotes::schema;
use serde_yaml_ng::Value;

/// The Glue type that reads an Arrow type, as Athena's engine has it. Not `ColumnType::glue`, which is what is compared.
fn glue_type(arrow: &DataType) -> String {
    match arrow {
        DataType::Utf8 => "string".into(),
        DataType::Int32 => "int".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Timestamp(TimeUnit::Millisecond, Some(zone)) if &**zone == "UTC" => "timestamp".into(),
        other => panic!("Athena reads no {other:?} of ours"),
    }
}

fn template() -> Value {
    serde_yaml_ng::from_str(include_str!("../../../template.yaml")).unwrap()
}

fn columns(columns: &Value) -> Vec<(String, String)> {
    let text = |column: &Value, field: &str| column.get(field).unwrap().as_str().unwrap().to_owned();
    columns.as_sequence().unwrap().iter().map(|column| (text(column, "Name"), text(column, "Type"))).collect()
}

#[test]
fn the_tables_columns_are_the_arrow_schemas() {
    let template = template();
    let table = &template["Resources"]["QuotesTable"]["Properties"]["TableInput"];
    let written: Vec<_> = schema::file_schema().fields().iter().map(|f| (f.name().clone(), glue_type(f.data_type()))).collect();
    assert_eq!(columns(&table["StorageDescriptor"]["Columns"]), written);
}

#[test]
fn the_codes_names_and_types_are_the_templates() {
    let template = template();
    let table = &template["Resources"]["QuotesTable"]["Properties"]["TableInput"];
    let named: Vec<_> = schema::COLUMNS.iter().map(|c| (c.name.to_owned(), c.column_type.glue().to_owned())).collect();
    assert_eq!(columns(&table["StorageDescriptor"]["Columns"]), named);
    assert_eq!(columns(&table["PartitionKeys"]), [(schema::PARTITION_COLUMN.to_owned(), "string".to_owned())]);
    assert_eq!(table["Name"], schema::TABLE);
    assert_eq!(template["Parameters"]["DatabaseName"]["Default"], schema::DATABASE);
}
