//! The operations on tables.

use serde_json::{Value, json};

use super::Glue;
use super::catalog::{Definition, Table, lower_name};
use super::name_pattern;
use crate::protocol::{ApiError, ApiResult, Input, now, page};

impl Glue {
    pub(super) fn create_table(&self, input: &Input) -> ApiResult {
        let (database, name, definition) = table_input(input)?;
        self.change(|catalog| {
            let database = catalog.database_mut(&database)?;
            if database.tables.contains_key(&name) {
                return Err(ApiError::new("AlreadyExistsException", "Table already exists."));
            }
            database.tables.insert(name, Table::new(definition));
            Ok(json!({}))
        })
    }

    pub(super) fn update_table(&self, input: &Input) -> ApiResult {
        let (database, name, definition) = table_input(input)?;
        let expected = input.optional_string("VersionId")?;
        self.change(|catalog| {
            let table = catalog.table_mut(&database, &name)?;
            if expected.is_some_and(|version| version != table.version.to_string()) {
                return Err(ApiError::new("ConcurrentModificationException", "The table has a newer version."));
            }
            table.definition = definition;
            table.version += 1;
            table.updated = now();
            Ok(json!({}))
        })
    }

    pub(super) fn get_table(&self, input: &Input) -> ApiResult {
        let (database, name) = (input.string("DatabaseName")?, input.string("Name")?);
        self.read(|catalog| Ok(json!({ "Table": catalog.table(database, name)?.to_api(database) })))
    }

    pub(super) fn get_tables(&self, input: &Input) -> ApiResult {
        let database = input.string("DatabaseName")?;
        let pattern = input.optional_string("Expression")?.unwrap_or_default();
        let matches = |name: &str| pattern.is_empty() || name_pattern::matches(name, pattern);
        let tables: Vec<Value> = self.read(|catalog| {
            let tables = catalog.database(database)?.tables.iter().filter(|(name, _)| matches(name));
            Ok::<_, ApiError>(tables.map(|(_, table)| table.to_api(database)).collect())
        })?;
        let (tables, token) = page(&tables, input, 100)?;
        Ok(json!({ "TableList": tables, "NextToken": token }))
    }

    pub(super) fn batch_delete_table(&self, input: &Input) -> ApiResult {
        let (database, names) = (input.string("DatabaseName")?, input.strings("TablesToDelete")?);
        self.change(|catalog| {
            let database = catalog.database_mut(database)?;
            let missing = names.iter().filter(|name| database.tables.remove(&name.to_lowercase()).is_none());
            let errors: Vec<Value> = missing
                .map(|name| {
                    let detail = json!({ "ErrorCode": "EntityNotFoundException", "ErrorMessage": "Table not found." });
                    json!({ "TableName": name, "ErrorDetail": detail })
                })
                .collect();
            Ok(json!({ "Errors": errors }))
        })
    }

    pub(super) fn delete_table(&self, input: &Input) -> ApiResult {
        let (database, name) = (input.string("DatabaseName")?, input.string("Name")?);
        self.change(|catalog| {
            catalog.table(database, name)?;
            catalog.database_mut(database)?.tables.remove(&name.to_lowercase());
            Ok(json!({}))
        })
    }
}

/// Database, table name and definition of CreateTable and UpdateTable.
pub(super) fn table_input(input: &Input) -> Result<(String, String, Definition), ApiError> {
    let database = input.string("DatabaseName")?.to_owned();
    let given = input.object("TableInput")?;
    let name = given.string("Name")?.to_lowercase();
    let mut definition = given.into_members();
    lower_name(&mut definition);
    Ok((database, name, definition))
}
