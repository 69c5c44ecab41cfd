//! One day of the lake and of the catalog, as the protocol sees it.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use lake_store::{Condition, Object, Put, Store, Version};
use quotes::compaction::{MANIFEST, Manifest};
use quotes::keys::{self, LogId};
use serde::Deserialize;

use crate::catalog::Catalog;
use crate::current::{self, Current};
use crate::day::Day;
use crate::error::Error;
use crate::parquet;

/// A day in S3 and Glue.
#[derive(Debug)]
pub(crate) struct LakeDay<'a> {
    /// The lake's bucket.
    pub(crate) store: &'a Store,
    /// The table's partitions.
    pub(crate) catalog: &'a Catalog,
    /// The day.
    pub(crate) date: NaiveDate,
    /// How many bytes of files the function's memory allows.
    pub(crate) limit: u64,
}

/// All that is read of a watermark.
#[derive(Deserialize)]
struct Watermark {
    next: i64,
}

impl LakeDay<'_> {
    fn root(&self) -> String {
        format!("s3://{}/", self.store.bucket())
    }

    async fn put_json(&self, key: &str, json: Vec<u8>, condition: Condition<'_>) -> Result<Put, Error> {
        Ok(self.store.put(key, json, "application/json", HashMap::new(), condition).await?)
    }
}

impl Day for LakeDay<'_> {
    fn date(&self) -> NaiveDate {
        self.date
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    async fn location(&self) -> Result<Option<String>, Error> {
        let Some(location) = self.catalog.location(self.date).await? else { return Ok(None) };
        match location.strip_prefix(&self.root()) {
            Some(folder) => Ok(Some(folder.to_owned())),
            None => Err(Error::Elsewhere { date: self.date, location }),
        }
    }

    async fn lead_to(&self, folder: &str) -> Result<(), Error> {
        self.catalog.lead_to(self.date, &format!("{}{folder}", self.root())).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<Object>, Error> {
        Ok(self.store.list(folder).await?)
    }

    async fn current(&self) -> Result<Option<(Current, Version)>, Error> {
        let key = current::key(self.date);
        let Some((json, version)) = self.store.get(&key).await? else { return Ok(None) };
        let current = serde_json::from_slice(&json).map_err(|source| Error::Unreadable { key, source })?;
        Ok(Some((current, version)))
    }

    async fn swap_current(&self, from: Option<&Version>, to: &Current) -> Result<Option<Version>, Error> {
        let key = current::key(self.date);
        let json = serde_json::to_vec(to).map_err(|error| Error::Encode { what: key.clone(), source: error.into() })?;
        let condition = from.map_or(Condition::Absent, |version| Condition::Version(version));
        match self.put_json(&key, json, condition).await? {
            Put::Written(version) => Ok(Some(version)),
            Put::ConditionFailed => Ok(None),
        }
    }

    async fn manifest(&self, folder: &str) -> Result<Option<Manifest>, Error> {
        let key = format!("{folder}{MANIFEST}");
        let Some((json, _)) = self.store.get(&key).await? else { return Ok(None) };
        Manifest::from_json(&json).map(Some).map_err(|source| Error::Unreadable { key, source })
    }

    async fn put_manifest(&self, folder: &str, manifest: &Manifest) -> Result<(), Error> {
        let key = format!("{folder}{MANIFEST}");
        let json = manifest.to_json().map_err(|error| Error::Encode { what: key.clone(), source: error.into() })?;
        // One that is there says the same: the folder is named by what went in.
        self.put_json(&key, json, Condition::Absent).await.map(drop)
    }

    async fn build(&self, folder: &str, inputs: &[Object]) -> Result<Manifest, Error> {
        let bytes = inputs.iter().map(|input| input.size).sum();
        if bytes > self.limit {
            return Err(Error::TooLarge { date: self.date, bytes, limit: self.limit });
        }
        parquet::build(self.store, folder, inputs).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        Ok(self.store.copy(from, to).await.map(drop)?)
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        Ok(self.store.delete(key).await?)
    }

    async fn next_offset(&self, log: &LogId) -> Result<Option<i64>, Error> {
        let key = keys::state(log);
        let Some((json, _)) = self.store.get(&key).await? else { return Ok(None) };
        let watermark: Watermark = serde_json::from_slice(&json).map_err(|source| Error::Unreadable { key, source })?;
        Ok(Some(watermark.next))
    }
}
