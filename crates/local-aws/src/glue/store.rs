//! The catalog's file.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::catalog::Catalog;
use super::error::GlueError;

/// `catalog.json` in its folder.
pub(super) struct CatalogFile {
    folder: PathBuf,
    path: PathBuf,
}

impl CatalogFile {
    /// Makes the folder, but no file yet.
    pub(super) fn in_folder(folder: &Path) -> Result<Self, GlueError> {
        fs::create_dir_all(folder).map_err(|source| GlueError::File { path: folder.to_owned(), source })?;
        Ok(Self { folder: folder.to_owned(), path: folder.join("catalog.json") })
    }

    /// What was saved last; an empty catalog if nothing was.
    pub(super) fn load(&self) -> Result<Catalog, GlueError> {
        let content = match fs::read(&self.path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Catalog::default()),
            Err(source) => return Err(GlueError::File { path: self.path.clone(), source }),
        };
        serde_json::from_slice(&content).map_err(|source| GlueError::Damaged { path: self.path.clone(), source })
    }

    /// Replaces the file: after a crash at any moment it holds either the old catalog or the new one.
    pub(super) fn save(&self, catalog: &Catalog) -> Result<(), GlueError> {
        self.replace(catalog).map_err(|source| GlueError::File { path: self.path.clone(), source })
    }

    fn replace(&self, catalog: &Catalog) -> io::Result<()> {
        let temporary = self.folder.join("catalog.json.new");
        let mut file = File::create(&temporary)?;
        file.write_all(&serde_json::to_vec_pretty(catalog)?)?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        // The rename itself is durable only once the folder is.
        File::open(&self.folder)?.sync_all()
    }
}
