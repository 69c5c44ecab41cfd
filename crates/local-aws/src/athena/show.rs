//! SHOW and DESCRIBE, answered from the Glue catalog.

use serde_json::Value;

use super::columns::ColumnInfo;
use super::csv::Row;
use super::failure::Failure;
use super::{CATALOG, show_create};
use crate::glue::{Catalog, Column, Table, name_matches};

/// Rows of text.
pub(super) struct Shown {
    pub(super) columns: Vec<ColumnInfo>,
    pub(super) rows: Vec<Row>,
}

/// Answers the statement.
pub(super) fn answer(sql: &str, database: &str, catalog: &Catalog) -> Result<Shown, Failure> {
    let sql = sql.trim().trim_end_matches(';');
    let words: Vec<String> = sql.split_whitespace().map(plain).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["show", "databases" | "schemas"] => Ok(one_column("database_name", catalog.database_names())),
        ["show", "databases" | "schemas", "like", like] => Ok(one_column("database_name", fitting(catalog.database_names(), like))),
        ["show", "tables"] => show_tables(catalog, database, "*"),
        ["show", "tables", "in" | "from", name] => show_tables(catalog, name, "*"),
        ["show", "tables", "in" | "from", name, like] => show_tables(catalog, name, like),
        ["show", "tables", like] => show_tables(catalog, database, like),
        ["show", "views", ..] => Ok(one_column("views", Vec::new())),
        ["show", "partitions", name] => show_partitions(catalog, database, name),
        ["show", "columns", "in" | "from", name] => {
            table(catalog, database, name).map(|table| one_column("field", columns(table).map(|column| column.name)))
        }
        ["show", "columns", "in" | "from", name, "in" | "from", database] => {
            table(catalog, database, name).map(|table| one_column("field", columns(table).map(|column| column.name)))
        }
        ["show", "create", "table", name] => {
            let found = table(catalog, database, name)?;
            let name = if name.contains('.') { (*name).to_owned() } else { format!("{database}.{name}") };
            Ok(one_column("createtab_stmt", show_create::lines(&name, found)))
        }
        ["show", "tblproperties", name] => table(catalog, database, name).map(show_properties),
        ["describe" | "desc", "extended" | "formatted", name] | ["describe" | "desc", name] => table(catalog, database, name).map(describe),
        _ => Err(Failure::Refused(
            "the local engine knows SHOW DATABASES, SHOW TABLES, SHOW VIEWS, SHOW PARTITIONS, SHOW COLUMNS, SHOW CREATE TABLE, \
             SHOW TBLPROPERTIES and DESCRIBE; Athena knows more"
                .to_owned(),
        )),
    }
}

fn plain(word: &str) -> String {
    word.chars().filter(|char| !matches!(char, '"' | '`' | '\'')).collect::<String>().to_lowercase()
}

fn show_tables(catalog: &Catalog, database: &str, like: &str) -> Result<Shown, Failure> {
    let names = catalog.table_names(database);
    let names = names.ok_or_else(|| Failure::Plain(format!("SCHEMA_NOT_FOUND: Schema '{database}' does not exist")))?;
    Ok(one_column("tab_name", fitting(names, like)))
}

fn fitting(names: Vec<String>, like: &str) -> Vec<String> {
    names.into_iter().filter(|name| name_matches(name, like)).collect()
}

fn show_properties(table: &Table) -> Shown {
    let parameters = table.parameters();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let rows = parameters.as_object().into_iter().flatten().map(|(name, value)| vec![Some(name.clone()), Some(text(value))]).collect();
    Shown { columns: ["prpt_name", "prpt_value"].map(ColumnInfo::text).to_vec(), rows }
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

/// All columns, and once more those that are partition keys.
fn describe(table: &Table) -> Shown {
    let row = |column: Column| vec![Some(column.name), Some(column.type_name), column.comment];
    let mut rows: Vec<Row> = columns(table).map(row).collect();
    let keys = table.partition_keys();
    if !keys.is_empty() {
        let text = |texts: [&str; 3]| texts.map(|text| Some(text.to_owned())).to_vec();
        rows.push(vec![None, None, None]);
        rows.push(text(["# Partition Information", "", ""]));
        rows.push(text(["# col_name", "data_type", "comment"]));
        rows.push(vec![None, None, None]);
        rows.extend(keys.into_iter().map(row));
    }
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
        .ok_or_else(|| Failure::Plain(format!("TABLE_NOT_FOUND: Table '{CATALOG}.{database}.{table}' does not exist")))
}

fn one_column(name: &str, values: impl IntoIterator<Item = String>) -> Shown {
    Shown { columns: vec![ColumnInfo::text(name)], rows: values.into_iter().map(|value| vec![Some(value)]).collect() }
}
