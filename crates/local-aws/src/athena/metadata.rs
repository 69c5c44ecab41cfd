//! The catalog, as Athena's own operations show it.

use serde_json::{Value, json};

use super::{Athena, CATALOG, INVALID_REQUEST};
use crate::glue::{Column, Table};
use crate::protocol::{ApiError, ApiResult, Input, page};

impl Athena {
    pub(super) fn list_databases(&self, input: &Input) -> ApiResult {
        check_catalog(input)?;
        let databases: Vec<Value> =
            self.inner.glue.read(|catalog| catalog.database_names().iter().map(|name| json!({ "Name": name })).collect());
        let (databases, token) = page(&databases, input, 50)?;
        Ok(json!({ "DatabaseList": databases, "NextToken": token }))
    }

    pub(super) fn list_table_metadata(&self, input: &Input) -> ApiResult {
        check_catalog(input)?;
        let database = input.string("DatabaseName")?.to_lowercase();
        input.refuse("Expression")?;
        let tables: Vec<Value> = self.inner.glue.read(|catalog| {
            let names = catalog.table_names(&database).ok_or_else(|| not_found("Database", &database))?;
            let tables = names.iter().filter_map(|name| Some(table_metadata(name, catalog.find_table(&database, name)?)));
            Ok::<_, ApiError>(tables.collect())
        })?;
        let (tables, token) = page(&tables, input, 50)?;
        Ok(json!({ "TableMetadataList": tables, "NextToken": token }))
    }

    pub(super) fn get_table_metadata(&self, input: &Input) -> ApiResult {
        check_catalog(input)?;
        let (database, name) = (input.string("DatabaseName")?.to_lowercase(), input.string("TableName")?.to_lowercase());
        self.inner.glue.read(|catalog| {
            let table = catalog.find_table(&database, &name).ok_or_else(|| not_found("Table", &name))?;
            Ok(json!({ "TableMetadata": table_metadata(&name, table) }))
        })
    }
}

fn check_catalog(input: &Input) -> Result<(), ApiError> {
    let name = input.string("CatalogName")?;
    if name.eq_ignore_ascii_case(CATALOG) { Ok(()) } else { Err(not_found("Catalog", name)) }
}

fn not_found(what: &str, name: &str) -> ApiError {
    ApiError::new(if what == "Catalog" { INVALID_REQUEST } else { "MetadataException" }, format!("{what} {name} not found."))
}

fn table_metadata(name: &str, table: &Table) -> Value {
    let columns = |columns: Vec<Column>| -> Vec<Value> {
        let api = |column: Column| json!({ "Name": column.name, "Type": column.type_name, "Comment": column.comment });
        columns.into_iter().map(api).collect()
    };
    json!({
        "Name": name,
        "CreateTime": table.created(),
        "TableType": table.table_type(),
        "Columns": columns(table.columns()),
        "PartitionKeys": columns(table.partition_keys()),
        "Parameters": table.parameters(),
    })
}
