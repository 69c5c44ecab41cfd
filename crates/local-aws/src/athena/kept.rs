//! What clients save: in memory, and in one JSON file beside the results under way.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AthenaError;
use crate::protocol::ApiError;

/// A value that outlives the process.
#[derive(Debug)]
pub(super) struct Kept<T> {
    /// Its name in messages, in the plural.
    what: &'static str,
    path: PathBuf,
    value: Mutex<T>,
}

impl<T: Clone + Default + Serialize + DeserializeOwned> Kept<T> {
    /// What the folder's file holds; nothing yet if there is none.
    pub(super) fn open(folder: &Path, file: &str, what: &'static str) -> Result<Self, AthenaError> {
        let path = folder.join(file);
        let value = match fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
            Err(error) => Err(error),
        };
        let value = value.map_err(|source| AthenaError::Folder { path: path.clone(), source })?;
        Ok(Self { what, path, value: Mutex::new(value) })
    }

    /// The value, to be read.
    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the value, in the file first. A change that is refused changes nothing.
    pub(super) fn change<A>(&self, change: impl FnOnce(&mut T) -> Result<A, ApiError>) -> Result<A, ApiError> {
        let mut value = self.lock();
        let mut next = value.clone();
        let answer = change(&mut next)?;
        self.save(&next).map_err(|error| {
            tracing::error!(%error, path = %self.path.display(), "The {} could not be written.", self.what);
            ApiError::new("InternalServerException", format!("The {} could not be written.", self.what))
        })?;
        *value = next;
        Ok(answer)
    }

    fn save(&self, value: &T) -> io::Result<()> {
        let temporary = self.path.with_extension("json.new");
        fs::write(&temporary, serde_json::to_vec_pretty(value)?)?;
        fs::rename(&temporary, &self.path)
    }
}
