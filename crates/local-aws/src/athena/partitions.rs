//! The statements on partitions and tables. They change the catalog, through Glue's own operations, and no file.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::failure::Failure;
use super::running::Running;
use super::sql::{PartitionSpec, TableName};
use crate::protocol::ApiError;
use crate::s3::{S3Location, visible_files};

/// What such a statement needs to know of a table.
struct Partitioned {
    database: String,
    table: String,
    keys: Vec<String>,
    location: S3Location,
    descriptor: Value,
}

/// ALTER TABLE … ADD PARTITION.
pub(super) async fn add(running: &Running<'_>, table: &TableName, if_not_exists: bool, specs: &[PartitionSpec]) -> Result<(), Failure> {
    let table = Partitioned::find(running, table).await?;
    // All are looked at before the first one is added.
    let mut wanted = Vec::new();
    for spec in specs {
        let values = table.values(spec)?;
        let location = match &spec.location {
            Some(location) => location.parse()?,
            None => table.folder(&values)?,
        };
        wanted.push((values, location));
    }
    for (values, location) in wanted {
        match table.register(running, &values, &location).await {
            Err(error) if if_not_exists && error.kind() == "AlreadyExistsException" => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

/// ALTER TABLE … DROP PARTITION. The files stay where they are.
pub(super) async fn drop(running: &Running<'_>, table: &TableName, if_exists: bool, specs: &[PartitionSpec]) -> Result<(), Failure> {
    let table = Partitioned::find(running, table).await?;
    for spec in specs {
        let request = json!({ "DatabaseName": table.database, "TableName": table.table, "PartitionValues": table.values(spec)? });
        match change(running, "DeletePartition", &request).await {
            Err(error) if error.kind() == "EntityNotFoundException" => {
                if !if_exists {
                    let spec: Vec<String> = spec.values.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                    return Err(Failure::Plain(format!(
                        "FAILED: SemanticException [Error 10006]: Partition not found ({})",
                        spec.join(", ")
                    )));
                }
            }
            outcome => outcome?,
        }
    }
    Ok(())
}

/// MSCK REPAIR TABLE: adds the partitions that lie in S3 and are not in the catalog; answers what it says of each.
pub(super) async fn repair(running: &Running<'_>, table: &TableName) -> Result<Vec<String>, Failure> {
    let table = Partitioned::find(running, table).await?;
    if table.keys.is_empty() {
        return Err(Failure::Plain(format!("FAILED: SemanticException Table is not partitioned: {}", table.table)));
    }
    let (root, location) = (running.service.store.root().to_owned(), table.location.clone());
    let files = tokio::task::spawn_blocking(move || visible_files(&root, &location)).await;
    let files = files.map_err(|error| Failure::Plain(format!("GENERIC_INTERNAL_ERROR: {error}")))??;
    let found: BTreeSet<Vec<String>> = files.iter().filter_map(|file| table.values_of(&file.key)).collect();
    let (mut missing, mut lines) = (Vec::new(), Vec::new());
    for values in found {
        let location = table.folder(&values)?;
        match table.register(running, &values, &location).await {
            Err(error) if error.kind() == "AlreadyExistsException" => {}
            outcome => {
                outcome?;
                let name = format!("{}:{}", table.table, hive_path(&table.keys, &values));
                lines.push(format!("Repair: Added partition to metastore {name}"));
                missing.push(name);
            }
        }
    }
    if !missing.is_empty() {
        lines.insert(0, format!("Partitions not in metastore:\t{}", missing.join("\t")));
    }
    Ok(lines)
}

/// DROP TABLE. The files stay where they are, as those of external tables do.
pub(super) async fn drop_table(running: &Running<'_>, table: &TableName, if_exists: bool) -> Result<(), Failure> {
    let (database, name) = table.within(&running.request.database);
    match change(running, "DeleteTable", &json!({ "DatabaseName": database, "Name": name })).await {
        Err(error) if error.kind() == "EntityNotFoundException" => {
            if if_exists {
                Ok(())
            } else {
                Err(no_table(name))
            }
        }
        outcome => Ok(outcome?),
    }
}

/// Registers a partition that files were written into, unless it is there.
pub(super) async fn register_written(
    running: &Running<'_>,
    table: &TableName,
    values: &[String],
    location: &S3Location,
) -> Result<(), Failure> {
    match Partitioned::find(running, table).await?.register(running, values, location).await {
        Err(error) if error.kind() == "AlreadyExistsException" => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// `dt=2013-10-07`: a partition's folder below its table's, with what a path cannot hold escaped as Hive does.
pub(super) fn hive_path(keys: &[String], values: &[String]) -> String {
    let escaped = |value: &str| -> String {
        value
            .chars()
            .map(|char| match char {
                '"' | '#' | '%' | '\'' | '*' | '/' | ':' | '=' | '?' | '\\' | '{' | '[' | ']' | '^' => format!("%{:02X}", char as u32),
                char if char.is_control() => format!("%{:02X}", char as u32),
                char => char.to_string(),
            })
            .collect()
    };
    let parts: Vec<String> = keys.iter().zip(values).map(|(key, value)| format!("{key}={}", escaped(value))).collect();
    parts.join("/")
}

impl Partitioned {
    async fn find(running: &Running<'_>, table: &TableName) -> Result<Self, Failure> {
        let (database, name) = table.within(&running.request.database);
        let found = glue(running, "GetTable", &json!({ "DatabaseName": database, "Name": name })).await;
        let found = found.map_err(|error| if error.kind() == "EntityNotFoundException" { no_table(name) } else { error.into() })?;
        let mut table = found.get("Table").cloned().unwrap_or_default();
        let keys = table.get("PartitionKeys").and_then(Value::as_array).into_iter().flatten();
        let keys = keys.filter_map(|key| key.get("Name").and_then(Value::as_str)).map(str::to_lowercase).collect();
        let descriptor = table.get_mut("StorageDescriptor").map(Value::take).unwrap_or_default();
        let location = descriptor.get("Location").and_then(Value::as_str).unwrap_or_default().parse()?;
        Ok(Self { database: database.to_owned(), table: name.to_owned(), keys, location, descriptor })
    }

    /// A specification's values, in the keys' order.
    fn values(&self, spec: &PartitionSpec) -> Result<Vec<String>, Failure> {
        let value_of = |key: &String| spec.values.iter().find(|(given, _)| given == key).map(|(_, value)| value.clone());
        let values: Option<Vec<String>> = self.keys.iter().map(value_of).collect();
        values.filter(|values| values.len() == spec.values.len()).ok_or_else(|| {
            let given: Vec<&str> = spec.values.iter().map(|(key, _)| key.as_str()).collect();
            Failure::Plain(format!(
                "FAILED: SemanticException Partition spec {{{}}} does not name the partition columns of {}: {}",
                given.join(", "),
                self.table,
                self.keys.join(", ")
            ))
        })
    }

    /// A partition's own folder.
    fn folder(&self, values: &[String]) -> Result<S3Location, Failure> {
        Ok(format!("{}{}/", self.location, hive_path(&self.keys, values)).parse()?)
    }

    /// The values in a file's path, if it lies where the keys say: `dt=2013-10-07/x.parquet`.
    fn values_of(&self, key: &str) -> Option<Vec<String>> {
        let mut parts = key.strip_prefix(self.location.prefix())?.split('/');
        let mut values = Vec::new();
        for key in &self.keys {
            let (name, value) = parts.next()?.split_once('=')?;
            if !name.eq_ignore_ascii_case(key) || value.is_empty() {
                return None;
            }
            values.push(percent_encoding::percent_decode_str(value).decode_utf8().ok()?.into_owned());
        }
        // At least the file's own name must be left.
        parts.next().map(|_| values)
    }

    async fn register(&self, running: &Running<'_>, values: &[String], location: &S3Location) -> Result<(), ApiError> {
        let mut descriptor = self.descriptor.clone();
        descriptor["Location"] = json!(location.to_string());
        let partition = json!({ "Values": values, "StorageDescriptor": descriptor });
        let request = json!({ "DatabaseName": self.database, "TableName": self.table, "PartitionInput": partition });
        change(running, "CreatePartition", &request).await
    }
}

async fn glue(running: &Running<'_>, operation: &str, request: &Value) -> Result<Value, ApiError> {
    running.service.glue.call(operation, request.to_string().as_bytes()).await
}

/// An operation whose answer says nothing.
async fn change(running: &Running<'_>, operation: &str, request: &Value) -> Result<(), ApiError> {
    glue(running, operation, request).await.map(|_| ())
}

fn no_table(name: &str) -> Failure {
    Failure::Plain(format!("FAILED: SemanticException [Error 10001]: Table not found {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_as_hive_escapes_them() {
        let text = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
        assert_eq!(hive_path(&text(&["dt", "at"]), &text(&["2013-10-07", "10:30/x"])), "dt=2013-10-07/at=10%3A30%2Fx");
    }
}
