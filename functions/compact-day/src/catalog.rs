//! Where the table's partitions lead.

use aws_sdk_glue::Client;
use aws_sdk_glue::types::{Partition, PartitionInput, StorageDescriptor};
use chrono::NaiveDate;

use crate::error::Error;

/// The partitions of one Glue table.
#[derive(Debug, Clone)]
pub(crate) struct Catalog {
    glue: Client,
    database: String,
    table: String,
}

impl Catalog {
    pub(crate) fn new(glue: Client, database: String, table: String) -> Self {
        Self { glue, database, table }
    }

    /// The Location of the day's partition, with a slash at its end; `None` where the day is not registered.
    pub(crate) async fn location(&self, date: NaiveDate) -> Result<Option<String>, Error> {
        let Some(partition) = self.partition(date).await? else { return Ok(None) };
        let location = partition.storage_descriptor.and_then(|descriptor| descriptor.location).unwrap_or_default();
        Ok(Some(format!("{}/", location.trim_end_matches('/'))))
    }

    /// Leads the day's partition to `location`: one call, so that a query sees the old place or the new one.
    pub(crate) async fn lead_to(&self, date: NaiveDate, location: &str) -> Result<(), Error> {
        let subject = format!("dt={date}");
        let Some(partition) = self.partition(date).await? else { return Ok(()) };
        // All else stays: the descriptor's columns, what start-crawler noted in the parameters.
        let mut descriptor = partition.storage_descriptor.unwrap_or_else(|| StorageDescriptor::builder().build());
        descriptor.location = Some(location.to_owned());
        let input = PartitionInput::builder()
            .set_values(Some(vec![date.to_string()]))
            .storage_descriptor(descriptor)
            .set_parameters(partition.parameters)
            .build();
        let request = self.glue.update_partition().database_name(&self.database).table_name(&self.table);
        let answer = request.partition_value_list(date.to_string()).partition_input(input).send().await;
        answer.map(drop).map_err(|error| Error::glue("UpdatePartition", subject, error))
    }

    async fn partition(&self, date: NaiveDate) -> Result<Option<Partition>, Error> {
        let request = self.glue.get_partition().database_name(&self.database).table_name(&self.table);
        match request.partition_values(date.to_string()).send().await {
            Ok(answer) => Ok(answer.partition),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_entity_not_found_exception()) => Ok(None),
            Err(error) => Err(Error::glue("GetPartition", format!("dt={date}"), error)),
        }
    }
}
