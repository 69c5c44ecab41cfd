//! What the catalog knows. Definitions are kept as they were given, in Glue's own shape: members that the local stack
//! does not use come back as they went in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::protocol::{ACCOUNT_ID, ApiError, now};

/// A structure in Glue's shape.
pub(super) type Definition = Map<String, Value>;

/// Everything that `catalog.json` holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Catalog {
    pub(super) databases: BTreeMap<String, Database>,
    pub(super) crawlers: BTreeMap<String, Crawler>,
}

/// A database and its tables.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Database {
    /// DatabaseInput.
    pub(super) definition: Definition,
    pub(super) created: f64,
    pub(super) tables: BTreeMap<String, Table>,
}

/// A table and its partitions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Table {
    /// TableInput.
    pub(super) definition: Definition,
    pub(super) created: f64,
    pub(super) updated: f64,
    pub(super) version: u64,
    /// Sorted by their values.
    pub(super) partitions: Vec<Partition>,
}

/// A partition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Partition {
    /// One for each partition key, in their order.
    pub(crate) values: Vec<String>,
    /// PartitionInput.
    pub(super) definition: Definition,
    pub(super) created: f64,
}

/// A crawler and its crawls.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Crawler {
    /// CreateCrawler's members.
    pub(super) definition: Definition,
    pub(super) state: CrawlerState,
    pub(super) created: f64,
    pub(super) updated: f64,
    pub(super) version: u64,
    /// Oldest first; the last one may be under way.
    pub(super) crawls: Vec<Crawl>,
}

/// What a crawler is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum CrawlerState {
    Ready,
    Running,
    Stopping,
}

/// How a crawl stands or ended, as ListCrawls writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum CrawlState {
    Running,
    Completed,
    Failed,
    Stopped,
}

/// One run of a crawler. Times are seconds since 1970.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Crawl {
    pub(super) id: String,
    pub(super) state: CrawlState,
    pub(super) started: f64,
    pub(super) ended: Option<f64>,
    pub(super) error: Option<String>,
    /// The partitions added, as `dt=2026-11-23`.
    pub(super) created: Vec<String>,
}

/// A column or a partition key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// In lower case.
    pub(crate) name: String,
    /// Glue's (Hive's) type, for example `decimal(18,6)`.
    pub(crate) type_name: String,
    /// What it means, if the table says so.
    pub(crate) comment: Option<String>,
}

impl Catalog {
    /// Databases with their names.
    pub(crate) fn database_names(&self) -> Vec<String> {
        self.databases.keys().cloned().collect()
    }

    /// The tables of a database; none if there is no such database.
    pub(crate) fn table_names(&self, database: &str) -> Option<Vec<String>> {
        Some(self.databases.get(database)?.tables.keys().cloned().collect())
    }

    /// A table, if it exists.
    pub(crate) fn find_table(&self, database: &str, table: &str) -> Option<&Table> {
        self.databases.get(database)?.tables.get(table)
    }

    pub(super) fn database(&self, name: &str) -> Result<&Database, ApiError> {
        self.databases.get(&name.to_lowercase()).ok_or_else(|| no_database(name))
    }

    pub(super) fn database_mut(&mut self, name: &str) -> Result<&mut Database, ApiError> {
        self.databases.get_mut(&name.to_lowercase()).ok_or_else(|| no_database(name))
    }

    pub(super) fn table(&self, database: &str, name: &str) -> Result<&Table, ApiError> {
        self.database(database)?.tables.get(&name.to_lowercase()).ok_or_else(|| no_table(name))
    }

    pub(super) fn table_mut(&mut self, database: &str, name: &str) -> Result<&mut Table, ApiError> {
        self.database_mut(database)?.tables.get_mut(&name.to_lowercase()).ok_or_else(|| no_table(name))
    }

    pub(super) fn crawler(&self, name: &str) -> Result<&Crawler, ApiError> {
        self.crawlers.get(name).ok_or_else(|| no_crawler(name))
    }

    pub(super) fn crawler_mut(&mut self, name: &str) -> Result<&mut Crawler, ApiError> {
        self.crawlers.get_mut(name).ok_or_else(|| no_crawler(name))
    }

