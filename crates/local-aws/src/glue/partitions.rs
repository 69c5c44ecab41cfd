//! The operations on partitions.

use serde_json::{Map, Value, json};

use super::catalog::{Catalog, Partition, Table};
use super::expression::Condition;
use super::{Glue, INVALID_INPUT};
use crate::protocol::{ApiError, ApiResult, Input, now, page};

/// The most partitions in one page or batch, as in Glue.
const MAX_PAGE: usize = 1000;
const MAX_CREATED_AT_ONCE: usize = 100;
const MAX_UPDATED_AT_ONCE: usize = 100;
const MAX_DELETED_AT_ONCE: usize = 25;

impl Glue {
    pub(super) fn create_partition(&self, input: &Input) -> ApiResult {
        let (database, table) = table_of(input)?;
        let given = input.object("PartitionInput")?;
        self.change(|catalog| {
            insert(catalog.table_mut(database, table)?, given)?;
            Ok(json!({}))
        })
    }

    pub(super) fn batch_create_partition(&self, input: &Input) -> ApiResult {
        let (database, table) = table_of(input)?;
        let given = input.array("PartitionInputList")?;
        if given.len() > MAX_CREATED_AT_ONCE {
            return Err(input.invalid(format!("At most {MAX_CREATED_AT_ONCE} partitions can be created at once.")));
        }
        self.change(|catalog| {
            let table = catalog.table_mut(database, table)?;
            let mut errors = Vec::new();
            for partition in given {
                if let Err(error) = Input::from_value(partition, INVALID_INPUT).and_then(|given| insert(table, given).map(drop)) {
                    errors.push(json!({ "PartitionValues": partition.get("Values"), "ErrorDetail": detail(&error) }));
                }
            }
            Ok(json!({ "Errors": errors }))
        })
    }

    pub(super) fn get_partition(&self, input: &Input) -> ApiResult {
        let (database, table) = table_of(input)?;
        let values = input.strings("PartitionValues")?;
        self.read(|catalog| {
            let partition = find(catalog, database, table, &values)?;
            Ok(json!({ "Partition": partition.to_api(database, table) }))
        })
    }

    pub(super) fn get_partitions(&self, input: &Input) -> ApiResult {
        let (database, table) = table_of(input)?;
        let expression = input.optional_string("Expression")?.filter(|expression| !expression.trim().is_empty());
        let segment = segment(input)?;
        let bare = input.flag("ExcludeColumnSchema");
        self.read(|catalog| {
            let found = catalog.table(database, table)?;
            let condition = expression.map(|expression| Condition::parse(expression, &found.partition_keys())).transpose()?;
            let meets = |partition: &Partition| condition.as_ref().is_none_or(|condition| condition.is_met(&partition.values));
            let partitions = found.partitions().iter().filter(|partition| meets(partition));
            // Spread over the segments one by one: each partition is in one of them.
            let partitions: Vec<_> = match segment {
                Some((number, of)) => partitions.skip(number).step_by(of).collect(),
                None => partitions.collect(),
            };
            let (partitions, token) = page(&partitions, input, MAX_PAGE)?;
            let partitions: Vec<Value> = partitions
                .iter()
                .map(|partition| {
                    let mut partition = partition.to_api(database, table);
                    if let Some(Value::Object(descriptor)) = partition.get_mut("StorageDescriptor").filter(|_| bare) {
                        descriptor.remove("Columns");
                    }
                    partition
                })
                .collect();
            Ok(json!({ "Partitions": partitions, "NextToken": token }))
        })
    }

    pub(super) fn batch_get_partition(&self, input: &Input) -> ApiResult {
        let (database, table) = table_of(input)?;
        let wanted = input.array("PartitionsToGet")?;
        if wanted.len() > MAX_PAGE {
            return Err(input.invalid(format!("At most {MAX_PAGE} partitions can be asked for at once.")));
        }
        self.read(|catalog| {
            let table_found = catalog.table(database, table)?;
            let mut found = Vec::new();
            for wanted in wanted {
                let values = Input::from_value(wanted, INVALID_INPUT)?.strings("Values")?;
                // As Glue does it: what does not exist is left out, neither found nor unprocessed.
                if let Ok(position) = table_found.find(&values) {
                    found.extend(table_found.partitions().get(position).map(|found| found.to_api(database, table)));
                }
            }
            Ok(json!({ "Partitions": found, "UnprocessedKeys": [] }))
        })
    }

    pub(super) fn update_partition(&self, input: &Input) -> ApiResult {
        let (database, table) = table_of(input)?;
        let values = input.strings("PartitionValueList")?;
        let given = input.object("PartitionInput")?;
        self.change(|catalog| {
            replace(catalog.table_mut(database, table)?, &values, given)?;
            Ok(json!({}))
        })
    }

