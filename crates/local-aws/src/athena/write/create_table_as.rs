//! CREATE TABLE AS: a query's rows into Parquet files, and an external table over them.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use serde_json::{Value, json};

use super::files::WrittenFile;
use super::rows::{Shape, collect};
use super::unload::{check_empty, finish, parquet_codec, put, shape};
use crate::athena::CATALOG;
use crate::athena::failure::Failure;
use crate::athena::partitions::{hive_path, register_written};
use crate::athena::running::{Finished, Running};
use crate::athena::sql::{CreateTableAs, TableName};
use crate::s3::S3Location;

/// Runs it.
pub(in crate::athena) async fn run(running: &Running<'_>, create: CreateTableAs) -> Result<Finished, Failure> {
    let CreateTableAs { table, if_not_exists, mut properties, query, with_data } = create;
    let codec = parquet_codec(&mut properties, "write_compression", false)?;
    let keys = properties.take_texts("partitioned_by")?;
    let location = location(running, properties.take_text("external_location")?)?;
    properties.none_left()?;

    let (database, name) = table.within(&running.request.database);
    let found =
        running.service.glue.read(|catalog| catalog.table_names(database).map(|names| names.iter().any(|existing| existing == name)));
    match found {
        None => return Err(Failure::Plain(format!("SCHEMA_NOT_FOUND: line 1:1: Schema {database} not found"))),
        Some(true) if if_not_exists => return finish(running, &[], 0).await,
        Some(true) => {
            let message = format!("TABLE_ALREADY_EXISTS: line 1:1: Destination table '{CATALOG}.{database}.{name}' already exists");
            return Err(Failure::Plain(message));
        }
        Some(false) => {}
    }
    let (state, plan) = running.plan_query(query).await?;
    let shape = shape(&plan.schema(), &keys, codec)?;
    check_names(&shape)?;
    check_empty(running, &location).await?;
    let (files, rows) = if with_data { collect(running, &state, plan, &shape).await? } else { (Vec::new(), 0) };
    let written = put(running, &location, &keys, &files).await?;
    let definition = definition(name, &shape, &location)?;
    let request = json!({ "DatabaseName": database, "TableInput": definition });
    running.service.glue.call("CreateTable", request.to_string().as_bytes()).await?;
    register(running, &table, &location, &keys, &files).await?;
    finish(running, &written, rows).await
}

/// The table's folder: a work group that says where results go says it of tables too.
fn location(running: &Running<'_>, external: Option<String>) -> Result<S3Location, Failure> {
    let enforced = running.service.work_groups.get(&running.request.work_group).is_some_and(|group| group.enforced);
    match external {
        Some(_) if enforced => Err(Failure::Plain(
            "The Create Table As Select query failed because it was submitted with an 'external_location' property to an Athena \
             Workgroup that enforces a centralized output location for all queries. Please remove the 'external_location' property \
             and resubmit the query."
                .to_owned(),
        )),
        Some(location) => Ok(location.parse()?),
        None => Ok(format!("{}tables/{}/", running.request.output, running.id).parse()?),
    }
}

/// A table's columns need names.
fn check_names(shape: &Shape) -> Result<(), Failure> {
    for (position, field) in shape.fields.iter().enumerate() {
        if *field.name() == format!("_col{position}") {
            return Err(Failure::Plain(format!("MISSING_COLUMN_NAME: line 1:1: Column name not specified at position {}", position + 1)));
        }
    }
    Ok(())
}

/// Glue's TableInput.
fn definition(name: &str, shape: &Shape, location: &S3Location) -> Result<Value, Failure> {
    let columns = shape.fields.iter().map(|field| Ok(json!({ "Name": field.name(), "Type": hive_type(field.data_type())? })));
    let mut columns = columns.collect::<Result<Vec<_>, Failure>>()?;
    let keys = columns.split_off(columns.len().saturating_sub(shape.keys));
    Ok(json!({
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": keys,
        "Parameters": { "EXTERNAL": "TRUE", "classification": "parquet", "has_encrypted_data": "false" },
        "StorageDescriptor": {
            "Columns": columns,
            "Location": location.to_string(),
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                "Parameters": { "serialization.format": "1" },
            },
        },
    }))
}

async fn register(
    running: &Running<'_>,
    table: &TableName,
    location: &S3Location,
    keys: &[String],
    files: &[WrittenFile],
) -> Result<(), Failure> {
    let partitions: BTreeSet<&Vec<String>> = files.iter().map(|file| &file.values).filter(|values| !values.is_empty()).collect();
    for values in partitions {
        let folder: S3Location = format!("{location}{}/", hive_path(keys, values)).parse()?;
        register_written(running, table, values, &folder).await?;
    }
    Ok(())
}

/// Hive's name of a file's type.
fn hive_type(data_type: &DataType) -> Result<String, Failure> {
    Ok(match data_type {
        DataType::Utf8 => "string".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "int".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float32 => "float".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::Binary => "binary".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        other => return Err(Failure::Plain(format!("NOT_SUPPORTED: Unsupported Hive type: {other}"))),
    })
}
