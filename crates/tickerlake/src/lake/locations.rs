//! Where readers of each day are led.

use std::collections::BTreeMap;

use quotes::schema;

use super::{Lake, aws};
use crate::failure::Failure;

impl Lake {
    /// The folder of each day in the catalog, `YYYY-MM-DD`, as a key prefix with a slash at its end; `None` for one that lies outside
    /// of the lake's bucket.
    pub(crate) async fn folders(&self) -> Result<BTreeMap<String, Option<String>>, Failure> {
        let root = format!("s3://{}/", self.bucket);
        let mut found = BTreeMap::new();
        let request = self.glue.get_partitions().database_name(&self.database).table_name(schema::TABLE);
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws("cannot list the table's partitions", &error))?;
            for partition in page.partitions.unwrap_or_default() {
                let location = partition.storage_descriptor.and_then(|descriptor| descriptor.location).unwrap_or_default();
                let folder = location.strip_prefix(&root).map(|folder| format!("{}/", folder.trim_end_matches('/')));
                if let Some(day) = partition.values.and_then(|values| values.into_iter().next()) {
                    found.insert(day, folder);
                }
            }
        }
        Ok(found)
    }
}
