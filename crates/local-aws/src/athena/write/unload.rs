//! UNLOAD: a query's rows into Parquet files of a folder that is empty.

use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema};

use super::files::{Codec, WrittenFile};
use super::rows::{Shape, collect, file_type};
use crate::athena::columns::ColumnInfo;
use crate::athena::failure::Failure;
use crate::athena::objects::Objects;
use crate::athena::partitions::hive_path;
use crate::athena::running::{Finished, Rows, Running};
use crate::athena::sql::{Properties, Unload};
use crate::s3::{S3Location, visible_files};

/// Runs it.
pub(in crate::athena) async fn run(running: &Running<'_>, unload: Unload) -> Result<Finished, Failure> {
    let Unload { query, location, mut properties } = unload;
    let codec = parquet_codec(&mut properties, "compression", true)?;
    let keys = properties.take_texts("partitioned_by")?;
    properties.none_left()?;
    let location: S3Location = location.parse()?;
    let (state, plan) = running.plan_query(query).await?;
    let shape = shape(&plan.schema(), &keys, codec)?;
    check_empty(running, &location).await?;
    let (files, _) = collect(running, &state, plan, &shape).await?;
    let written = put(running, &location, &keys, &files).await?;
    finish(running, &written, 0).await
}

/// The codec that the properties `format` and, by its name there, the compression ask for. Parquet is the only format.
pub(super) fn parquet_codec(properties: &mut Properties, compression: &str, must_name_format: bool) -> Result<Codec, Failure> {
    match properties.take_text("format")? {
        Some(format) if format.eq_ignore_ascii_case("parquet") => {}
        Some(format) => return Err(Failure::Refused(format!("the local engine writes Parquet, not {format}; Athena does"))),
        None if must_name_format => return Err(Failure::Plain("INVALID_PROPERTY: UNLOAD needs the property format".to_owned())),
        None => {}
    }
    Codec::named(properties.take_text(compression)?.as_deref())
}

/// Files with a query's own columns, of which the last may be partition keys.
pub(super) fn shape(query: &Schema, keys: &[String], codec: Codec) -> Result<Shape, Failure> {
    let mut fields: Vec<FieldRef> = Vec::new();
    for field in query.fields() {
        let data_type = file_type(field.data_type()).ok_or_else(|| {
            let column = ColumnInfo::of(field);
            Failure::Plain(format!("NOT_SUPPORTED: Unsupported Hive type: {} of the column {}", column.type_name, column.name))
        })?;
        if fields.iter().any(|other| other.name().eq_ignore_ascii_case(field.name())) {
            return Err(Failure::Plain(format!(
                "DUPLICATE_COLUMN_NAME: line 1:1: Column name '{}' specified more than once",
                field.name()
            )));
        }
        fields.push(Arc::new(Field::new(field.name().to_lowercase(), data_type, true)));
    }
    let last = fields.iter().skip(fields.len().saturating_sub(keys.len())).map(|field| field.name());
    if !last.eq(keys.iter()) || (!keys.is_empty() && keys.len() >= fields.len()) {
        return Err(Failure::Plain(format!(
            "HIVE_COLUMN_ORDER_MISMATCH: Partition keys must be the last columns in the table and in the same order as the table \
             properties: [{}]",
            keys.join(", ")
        )));
    }
    Ok(Shape { from: (0..fields.len()).map(Some).collect(), keys: keys.len(), fields, codec })
}

/// Refuses a folder that holds anything: files of two queries would be read as one table's.
pub(super) async fn check_empty(running: &Running<'_>, location: &S3Location) -> Result<(), Failure> {
    let (root, folder) = (running.service.store.root().to_owned(), location.clone());
    let found = tokio::task::spawn_blocking(move || visible_files(&root, &folder)).await;
    let found = found.map_err(|error| Failure::Plain(format!("GENERIC_INTERNAL_ERROR: {error}")))??;
    if found.is_empty() {
        return Ok(());
    }
    Err(Failure::Plain(format!("HIVE_PATH_ALREADY_EXISTS: Target directory already exists and is not empty: {location}")))
}

/// Puts files into a folder, or into its partitions' folders; answers their addresses.
pub(super) async fn put(
    running: &Running<'_>,
    location: &S3Location,
    keys: &[String],
    files: &[WrittenFile],
) -> Result<Vec<String>, Failure> {
    let mut addresses = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let folder: S3Location = match file.values.as_slice() {
            [] => location.clone(),
            values => format!("{location}{}/", hive_path(keys, values)).parse()?,
        };
        addresses.push(put_one(running, &folder, number, file).await?);
    }
    Ok(addresses)
}

/// Puts one of a query's files into a folder; answers its address.
pub(super) async fn put_one(running: &Running<'_>, folder: &S3Location, number: usize, file: &WrittenFile) -> Result<String, Failure> {
    let name = format!("{}_{number:05}.parquet", running.id);
    let key = Objects::new(running).put_file(folder, &name, "application/octet-stream", file.part.path()).await?;
    Ok(format!("s3://{}/{key}", folder.bucket()))
}

/// Writes the manifest and what describes the result.
pub(super) async fn finish(running: &Running<'_>, written: &[String], rows: u64) -> Result<Finished, Failure> {
    let objects = Objects::new(running);
    let columns = vec![ColumnInfo::bigint("rows")];
    objects.put_metadata(&columns).await?;
    let manifest = objects.put_manifest(written).await?;
    Ok(Finished { columns, rows: Rows::Memory(Vec::new()), written: rows, manifest: Some(manifest) })
}
