//! INSERT INTO: a query's rows into new files of a table, each in its partition's folder.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};

use super::files::Codec;
use super::rows::{Shape, collect, file_type};
use super::unload::{finish, put_one};
use crate::athena::CATALOG;
use crate::athena::columns::ColumnInfo;
use crate::athena::failure::Failure;
use crate::athena::partitions::{hive_path, register_written};
use crate::athena::running::{Finished, Running};
use crate::athena::sql::Insert;
use crate::glue::{Column, arrow_type};
use crate::s3::S3Location;

/// The table as the catalog has it.
struct Target {
    columns: Vec<Column>,
    keys: Vec<String>,
    location: S3Location,
    /// The folders of the partitions that exist, which need not be where their values say.
    partitions: HashMap<Vec<String>, S3Location>,
}

/// Runs it.
pub(in crate::athena) async fn run(running: &Running<'_>, insert: Insert) -> Result<Finished, Failure> {
    let Insert { table, columns, query } = insert;
    let (database, name) = table.within(&running.request.database);
    let target = Target::find(running, database, name)?;
    let (state, plan) = running.plan_query(query).await?;
    let shape = target.shape(&plan.schema(), &columns)?;
    let (files, rows) = collect(running, &state, plan, &shape).await?;
    let mut written = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let known = target.partitions.get(&file.values);
        let folder: S3Location = match (known, file.values.as_slice()) {
            (Some(folder), _) => folder.clone(),
            (None, []) => target.location.clone(),
            (None, values) => format!("{}{}/", target.location, hive_path(&target.keys, values)).parse()?,
        };
        written.push(put_one(running, &folder, number, file).await?);
        if known.is_none() && !file.values.is_empty() {
            register_written(running, &table, &file.values, &folder).await?;
        }
    }
    finish(running, &written, rows).await
}

impl Target {
    fn find(running: &Running<'_>, database: &str, name: &str) -> Result<Self, Failure> {
        running.service.glue.read(|catalog| {
            let table = catalog
                .find_table(database, name)
                .ok_or_else(|| Failure::Plain(format!("TABLE_NOT_FOUND: line 1:1: Table '{CATALOG}.{database}.{name}' does not exist")))?;
            let keys = table.partition_keys();
            let mut partitions = HashMap::new();
            for partition in table.partitions() {
                partitions.insert(partition.values.clone(), partition.location().unwrap_or_default().parse()?);
            }
            Ok(Self {
                keys: keys.iter().map(|key| key.name.clone()).collect(),
                columns: table.columns().into_iter().chain(keys).collect(),
                location: table.location().unwrap_or_default().parse()?,
                partitions,
            })
        })
    }

    /// The table's columns, each from the query's column of the same position.
    fn shape(&self, query: &Schema, named: &[String]) -> Result<Shape, Failure> {
        let order: Vec<&str> = if named.is_empty() {
            self.columns.iter().map(|column| column.name.as_str()).collect()
        } else {
            named.iter().map(String::as_str).collect()
        };
        for name in &order {
            if !self.columns.iter().any(|column| column.name == *name) {
                return Err(Failure::Plain(format!(
                    "COLUMN_NOT_FOUND: line 1:1: Insert column name does not exist in target table: {name}"
                )));
            }
        }
        if order.len() != query.fields().len() {
            return Err(self.mismatch(query));
        }
        let (mut fields, mut from): (Vec<FieldRef>, Vec<Option<usize>>) = (Vec::new(), Vec::new());
        for column in &self.columns {
            let data_type = arrow_type(&column.type_name).ok_or_else(|| {
                Failure::Refused(format!("the local engine does not know the type {} of the column {}", column.type_name, column.name))
            })?;
            let position = order.iter().position(|name| *name == column.name);
            let given = position.and_then(|position| query.fields().get(position));
            if given.is_some_and(|given| !fits(given.data_type(), &data_type)) {
                return Err(self.mismatch(query));
            }
            fields.push(Arc::new(Field::new(&column.name, in_file(data_type), true)));
            from.push(position);
        }
        Ok(Shape { fields, keys: self.keys.len(), from, codec: Codec::named(Some("ZSTD"))? })
    }

    fn mismatch(&self, query: &Schema) -> Failure {
        let table: Vec<&str> = self.columns.iter().map(|column| column.type_name.as_str()).collect();
        let query: Vec<&str> = query.fields().iter().map(|field| ColumnInfo::of(field).type_name).collect();
        Failure::Plain(format!(
            "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: Table: [{}], Query: [{}]",
            table.join(", "),
            query.join(", ")
        ))
    }
}

/// As the lake's own files have it: an instant is one in UTC.
fn in_file(data_type: DataType) -> DataType {
    match data_type {
        DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        other => other,
    }
}

/// Whether the table's type holds the query's without changing what it means.
fn fits(query: &DataType, table: &DataType) -> bool {
    if query.is_null() {
        return true;
    }
    match (file_type(query), table) {
        (Some(query), table) if query == *table => true,
        (Some(query), table) if query.is_integer() => table.is_numeric(),
        (Some(DataType::Decimal128(..)), DataType::Decimal128(..) | DataType::Float32 | DataType::Float64) => true,
        (Some(DataType::Float32), DataType::Float64) => true,
        (Some(DataType::Date32), DataType::Timestamp(..)) => true,
        _ => false,
    }
}
