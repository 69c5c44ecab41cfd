//! `information_schema`, with Trino's columns and type names. DataFusion's own shows its settings and Arrow's names.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};

use super::CATALOG;
use crate::glue::{Column, Glue, arrow_type};

/// Its name among the databases.
pub(super) const NAME: &str = "information_schema";

const TABLES: [&str; 4] = ["columns", "schemata", "tables", "views"];

/// The catalog as tables, made when they are asked for.
pub(super) struct InformationSchema {
    glue: Glue,
}

/// A database, a table in it and its columns, partition keys last.
type Listed = (String, String, Vec<(Column, bool)>);

impl InformationSchema {
    pub(super) fn new(glue: Glue) -> Self {
        Self { glue }
    }

    fn listed(&self) -> Vec<Listed> {
        self.glue.read(|catalog| {
            let mut listed = Vec::new();
            for database in catalog.database_names() {
                for name in catalog.table_names(&database).unwrap_or_default() {
                    let Some(table) = catalog.find_table(&database, &name) else { continue };
                    let keys = table.partition_keys().into_iter().map(|key| (key, true));
                    let columns = table.columns().into_iter().map(|column| (column, false)).chain(keys).collect();
                    listed.push((database.clone(), name, columns));
                }
            }
            listed
        })
    }

    fn batch(&self, name: &str) -> Result<RecordBatch> {
        match name {
            "schemata" => {
                let mut names = self.glue.read(|catalog| catalog.database_names());
                names.push(NAME.to_owned());
                texts(&["catalog_name", "schema_name"], names.iter().map(|name| vec![Some(CATALOG), Some(name)]))
            }
            "tables" => {
                let listed = self.listed();
                let rows = listed.iter().map(|(database, table, _)| vec![Some(CATALOG), Some(database), Some(table), Some("BASE TABLE")]);
                texts(&["table_catalog", "table_schema", "table_name", "table_type"], rows)
            }
            // Views are not served.
            "views" => texts(&["table_catalog", "table_schema", "table_name", "view_definition"], std::iter::empty()),
            _ => self.columns(),
        }
    }

    fn columns(&self) -> Result<RecordBatch> {
        let listed = self.listed();
        let (mut rows, mut positions) = (Vec::new(), Vec::new());
        let types: Vec<Vec<String>> =
            listed.iter().map(|(_, _, columns)| columns.iter().map(|(column, _)| trino_type(&column.type_name)).collect()).collect();
        for ((database, table, columns), types) in listed.iter().zip(&types) {
            for (position, ((column, is_key), type_name)) in columns.iter().zip(types).enumerate() {
                positions.push(i64::try_from(position).unwrap_or(i64::MAX).saturating_add(1));
                let info = is_key.then_some("partition key");
                let names = [Some(CATALOG), Some(database.as_str()), Some(table.as_str()), Some(column.name.as_str())];
                rows.push([&names[..], &[None, Some("YES"), Some(type_name), column.comment.as_deref(), info]].concat());
            }
        }
        let names = [
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "column_default",
            "is_nullable",
            "data_type",
            "comment",
            "extra_info",
        ];
        let batch = texts(&names, rows.into_iter())?;
        let mut columns: Vec<(&str, ArrayRef)> = names.into_iter().zip(batch.columns().iter().cloned()).collect();
        columns.insert(4, ("ordinal_position", Arc::new(Int64Array::from(positions))));
        Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))?)
    }
}

impl std::fmt::Debug for InformationSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InformationSchema")
    }
}

#[async_trait]
impl SchemaProvider for InformationSchema {
    fn table_names(&self) -> Vec<String> {
        TABLES.map(str::to_owned).to_vec()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let name = name.to_lowercase();
        if !self.table_exist(&name) {
            return Ok(None);
        }
        let batch = self.batch(&name)?;
        Ok(Some(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?)))
    }

    fn table_exist(&self, name: &str) -> bool {
        TABLES.contains(&name.to_lowercase().as_str())
    }
}

/// Columns of text.
fn texts<'a>(names: &[&str], rows: impl Iterator<Item = Vec<Option<&'a str>>>) -> Result<RecordBatch> {
    let rows: Vec<_> = rows.collect();
    let columns = names.iter().enumerate().map(|(index, name)| {
        let values: StringArray = rows.iter().map(|row| row.get(index).copied().flatten()).collect();
        (*name, Arc::new(values) as ArrayRef, true)
    });
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

/// Trino's name of a Glue type.
fn trino_type(glue: &str) -> String {
    match arrow_type(glue) {
        Some(DataType::Utf8) => "varchar".to_owned(),
        Some(DataType::Int32) => "integer".to_owned(),
        Some(DataType::Float32) => "real".to_owned(),
        Some(DataType::Binary) => "varbinary".to_owned(),
        Some(DataType::Timestamp(..)) => "timestamp(3)".to_owned(),
        _ => glue.to_lowercase(),
    }
}
