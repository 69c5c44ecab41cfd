//! A file's schema held against the table's.

use std::fs::File;
use std::io;

use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::errors::ParquetError;

use super::catalog::Column;
use super::types::{arrow_type, glue_name, reads_as};
use crate::s3::StoredFile;

/// Why a file does not fit the table. The text stands in the crawl's record, so it carries its cause.
#[derive(Debug, thiserror::Error)]
pub(super) enum Misfit {
    #[error("{file}: cannot be read: {source}")]
    Unreadable {
        file: String,
        #[source]
        source: io::Error,
    },
    #[error("{file}: not a Parquet file: {source}")]
    NotParquet {
        file: String,
        #[source]
        source: ParquetError,
    },
    #[error("{file}: column {column:?} is {found} in the file, but {expected} in the table")]
    Type { file: String, column: String, found: String, expected: String },
    #[error("{file}: column {column:?} is not in the table")]
    Unknown { file: String, column: String },
    #[error("column {column:?} of the table has the type {type_name:?}, which the local crawler does not know")]
    TableType { column: String, type_name: String },
}

/// Reads the file's footer and compares every column that it has. Columns that only the table has read as null.
pub(super) fn check(bucket: &str, file: &StoredFile, columns: &[Column]) -> Result<(), Misfit> {
    let name = format!("s3://{bucket}/{}", file.key);
    let schema = read_schema(&name, file)?;
    for field in schema.fields() {
        let Some(column) = columns.iter().find(|column| column.name == field.name().to_lowercase()) else {
            return Err(Misfit::Unknown { file: name, column: field.name().clone() });
        };
        let expected = arrow_type(&column.type_name)
            .ok_or_else(|| Misfit::TableType { column: column.name.clone(), type_name: column.type_name.clone() })?;
        if !reads_as(field.data_type(), &expected) {
            return Err(Misfit::Type {
                file: name,
                column: column.name.clone(),
                found: glue_name(field.data_type()),
                expected: column.type_name.clone(),
            });
        }
    }
    Ok(())
}

fn read_schema(name: &str, file: &StoredFile) -> Result<SchemaRef, Misfit> {
    let content = File::open(&file.path).map_err(|source| Misfit::Unreadable { file: name.to_owned(), source })?;
    let metadata =
        ArrowReaderMetadata::load(&content, Default::default()).map_err(|source| Misfit::NotParquet { file: name.to_owned(), source })?;
    Ok(metadata.schema().clone())
}
