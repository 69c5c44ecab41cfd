//! Objects that land in a day that is compacted already.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::Client;
use lake_store::{Copied, Store};
use quotes::compaction::{MANIFEST, Manifest, file_name};

use crate::error::Error;

/// Manifests that a warm instance remembers: of more days than are compacted at once.
const REMEMBERED: usize = 4;

/// Adds objects to the folders that compacted days are read from.
#[derive(Debug)]
pub(crate) struct Generations {
    s3: Client,
    /// By bucket and folder. A manifest never changes.
    manifests: Mutex<HashMap<(String, String), Arc<Manifest>>>,
}

impl Generations {
    pub(crate) fn new(s3: Client) -> Self {
        Self { s3, manifests: Mutex::default() }
    }

    /// Copies the objects under `keys` into the generation's `folder`, but for those whose rows are in it already.
    ///
    /// A copy has its object's name, and is made only where there is none: repeats change nothing.
    pub(crate) async fn add(&self, bucket: &str, folder: &str, keys: impl Iterator<Item = &str>) -> Result<(), Error> {
        let store = Store::new(self.s3.clone(), bucket.to_owned());
        let manifest = self.manifest(&store, folder).await?;
        for key in keys.filter(|key| !manifest.covers(key)) {
            match store.copy(key, &format!("{folder}{}", file_name(key))).await? {
                Copied::Done => tracing::info!(key, folder, "Added an object to a day that is compacted already."),
                Copied::Existed => {}
                // Compaction removes only what a later generation covers; if this is still the one that is read, someone else did.
                Copied::NoSource => tracing::warn!(key, folder, "An object was gone before it was added to its compacted day."),
            }
        }
        Ok(())
    }

    /// What was compacted into `folder`. Without it nothing may be copied: rows that are in the parts would double.
    async fn manifest(&self, store: &Store, folder: &str) -> Result<Arc<Manifest>, Error> {
        let name = (store.bucket().to_owned(), folder.to_owned());
        if let Some(manifest) = self.manifests.lock().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return Ok(Arc::clone(manifest));
        }
        let Some((json, _)) = store.get(&format!("{folder}{MANIFEST}")).await? else {
            return Err(Error::NoManifest { bucket: name.0, folder: name.1 });
        };
        let manifest = Manifest::from_json(&json);
        let manifest =
            Arc::new(manifest.map_err(|source| Error::BadManifest { bucket: name.0.clone(), folder: name.1.clone(), source })?);
        let mut manifests = self.manifests.lock().unwrap_or_else(PoisonError::into_inner);
        if manifests.len() >= REMEMBERED {
            manifests.clear();
        }
        manifests.insert(name, Arc::clone(&manifest));
        Ok(manifest)
    }
}
