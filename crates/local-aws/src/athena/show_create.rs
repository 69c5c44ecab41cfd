//! SHOW CREATE TABLE: the statement that would make the table.

use serde_json::Value;

use crate::glue::{Column, Table};

/// The statement's lines.
pub(super) fn lines(name: &str, table: &Table) -> Vec<String> {
    let mut lines = vec![format!("CREATE EXTERNAL TABLE `{name}`(")];
    lines.extend(column_lines(table.columns()));
    let keys = table.partition_keys();
    if !keys.is_empty() {
        lines.push("PARTITIONED BY ( ".to_owned());
        lines.extend(column_lines(keys));
    }
    // Every table of the local stack is one of Parquet files.
    lines.push("ROW FORMAT SERDE ".to_owned());
    lines.push("  'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' ".to_owned());
    lines.push("STORED AS INPUTFORMAT ".to_owned());
    lines.push("  'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat' ".to_owned());
    lines.push("OUTPUTFORMAT ".to_owned());
    lines.push("  'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat'".to_owned());
    if let Some(location) = table.location() {
        lines.push("LOCATION".to_owned());
        lines.push(format!("  '{location}'"));
    }
    lines.push("TBLPROPERTIES (".to_owned());
    let parameters = table.parameters();
    let parameters: Vec<String> = parameters.as_object().into_iter().flatten().map(|(name, value)| property(name, value)).collect();
    lines.extend(listed(parameters));
    lines
}

fn column_lines(columns: Vec<Column>) -> Vec<String> {
    let line = |column: Column| {
        let comment = column.comment.map(|comment| format!(" COMMENT '{}'", comment.replace('\'', "\\'"))).unwrap_or_default();
        format!("`{}` {}{comment}", column.name, column.type_name)
    };
    listed(columns.into_iter().map(line).collect())
}

fn property(name: &str, value: &Value) -> String {
    format!("'{name}'='{}'", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Indented, with commas between and a bracket at the end.
fn listed(items: Vec<String>) -> Vec<String> {
    let last = items.len().saturating_sub(1);
    if items.is_empty() {
        return vec![")".to_owned()];
    }
    items.into_iter().enumerate().map(|(index, item)| format!("  {item}{}", if index == last { ")" } else { ", " })).collect()
}
