//! How many records lie in quarantine.

use aws_sdk_s3::Client;
use chrono::NaiveDate;
use quotes::keys::QUARANTINE_PREFIX;

use crate::error::Error;

/// Counting ends here: by then it is the poison's source that must be looked at, not the count.
const ENOUGH: u64 = 100_000;

/// The quarantine of one bucket.
#[derive(Debug)]
pub(crate) struct Quarantine {
    s3: Client,
    bucket: String,
}

impl Quarantine {
    pub(crate) fn new(s3: Client, bucket: String) -> Self {
        Self { s3, bucket }
    }

    /// The records whose Kafka time is of this day in New York, by their objects' names: at the most [`ENOUGH`] and a page.
    /// One whose offset has a row too counts here, though it is void: telling them apart takes `tickerlake audit`.
    pub(crate) async fn count(&self, day: NaiveDate) -> Result<u64, Error> {
        let prefix = format!("{QUARANTINE_PREFIX}dt={day}/");
        let mut pages = self.s3.list_objects_v2().bucket(&self.bucket).prefix(&prefix).into_paginator().send();
        let mut count = 0;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::call("ListObjectsV2", format!("s3://{}/{prefix}", self.bucket), error))?;
            let objects = page.contents.unwrap_or_default();
            // A mark that a record was replayed lies beside it under another ending.
            count += objects.iter().filter(|object| object.key().is_some_and(|key| key.ends_with(".json"))).count() as u64;
            if count >= ENOUGH {
                tracing::warn!(count, %day, "There are so many records in quarantine that they were not all counted.");
                break;
            }
        }
        Ok(count)
    }
}
