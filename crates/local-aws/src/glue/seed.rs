//! The template's definitions, put into the catalog at start.

use serde_json::Value;

use super::catalog::{CrawlerState, Database, Table};
use super::crawlers::{crawler_definition, new_crawler};
use super::databases::database_input;
use super::error::GlueError;
use super::tables::table_input;
use super::{Glue, INVALID_INPUT};
use crate::protocol::{ApiError, Input, now};

/// Definitions in Glue's own API shape, which is also that of a CloudFormation resource's properties: members of
/// CreateDatabase, CreateTable and CreateCrawler.
#[derive(Debug, Clone, Default)]
pub struct GlueSeed {
    /// Each with `DatabaseInput`.
    pub databases: Vec<Value>,
    /// Each with `DatabaseName` and `TableInput`.
    pub tables: Vec<Value>,
    /// Each with `Name`, `Role`, `Targets` and so on.
    pub crawlers: Vec<Value>,
}

impl Glue {
    /// Creates what is missing and updates what is there, as a deployment would: tables keep their partitions,
    /// crawlers their crawls. What the template no longer has stays.
    pub(crate) fn seed(&self, seed: &GlueSeed) -> Result<(), GlueError> {
        let failed = |what| move |source| GlueError::Seed { what, source };
        for database in &seed.databases {
            self.seed_database(database).map_err(failed("Glue database"))?;
        }
        for table in &seed.tables {
            self.seed_table(table).map_err(failed("Glue table"))?;
        }
        for crawler in &seed.crawlers {
            self.seed_crawler(crawler).map_err(failed("Glue crawler"))?;
        }
        Ok(())
    }

    fn seed_database(&self, seed: &Value) -> Result<(), ApiError> {
        let (name, definition) = database_input(&Input::from_value(seed, INVALID_INPUT)?)?;
        self.change(|catalog| {
            match catalog.databases.get_mut(&name) {
                Some(database) => database.definition = definition,
                None => drop(catalog.databases.insert(name, Database::new(definition))),
            }
            Ok(())
        })
    }

    fn seed_table(&self, seed: &Value) -> Result<(), ApiError> {
        let (database, name, definition) = table_input(&Input::from_value(seed, INVALID_INPUT)?)?;
        self.change(|catalog| {
            let tables = &mut catalog.database_mut(&database)?.tables;
            match tables.get_mut(&name) {
                Some(table) if table.definition == definition => {}
                Some(table) => {
                    table.definition = definition;
                    table.version += 1;
                    table.updated = now();
                }
                None => drop(tables.insert(name, Table::new(definition))),
            }
            Ok(())
        })
    }

    fn seed_crawler(&self, seed: &Value) -> Result<(), ApiError> {
        let (name, definition) = crawler_definition(Input::from_value(seed, INVALID_INPUT)?)?;
        self.change(|catalog| {
            match catalog.crawlers.get_mut(&name) {
                Some(crawler) if crawler.definition == definition => {}
                Some(crawler) => {
                    crawler.definition = definition;
                    crawler.state = CrawlerState::Ready;
                    crawler.version += 1;
                    crawler.updated = now();
                }
                None => drop(catalog.crawlers.insert(name, new_crawler(definition))),
            }
            Ok(())
        })
    }
}