    /// A process that died in the middle of a crawl left its crawler running.
    pub(super) fn end_interrupted_crawls(&mut self, now: f64) {
        for crawler in self.crawlers.values_mut().filter(|crawler| crawler.state != CrawlerState::Ready) {
            crawler.state = CrawlerState::Ready;
            if let Some(crawl) = crawler.crawls.last_mut().filter(|crawl| crawl.state == CrawlState::Running) {
                crawl.state = CrawlState::Failed;
                crawl.ended = Some(now);
                crawl.error = Some("The local stack ended during the crawl.".to_owned());
            }
        }
    }
}

impl Database {
    pub(super) fn new(definition: Definition) -> Self {
        Self { definition, created: now(), tables: BTreeMap::new() }
    }

    pub(super) fn to_api(&self) -> Value {
        with(&self.definition, json!({ "CreateTime": self.created, "CatalogId": ACCOUNT_ID }))
    }
}

impl Table {
    pub(super) fn new(definition: Definition) -> Self {
        let created = now();
        Self { definition, created, updated: created, version: 0, partitions: Vec::new() }
    }

    pub(super) fn to_api(&self, database: &str) -> Value {
        with(
            &self.definition,
            json!({
                "DatabaseName": database.to_lowercase(),
                "CatalogId": ACCOUNT_ID,
                "CreateTime": self.created,
                "UpdateTime": self.updated,
                "VersionId": self.version.to_string(),
                "IsRegisteredWithLakeFormation": false,
            }),
        )
    }

    /// The columns that lie in the files.
    pub(crate) fn columns(&self) -> Vec<Column> {
        columns(self.definition.get("StorageDescriptor").and_then(|descriptor| descriptor.get("Columns")))
    }

    /// The columns that lie in the paths.
    pub(crate) fn partition_keys(&self) -> Vec<Column> {
        columns(self.definition.get("PartitionKeys"))
    }

    /// Where the table's files are, or its partitions' folders.
    pub(crate) fn location(&self) -> Option<&str> {
        location(&self.definition)
    }

    /// The partitions, sorted by their values.
    pub(crate) fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// What the table is, in Hive's words: `EXTERNAL_TABLE` if it does not say.
    pub(crate) fn table_type(&self) -> &str {
        self.definition.get("TableType").and_then(Value::as_str).unwrap_or("EXTERNAL_TABLE")
    }

    /// The table's parameters.
    pub(crate) fn parameters(&self) -> Value {
        self.definition.get("Parameters").cloned().unwrap_or_else(|| json!({}))
    }

    /// When it was made, in seconds since 1970.
    pub(crate) fn created(&self) -> f64 {
        self.created
    }

    pub(super) fn find(&self, values: &[String]) -> Result<usize, usize> {
        self.partitions.binary_search_by(|partition| partition.values.as_slice().cmp(values))
    }
}

impl Partition {
    pub(super) fn to_api(&self, database: &str, table: &str) -> Value {
        with(
            &self.definition,
            json!({
                "DatabaseName": database.to_lowercase(),
                "TableName": table.to_lowercase(),
                "CatalogId": ACCOUNT_ID,
                "CreationTime": self.created,
            }),
        )
    }

    /// Where the partition's files are.
    pub(crate) fn location(&self) -> Option<&str> {
        location(&self.definition)
    }
}

/// Text without the case that the catalog does not keep.
pub(super) fn lower_name(definition: &mut Definition) {
    if let Some(Value::String(name)) = definition.get_mut("Name") {
        *name = name.to_lowercase();
    }
}

fn with(definition: &Definition, more: Value) -> Value {
    let mut all = definition.clone();
    if let Value::Object(more) = more {
        all.extend(more);
    }
    Value::Object(all)
}

fn location(definition: &Definition) -> Option<&str> {
    definition.get("StorageDescriptor")?.get("Location")?.as_str()
}

fn columns(list: Option<&Value>) -> Vec<Column> {
    let text = |column: &Value, name: &str| column.get(name).and_then(Value::as_str).map(str::to_owned);
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|column| Column {
            name: text(column, "Name").unwrap_or_default().to_lowercase(),
            type_name: text(column, "Type").unwrap_or_else(|| "string".to_owned()),
            comment: text(column, "Comment"),
        })
        .collect()
}

fn not_found(message: String) -> ApiError {
    ApiError::new("EntityNotFoundException", message)
}

fn no_database(name: &str) -> ApiError {
    not_found(format!("Database {name} not found."))
}

fn no_table(name: &str) -> ApiError {
    not_found(format!("Table {name} not found."))
}

fn no_crawler(name: &str) -> ApiError {
    not_found(format!("Crawler with name {name} does not exist."))
}