    pub(super) fn batch_update_partition(&self, input: &Input) -> ApiResult {
        let (database, table) = table_of(input)?;
        let entries = input.array("Entries")?;
        if entries.len() > MAX_UPDATED_AT_ONCE {
            return Err(input.invalid(format!("At most {MAX_UPDATED_AT_ONCE} partitions can be updated at once.")));
        }
        self.change(|catalog| {
            let table = catalog.table_mut(database, table)?;
            let mut errors = Vec::new();
            for entry in entries {
                let entry = Input::from_value(entry, INVALID_INPUT)?;
                let values = entry.strings("PartitionValueList")?;
                // A copy, because one that fails half-way must leave the partition as it was.
                let mut changed = table.clone();
                match replace(&mut changed, &values, entry.object("PartitionInput")?) {
                    Ok(()) => *table = changed,
                    Err(error) => errors.push(json!({ "PartitionValueList": values, "ErrorDetail": detail(&error) })),
                }
            }
            Ok(json!({ "Errors": errors }))
        })
    }

    pub(super) fn delete_partition(&self, input: &Input) -> ApiResult {
        let (database, table) = table_of(input)?;
        let values = input.strings("PartitionValues")?;
        self.change(|catalog| {
            find(catalog, database, table, &values)?;
            catalog.table_mut(database, table)?.partitions.retain(|partition| partition.values != values);
            Ok(json!({}))
        })
    }

    pub(super) fn batch_delete_partition(&self, input: &Input) -> ApiResult {
        let (database, table) = table_of(input)?;
        let wanted = input.array("PartitionsToDelete")?;
        if wanted.len() > MAX_DELETED_AT_ONCE {
            return Err(input.invalid(format!("At most {MAX_DELETED_AT_ONCE} partitions can be deleted at once.")));
        }
        self.change(|catalog| {
            let table = catalog.table_mut(database, table)?;
            let mut errors = Vec::new();
            for wanted in wanted {
                let values = Input::from_value(wanted, INVALID_INPUT)?.strings("Values")?;
                match table.find(&values) {
                    Ok(position) => drop(table.partitions.remove(position)),
                    Err(_) => errors.push(json!({ "PartitionValues": values, "ErrorDetail": detail(&no_partition()) })),
                }
            }
            Ok(json!({ "Errors": errors }))
        })
    }
}

fn table_of(input: &Input) -> Result<(&str, &str), ApiError> {
    Ok((input.string("DatabaseName")?, input.string("TableName")?))
}

fn find<'a>(catalog: &'a Catalog, database: &str, table: &str, values: &[String]) -> Result<&'a Partition, ApiError> {
    let table = catalog.table(database, table)?;
    let position = table.find(values).ok();
    position.and_then(|position| table.partitions.get(position)).ok_or_else(no_partition)
}

fn no_partition() -> ApiError {
    ApiError::new("EntityNotFoundException", "Cannot find partition.")
}

fn detail(error: &ApiError) -> Value {
    json!({ "ErrorCode": error.kind(), "ErrorMessage": error.message() })
}

/// Number and count of the segments that a table's partitions are read in.
fn segment(input: &Input) -> Result<Option<(usize, usize)>, ApiError> {
    if input.get("Segment").is_none() {
        return Ok(None);
    }
    let segment = input.object("Segment")?;
    let number = |name: &str| segment.get(name).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
    let (number, of) = (number("SegmentNumber"), number("TotalSegments").filter(|of| (1..=10).contains(of)));
    match (number, of) {
        (Some(number), Some(of)) if number < of => Ok(Some((number, of))),
        _ => Err(input.invalid("Segment must have a SegmentNumber below its TotalSegments, which are 1 to 10.".to_owned())),
    }
}

/// Puts another definition in a partition's place. Changing its values moves it; leaving them out keeps them.
fn replace(table: &mut Table, values: &[String], given: Input) -> Result<(), ApiError> {
    let position = table.find(values).map_err(|_| no_partition())?;
    let old = table.partitions.remove(position);
    let mut members = given.into_members();
    if members.get("Values").is_none_or(Value::is_null) {
        members.insert("Values".to_owned(), json!(values));
    }
    insert(table, Input::from_value(&Value::Object(members), INVALID_INPUT)?)?.created = old.created;
    Ok(())
}

fn insert(table: &mut Table, given: Input) -> Result<&mut Partition, ApiError> {
    let values = given.strings("Values")?;
    let keys = table.partition_keys().len();
    if values.len() != keys {
        return Err(given
            .invalid(format!("The number of partition keys ({keys}) does not match the number of partition values ({}).", values.len())));
    }
    let Err(position) = table.find(&values) else {
        return Err(ApiError::new("AlreadyExistsException", "Partition already exists."));
    };
    table.partitions.insert(position, Partition { values, definition: given.into_members(), created: now() });
    table.partitions.get_mut(position).ok_or_else(|| ApiError::new("InternalServiceException", "No partition."))
}

/// A partition made from the table's own descriptor, as the crawler makes it; nothing if there is one already.
pub(super) fn insert_from_descriptor(table: &mut Table, values: &[String], location: &str) -> bool {
    let Err(position) = table.find(values) else { return false };
    let mut descriptor = match table.definition.get("StorageDescriptor") {
        Some(Value::Object(descriptor)) => descriptor.clone(),
        _ => Map::new(),
    };
    descriptor.insert("Location".to_owned(), json!(location));
    let mut definition = Map::new();
    definition.insert("Values".to_owned(), json!(values));
    definition.insert("StorageDescriptor".to_owned(), Value::Object(descriptor));
    table.partitions.insert(position, Partition { values: values.to_vec(), definition, created: now() });
    true
}
