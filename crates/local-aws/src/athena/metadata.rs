//! The catalog, as Athena's own operations show it.

use serde_json::{Value, json};

use super::{Athena, CATALOG, INVALID_REQUEST};
use crate::glue::{Column, Table, name_matches};
use crate::protocol::{ACCOUNT_ID, ApiError, ApiResult, Input, page};

/// The catalog's name as the API writes it.
const CATALOG_NAME: &str = "AwsDataCatalog";

impl Athena {
    pub(super) fn list_data_catalogs(&self, input: &Input) -> ApiResult {
        let catalogs = [json!({ "CatalogName": CATALOG_NAME, "Type": "GLUE" })];
        let (catalogs, token) = page(&catalogs, input, 50)?;
        Ok(json!({ "DataCatalogsSummary": catalogs, "NextToken": token }))
    }

    pub(super) fn get_data_catalog(&self, input: &Input) -> ApiResult {
        check(input.string("Name")?)?;
        Ok(json!({ "DataCatalog": { "Name": CATALOG_NAME, "Type": "GLUE", "Parameters": { "catalog-id": ACCOUNT_ID } } }))
    }

    pub(super) fn get_database(&self, input: &Input) -> ApiResult {
        check_catalog(input)?;
        let name = input.string("DatabaseName")?.to_lowercase();
        match self.inner.glue.read(|catalog| catalog.table_names(&name)) {
            Some(_) => Ok(json!({ "Database": { "Name": name } })),
            None => Err(not_found("Database", &name)),
        }
    }

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
        let expression = input.optional_string("Expression")?;
        let tables: Vec<Value> = self.inner.glue.read(|catalog| {
            let names = catalog.table_names(&database).ok_or_else(|| not_found("Database", &database))?;
            let names = names.iter().filter(|name| expression.is_none_or(|expression| name_matches(name, expression)));
            let tables = names.filter_map(|name| Some(table_metadata(name, catalog.find_table(&database, name)?)));
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
    check(input.string("CatalogName")?)
}

fn check(name: &str) -> Result<(), ApiError> {
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
