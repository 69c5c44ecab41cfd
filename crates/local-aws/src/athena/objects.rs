//! The objects that a query leaves in S3: its result, what describes it, and the files that it writes.

use std::path::{Path, PathBuf};

use super::columns::ColumnInfo;
use super::failure::Failure;
use super::result_metadata;
use super::running::Running;
use crate::s3::S3Location;

/// Puts a query's objects.
pub(super) struct Objects<'a> {
    running: &'a Running<'a>,
}

impl<'a> Objects<'a> {
    pub(super) fn new(running: &'a Running<'a>) -> Self {
        Self { running }
    }

    /// A local file of this query's own, which is gone when it is dropped.
    pub(super) fn part(&self, name: &str) -> PartFile {
        PartFile(self.running.service.folder.join(format!("{}{name}.part", self.running.id)))
    }

    /// Makes a finished local file an object, below the request's output location; answers its key.
    pub(super) async fn put_result(&self, name: &str, content_type: &str, file: &Path) -> Result<String, Failure> {
        self.put_file(&self.running.request.output, name, content_type, file).await
    }

    /// Makes a finished local file an object in a folder; answers its key.
    pub(super) async fn put_file(&self, folder: &S3Location, name: &str, content_type: &str, file: &Path) -> Result<String, Failure> {
        let key = folder.key(name);
        let put = self.running.service.store.put_file(folder.bucket(), &key, content_type, file).await;
        put.map_err(|source| Failure::Store { location: folder.to_string(), source })?;
        Ok(key)
    }

    /// Puts a small object below the request's output location.
    pub(super) async fn put_bytes(&self, name: &str, content_type: &str, content: &[u8]) -> Result<(), Failure> {
        let part = self.part("-small");
        std::fs::write(&part.0, content)?;
        self.put_result(name, content_type, &part.0).await?;
        Ok(())
    }

    /// Puts the object that describes the result's columns.
    pub(super) async fn put_metadata(&self, columns: &[ColumnInfo]) -> Result<(), Failure> {
        let name = self.running.request.kind.metadata_name(self.running.id);
        self.put_bytes(&name, "application/octet-stream", &result_metadata::encode(self.running.id, columns)).await
    }

    /// Puts the list of the files written; answers its address.
    pub(super) async fn put_manifest(&self, files: &[String]) -> Result<String, Failure> {
        let name = format!("{}-manifest.csv", self.running.id);
        let lines: String = files.iter().map(|file| format!("{file}\n")).collect();
        self.put_bytes(&name, "text/csv", lines.as_bytes()).await?;
        Ok(format!("{}{name}", self.running.request.output))
    }
}

/// A file that is gone when the query has ended, cancelled or not.
#[derive(Debug)]
pub(super) struct PartFile(PathBuf);

impl PartFile {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::debug!(%error, path = %self.0.display(), "A result's file was left behind.");
        }
    }
}
