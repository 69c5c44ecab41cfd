//! The table's partitions in Glue.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_sdk_glue::Client;
use aws_sdk_glue::types::{PartitionInput, StorageDescriptor};
use chrono::{DateTime, SecondsFormat, Utc};

use crate::error::Error;
use crate::partition::Partition;

/// The parameter of a partition that this function registered: when the object landed that it was registered for.
///
/// A crawl is owed until one began at that time or later. The catalog remembers it, because the message that asks for
/// the crawl may come back to another instance, which then finds the partition known.
const REGISTERED_FOR: &str = "tickerlake.registered_for";

/// Partitions that a warm instance remembers: more than the days that are written to at once.
const REMEMBERED: usize = 64;

/// The partitions of one Glue table.
#[derive(Debug)]
pub(crate) struct Catalog {
    glue: Client,
    database: String,
    table: String,
    /// Partitions that are registered where they should be, with what [`Catalog::ensure`] answers about them.
    known: Mutex<HashMap<Partition, Option<DateTime<Utc>>>>,
}

impl Catalog {
    pub(crate) fn new(glue: Client, database: String, table: String) -> Self {
        Self { glue, database, table, known: Mutex::default() }
    }

    /// Makes sure that Athena sees `partition`, whose newest known object landed at `landed_at`.
    ///
    /// Answers since when a crawl is owed for having registered the partition here, now or earlier; `None` if it was
    /// registered by a crawl. Objects that landed later than that need none: the partition is known by then.
    pub(crate) async fn ensure(&self, partition: &Partition, landed_at: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
        if let Some(registered_for) = self.remembered(partition) {
            return Ok(registered_for);
        }
        let registered_for = match self.look_up(partition).await? {
            Some(registered_for) => registered_for,
            None => self.register(partition, landed_at).await?,
        };
        self.remember(partition, registered_for);
        Ok(registered_for)
    }

    /// What Glue has registered, if anything; an error if it has it elsewhere.
    async fn look_up(&self, partition: &Partition) -> Result<Option<Option<DateTime<Utc>>>, Error> {
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
            Err(error) if error.as_service_error().is_some_and(|e| e.is_entity_not_found_exception()) => None,
            Err(error) => return Err(Error::glue("GetPartition", partition.to_string(), error)),
        };
        let Some(found) = found else { return Ok(None) };
        let location = found.storage_descriptor().and_then(StorageDescriptor::location).unwrap_or_default();
        check_location(partition, location)?;
        let registered_for = found.parameters().and_then(|parameters| parameters.get(REGISTERED_FOR));
        Ok(Some(registered_for.and_then(|time| time.parse().ok())))
    }

    /// Registers `partition` with the table's own descriptor, as a crawl would.
    async fn register(&self, partition: &Partition, landed_at: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
        let mut descriptor = self.table_descriptor().await?;
        let table_location = descriptor.location.as_deref().unwrap_or_default().trim_end_matches('/');
        // A notification of another bucket must not lead the table there.
        check_location(partition, &format!("{table_location}/{partition}"))?;
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
                Ok(Some(landed_at))
            }
            // Another invocation or a crawl came first, or an earlier try of the SDK did: what they wrote holds.
            Err(error) if error.as_service_error().is_some_and(|e| e.is_already_exists_exception()) => {
                Ok(self.look_up(partition).await?.flatten())
            }
            Err(error) if error.as_service_error().is_some_and(|e| e.is_entity_not_found_exception()) => Err(self.no_table(error)),
            Err(error) => Err(Error::glue("CreatePartition", partition.to_string(), error)),
        }
    }

    async fn table_descriptor(&self) -> Result<StorageDescriptor, Error> {
        match self.glue.get_table().database_name(&self.database).name(&self.table).send().await {
            Ok(answer) => {
                Ok(answer.table.and_then(|table| table.storage_descriptor).unwrap_or_else(|| StorageDescriptor::builder().build()))
            }
            Err(error) if error.as_service_error().is_some_and(|e| e.is_entity_not_found_exception()) => Err(self.no_table(error)),
            Err(error) => Err(Error::glue("GetTable", format!("{}.{}", self.database, self.table), error)),
        }
    }

    fn no_table(&self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::NoTable { database: self.database.clone(), table: self.table.clone(), source: Box::new(source) }
    }

    fn remembered(&self, partition: &Partition) -> Option<Option<DateTime<Utc>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(partition).copied()
    }

    fn remember(&self, partition: &Partition, registered_for: Option<DateTime<Utc>>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(partition.clone(), registered_for);
    }
}

/// Whether `location`, with or without a slash at its end, is where the objects of `partition` lie.
fn check_location(partition: &Partition, location: &str) -> Result<(), Error> {
    let expected = partition.location();
    if location.trim_end_matches('/') == expected.trim_end_matches('/') {
        return Ok(());
    }
    Err(Error::OtherLocation { partition: partition.to_string(), expected, found: location.to_owned() })
}
