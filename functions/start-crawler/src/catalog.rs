//! The table's partitions in Glue.

use aws_sdk_glue::Client;
use aws_sdk_glue::types::{PartitionInput, StorageDescriptor};
use chrono::{DateTime, SecondsFormat, Utc};

use crate::error::Error;
use crate::partition::{Partition, Place};

/// The parameter of a partition that this function registered: when the object landed that it was registered for.
///
/// A crawl is owed until one that began at that time or later succeeded. The catalog remembers it, because the message
/// that asks for the crawl may come back to another instance, which then finds the partition known.
const REGISTERED_FOR: &str = "tickerlake.registered_for";

/// The partitions of one Glue table.
///
/// What Glue says is not remembered from one invocation to the next: a table can be dropped, and compaction moves
/// partitions. One look a batch and day is within Glue's free million of requests a month.
#[derive(Debug)]
pub(crate) struct Catalog {
    glue: Client,
    database: String,
    table: String,
}

/// A partition as Glue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registered {
    /// Where Athena looks for its objects.
    pub(crate) place: Place,
    /// When the object landed that this function registered the partition for; `None` if someone else did, such as a crawl.
    /// Objects that landed later need no crawl: the partition was known by then.
    pub(crate) registered_for: Option<DateTime<Utc>>,
}

impl Catalog {
    pub(crate) fn new(glue: Client, database: String, table: String) -> Self {
        Self { glue, database, table }
    }

    /// The partition as Glue has it, registered now for an object that landed at `landed_at` if need be.
    pub(crate) async fn ensure(&self, partition: &Partition, landed_at: DateTime<Utc>) -> Result<Registered, Error> {
        if let Some(found) = self.look_up(partition).await? {
            return Ok(found);
        }
        if let Some(made) = self.register(partition, landed_at).await? {
            return Ok(made);
        }
        // Another invocation or a crawl came first, or an earlier try of the SDK did: what they wrote holds.
        self.look_up(partition).await?.ok_or_else(|| Error::Unsettled { partition: partition.to_string() })
    }

    async fn look_up(&self, partition: &Partition) -> Result<Option<Registered>, Error> {
        let answer = self
            .glue
            .get_partition()
            .database_name(&self.database)
            .table_name(&self.table)
            .partition_values(partition.value())
            .send()
            .await;
        let found = match answer {
            Ok(answer) => answer.partition,
            // Of the partition or of the table: if it is the table, GetTable says so.
            Err(error) if error.as_service_error().is_some_and(|e| e.is_entity_not_found_exception()) => None,
            Err(error) => return Err(Error::call("GetPartition", partition.to_string(), error)),
        };
        let Some(found) = found else { return Ok(None) };
        let location = found.storage_descriptor().and_then(StorageDescriptor::location).unwrap_or_default();
        let place = partition.place(location).ok_or_else(|| other_location(partition, location.to_owned()))?;
        let registered_for = found.parameters().and_then(|parameters| parameters.get(REGISTERED_FOR));
        Ok(Some(Registered { place, registered_for: registered_for.and_then(|time| time.parse().ok()) }))
    }

    /// Registers `partition` with the table's own descriptor, as a crawl would; `None` if it has been meanwhile.
    async fn register(&self, partition: &Partition, landed_at: DateTime<Utc>) -> Result<Option<Registered>, Error> {
        let mut descriptor = self.table_descriptor().await?;
        let location = format!("{}/{partition}", descriptor.location.as_deref().unwrap_or_default().trim_end_matches('/'));
        // A notification of another bucket must not lead the table there.
        if partition.place(&location) != Some(Place::Original) {
            return Err(other_location(partition, location));
        }
        descriptor.location = Some(partition.location());
        let input = PartitionInput::builder()
            .values(partition.value())
            .storage_descriptor(descriptor)
            .parameters("classification", "parquet")
            .parameters(REGISTERED_FOR, landed_at.to_rfc3339_opts(SecondsFormat::Millis, true))
            .build();
        let answer = self.glue.create_partition().database_name(&self.database).table_name(&self.table).partition_input(input).send().await;
        match answer {
            Ok(_) => {
                tracing::info!(%partition, "Registered a new partition.");
                Ok(Some(Registered { place: Place::Original, registered_for: Some(landed_at) }))
            }
            Err(error) if error.as_service_error().is_some_and(|e| e.is_already_exists_exception()) => Ok(None),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_entity_not_found_exception()) => Err(self.no_table(error)),
            Err(error) => Err(Error::call("CreatePartition", partition.to_string(), error)),
        }
    }

    async fn table_descriptor(&self) -> Result<StorageDescriptor, Error> {
        match self.glue.get_table().database_name(&self.database).name(&self.table).send().await {
            Ok(answer) => {
                Ok(answer.table.and_then(|table| table.storage_descriptor).unwrap_or_else(|| StorageDescriptor::builder().build()))
            }
            Err(error) if error.as_service_error().is_some_and(|e| e.is_entity_not_found_exception()) => Err(self.no_table(error)),
            Err(error) => Err(Error::call("GetTable", format!("{}.{}", self.database, self.table), error)),
        }
    }

    fn no_table(&self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::NoTable { database: self.database.clone(), table: self.table.clone(), source: Box::new(source) }
    }
}

fn other_location(partition: &Partition, found: String) -> Error {
    Error::OtherLocation { partition: partition.to_string(), expected: partition.location(), found }
}
