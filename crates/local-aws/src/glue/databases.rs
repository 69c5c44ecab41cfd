//! The operations on databases.

use serde_json::{Value, json};

use super::Glue;
use super::catalog::{Database, Definition, lower_name};
use crate::protocol::{ApiError, ApiResult, Input, page};

impl Glue {
    pub(super) fn create_database(&self, input: &Input) -> ApiResult {
        let (name, definition) = database_input(input)?;
        self.change(|catalog| {
            if catalog.databases.contains_key(&name) {
                return Err(ApiError::new("AlreadyExistsException", "Database already exists."));
            }
            catalog.databases.insert(name, Database::new(definition));
            Ok(json!({}))
        })
    }

    pub(super) fn update_database(&self, input: &Input) -> ApiResult {
        let name = input.string("Name")?;
        let (new_name, definition) = database_input(input)?;
        if name.to_lowercase() != new_name {
            return Err(input.invalid("A database cannot be renamed.".to_owned()));
        }
        self.change(|catalog| {
            catalog.database_mut(name)?.definition = definition;
            Ok(json!({}))
        })
    }

    /// Its tables go with it, as in Glue; the objects in S3 stay.
    pub(super) fn delete_database(&self, input: &Input) -> ApiResult {
        let name = input.string("Name")?;
        self.change(|catalog| {
            catalog.database(name)?;
            catalog.databases.remove(&name.to_lowercase());
            Ok(json!({}))
        })
    }

    pub(super) fn get_database(&self, input: &Input) -> ApiResult {
        let name = input.string("Name")?;
        self.read(|catalog| Ok(json!({ "Database": catalog.database(name)?.to_api() })))
    }

    pub(super) fn get_databases(&self, input: &Input) -> ApiResult {
        let databases: Vec<Value> = self.read(|catalog| catalog.databases.values().map(Database::to_api).collect());
        let (databases, token) = page(&databases, input, 100)?;
        Ok(json!({ "DatabaseList": databases, "NextToken": token }))
    }
}

/// Name and definition of CreateDatabase and UpdateDatabase.
pub(super) fn database_input(input: &Input) -> Result<(String, Definition), ApiError> {
    let given = input.object("DatabaseInput")?;
    let name = given.string("Name")?.to_lowercase();
    let mut definition = given.into_members();
    lower_name(&mut definition);
    Ok((name, definition))
}
