//! A Glue table as a query reads it: the registered partitions, and the files that lie in their locations now.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Fields, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::config::TableParquetOptions;
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::listing::helpers::expr_applicable_for_cols;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::object_store::ObjectMeta;
use datafusion::object_store::path::Path as ObjectPath;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::engine::store_url;
use super::hidden;
use super::pruning::{self, PartitionFolder};
use super::scan::{CountingReaders, ScannedBytes};
use crate::glue::{Column, Table, arrow_type};
use crate::s3::{S3Location, StoredFile, visible_files};

/// A table as the catalog had it when the query was planned.
#[derive(Debug)]
pub(super) struct LakeTable {
    /// The files' columns, then the partition keys, then the hidden columns.
    schema: TableSchema,
    /// How many of the columns behind the files' are partition keys.
    keys: usize,
    partitions: Vec<PartitionFolder>,
    s3_root: PathBuf,
    scanned: ScannedBytes,
}

impl LakeTable {
    pub(super) fn new(table: &Table, s3_root: PathBuf, scanned: ScannedBytes, hidden: &[FieldRef]) -> Result<Self> {
        let file_fields = fields(&table.columns())?;
        let mut key_fields = fields(&table.partition_keys())?;
        let partitions = if key_fields.is_empty() {
            vec![PartitionFolder { values: Vec::new(), location: location(table.location())? }]
        } else {
            let partitions = table.partitions().iter();
            partitions
                .map(|partition| {
                    let values = partition.values.iter().zip(&key_fields);
                    let values = values.map(|(value, key)| ScalarValue::try_from_string(value.clone(), key.data_type()));
                    Ok(PartitionFolder { values: values.collect::<Result<_>>()?, location: location(partition.location())? })
                })
                .collect::<Result<_>>()?
        };
        let keys = key_fields.len();
        key_fields.extend(hidden.iter().cloned());
        let schema = TableSchema::builder(Arc::new(Schema::new(file_fields))).with_table_partition_cols(key_fields).build();
        Ok(Self { schema, keys, partitions, s3_root, scanned })
    }

    /// The partition keys and the hidden columns: what all rows of a file have in common.
    fn file_columns(&self) -> (&[FieldRef], &[FieldRef]) {
        let columns: &[FieldRef] = self.schema.table_partition_cols();
        columns.split_at_checked(self.keys).unwrap_or((columns, &[]))
    }

    fn key_names(&self) -> Vec<&str> {
        self.file_columns().0.iter().map(|key| key.name().as_str()).collect()
    }

    /// The files of the partitions that the filters leave.
    async fn files(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<PartitionedFile>> {
        let names = self.key_names();
        let on_keys: Vec<Expr> = filters.iter().filter(|filter| prunes(&names, filter)).cloned().collect();
        let (keys, hidden) = self.file_columns();
        let kept = pruning::keep(state, &Fields::from(keys), &self.partitions, on_keys)?;
        let hidden = hidden.to_vec();
        let s3_root = self.s3_root.clone();
        let listed = tokio::task::spawn_blocking(move || {
            let mut files = Vec::new();
            for folder in kept {
                // Trino passes over empty files.
                for file in visible_files(&s3_root, &folder.location)?.into_iter().filter(|file| file.size > 0) {
                    files.push(partitioned_file(&folder, file, &hidden)?);
                }
            }
            Ok::<_, DataFusionError>(files)
        });
        listed.await.map_err(|error| DataFusionError::External(Box::new(error)))?
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let names = self.key_names();
        let pushdown = |filter: &&Expr| {
            // A partition that is left has the value, so nothing remains to be checked row by row.
            if prunes(&names, filter) { TableProviderFilterPushDown::Exact } else { TableProviderFilterPushDown::Inexact }
        };
        Ok(filters.iter().map(pushdown).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.files(state, filters).await?;
        if files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.table_schema().project(columns)?),
                None => self.schema(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let environment = state.runtime_env();
        let readers = CachedParquetFileReaderFactory::new(
            environment.object_store(store_url()?)?,
            environment.cache_manager.get_file_metadata_cache(),
        );
        let readers = CountingReaders::new(readers, self.scanned.clone());
        let options = TableParquetOptions { global: state.config_options().execution.parquet.clone(), ..Default::default() };
        let source =
            ParquetSource::new(self.schema.clone()).with_table_parquet_options(options).with_parquet_file_reader_factory(Arc::new(readers));
        // A limit counts rows before a filter that the scan only helps with.
        let names = self.key_names();
        let limit = limit.filter(|_| filters.iter().all(|filter| prunes(&names, filter)));
        let config = FileScanConfigBuilder::new(store_url()?, Arc::new(source))
            .with_file_groups(FileGroup::new(files).split_files(state.config().target_partitions()))
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Whether a filter is on partition keys alone.
fn prunes(keys: &[&str], filter: &Expr) -> bool {
    !keys.is_empty() && expr_applicable_for_cols(keys, filter)
}

fn fields(columns: &[Column]) -> Result<Vec<FieldRef>> {
    columns
        .iter()
        .map(|column| {
            let data_type = arrow_type(&column.type_name).ok_or_else(|| {
                DataFusionError::NotImplemented(format!(
                    "column {} has the type {}, which the local Athena does not know",
                    column.name, column.type_name
                ))
            })?;
            // Nullable, whatever the files say: a file may lack the column.
            Ok(Arc::new(Field::new(&column.name, data_type, true)))
        })
        .collect()
}

fn location(text: Option<&str>) -> Result<S3Location> {
    text.unwrap_or_default().parse().map_err(|error| DataFusionError::External(Box::new(error)))
}

fn partitioned_file(folder: &PartitionFolder, file: StoredFile, hidden: &[FieldRef]) -> Result<PartitionedFile> {
    let hidden: Vec<ScalarValue> = hidden.iter().map(|column| hidden::value(column.name(), &folder.location, &file)).collect();
    let location = ObjectPath::parse(format!("{}/{}", folder.location.bucket(), file.key))
        .map_err(|error| DataFusionError::External(Box::new(error)))?;
    let mut partitioned = PartitionedFile::new_from_meta(ObjectMeta {
        location,
        last_modified: DateTime::<Utc>::from(file.modified),
        size: file.size,
        e_tag: None,
        version: None,
    });
    partitioned.partition_values = folder.values.iter().cloned().chain(hidden).collect();
    Ok(partitioned)
}
