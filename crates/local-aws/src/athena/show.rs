//! SHOW and DESCRIBE, answered from the Glue catalog.

use super::CATALOG;
use super::columns::ColumnInfo;
use super::csv::Row;
use super::failure::Failure;
use crate::glue::{Catalog, Column, Table};

/// Rows of text.
pub(super) struct Shown {
    pub(super) columns: Vec<ColumnInfo>,
    pub(super) rows: Vec<Row>,
}

/// Answers the statement, or nothing if it is none of these.
pub(super) fn answer(sql: &str, database: &str, catalog: &Catalog) -> Option<Result<Shown, Failure>> {
    let sql = sql.trim().trim_end_matches(';');
    let words: Vec<String> = sql.split_whitespace().map(plain).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Some(match words.as_slice() {
        ["show", "databases" | "schemas"] => Ok(one_column("database_name", catalog.database_names())),
        ["show", "tables"] => show_tables(catalog, database),
        ["show", "tables", "in" | "from", name] => show_tables(catalog, name),
        ["show", "partitions", name] => show_partitions(catalog, database, name),
        ["show", "columns", "in" | "from", name] => {
            table(catalog, database, name).map(|table| one_column("field", columns(table).map(|column| column.name)))
        }
        ["describe" | "desc", name] => table(catalog, database, name).map(describe),
        ["show" | "describe" | "desc", ..] => Err(Failure::Refused(
            "the local Athena knows SHOW DATABASES, SHOW TABLES [IN database], SHOW PARTITIONS table, SHOW COLUMNS IN \
             table and DESCRIBE table"
                .to_owned(),
        )),
        _ => return None,
    })
}

fn plain(word: &str) -> String {
    word.chars().filter(|char| !matches!(char, '"' | '`')).collect::<String>().to_lowercase()
}

fn show_tables(catalog: &Catalog, database: &str) -> Result<Shown, Failure> {
    let names = catalog.table_names(database);
    let names = names.ok_or_else(|| Failure::NotFound(format!("SCHEMA_NOT_FOUND: Schema '{database}' does not exist")))?;
    Ok(one_column("tab_name", names))
}

fn show_partitions(catalog: &Catalog, database: &str, name: &str) -> Result<Shown, Failure> {
    let table = table(catalog, database, name)?;
    let keys = table.partition_keys();
    let partitions = table.partitions().iter().map(|partition| {
        let parts = keys.iter().zip(&partition.values).map(|(key, value)| format!("{}={value}", key.name));
        parts.collect::<Vec<_>>().join("/")
    });
    Ok(one_column("partition", partitions))
}

fn describe(table: &Table) -> Shown {
    let rows = columns(table).map(|column| vec![Some(column.name), Some(column.type_name), column.comment]).collect();
    Shown { columns: ["col_name", "data_type", "comment"].map(ColumnInfo::text).to_vec(), rows }
}

fn columns(table: &Table) -> impl Iterator<Item = Column> {
    table.columns().into_iter().chain(table.partition_keys())
}

fn table<'a>(catalog: &'a Catalog, database: &str, name: &str) -> Result<&'a Table, Failure> {
    let parts: Vec<&str> = name.split('.').collect();
    let (database, table) = match parts.as_slice() {
        [CATALOG, database, table] | [database, table] => (*database, *table),
        _ => (database, name),
    };
    catalog
        .find_table(database, table)
        .ok_or_else(|| Failure::NotFound(format!("TABLE_NOT_FOUND: Table '{CATALOG}.{database}.{table}' does not exist")))
}

fn one_column(name: &str, values: impl IntoIterator<Item = String>) -> Shown {
    Shown { columns: vec![ColumnInfo::text(name)], rows: values.into_iter().map(|value| vec![Some(value)]).collect() }
}
