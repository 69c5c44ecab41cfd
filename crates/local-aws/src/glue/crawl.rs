//! What a crawl does: list the declared tables' prefixes, read Parquet footers, name the partitions that are missing.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::catalog::{Catalog, Column, Table};
use super::parquet_schema::{self, Misfit};
use crate::s3::{LocationError, S3Location, StoredFile, visible_files};

/// A table as the crawl found it when it began.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) database: String,
    pub(super) table: String,
    location: Option<String>,
    columns: Vec<Column>,
    keys: Vec<Column>,
    known: Vec<Vec<String>>,
    /// CRAWL_NEW_FOLDERS_ONLY: known partitions are not looked into again.
    new_only: bool,
}

/// A partition that the catalog does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) database: String,
    pub(super) table: String,
    pub(super) values: Vec<String>,
    /// With a slash at its end.
    pub(super) location: String,
    /// `dt=2026-11-23`.
    pub(super) name: String,
}

/// Why a crawl failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CrawlError {
    #[error("Table {0} not found")]
    NoTable(String),
    #[error("Table {0} has no location")]
    NoLocation(String),
    #[error(transparent)]
    Location(#[from] LocationError),
    #[error("{location} cannot be listed: {source}")]
    List {
        location: String,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

impl Target {
    pub(super) fn of(catalog: &Catalog, database: &str, table: &str, new_only: bool) -> Result<Self, CrawlError> {
        let (database, table) = (database.to_lowercase(), table.to_lowercase());
        let found: &Table = catalog.find_table(&database, &table).ok_or_else(|| CrawlError::NoTable(format!("{database}.{table}")))?;
        Ok(Self {
            location: found.location().map(str::to_owned),
            columns: found.columns(),
            keys: found.partition_keys(),
            known: found.partitions().iter().map(|partition| partition.values.clone()).collect(),
            database,
            table,
            new_only,
        })
    }

    /// Looks into the newest file of each partition's folder; answers the partitions that are missing, sorted.
    pub(super) fn crawl(&self, s3_root: &Path) -> Result<Vec<Missing>, CrawlError> {
        let location = self.location.as_deref().ok_or_else(|| CrawlError::NoLocation(format!("{}.{}", self.database, self.table)))?;
        let location: S3Location = location.parse()?;
        let files = visible_files(s3_root, &location).map_err(|source| CrawlError::List { location: location.to_string(), source })?;

        let mut folders: BTreeMap<Vec<String>, (String, &StoredFile)> = BTreeMap::new();
        for file in files.iter().filter(|file| file.key.ends_with(".parquet")) {
            let Some((folder, values)) = self.partition_of(location.prefix(), &file.key) else { continue };
            let newest = folders.entry(values).or_insert_with(|| (folder, file));
            if newest.1.modified <= file.modified {
                newest.1 = file;
            }
        }

        let mut missing = Vec::new();
        for (values, (folder, newest)) in folders {
            let known = self.known.contains(&values);
            if !(known && self.new_only) {
                parquet_schema::check(location.bucket(), newest, &self.columns)?;
            }
            if !known && !self.keys.is_empty() {
                missing.push(Missing {
                    database: self.database.clone(),
                    table: self.table.clone(),
                    values,
                    location: format!("s3://{}/{}{folder}/", location.bucket(), location.prefix()),
                    name: folder,
                });
            }
        }
        Ok(missing)
    }

    /// The folder below the table's and the values in it, if the file lies where the partition keys say:
    /// `dt=2026-11-23/x.parquet`. Files that lie elsewhere are not the table's.
    fn partition_of(&self, prefix: &str, key: &str) -> Option<(String, Vec<String>)> {
        let mut parts = key.strip_prefix(prefix)?.split('/');
        let (mut folder, mut values) = (Vec::new(), Vec::new());
        for column in &self.keys {
            let part = parts.next()?;
            let (name, value) = part.split_once('=')?;
            if name.to_lowercase() != column.name || value.is_empty() {
                return None;
            }
            folder.push(part);
            values.push(value.to_owned());
        }
        // At least the file's own name must be left.
        parts.next()?;
        Some((folder.join("/"), values))
    }
}
