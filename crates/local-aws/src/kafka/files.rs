//! Small files that are there whole or not at all.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::error::Error;

/// Writes a file that only its owner can read.
pub(super) fn write(path: &Path, content: &str) -> Result<(), Error> {
    let failed = |source| Error::File { what: "write", path: path.to_owned(), source };
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let written = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary);
    written.and_then(|mut file| file.write_all(content.as_bytes())).map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)
}

/// Reads a file; `None` if it is not there.
pub(super) fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { what: "read", path: path.to_owned(), source }),
    }
}

/// Makes a folder that only its owner can look into, and those above it.
pub(super) fn make_folder(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| Error::File { what: "make the folder", path: path.to_owned(), source })
}

/// Removes a folder, if it is there.
pub(super) fn remove_folder(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::File { what: "remove", path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// Renames a folder into its place.
pub(super) fn put_in_place(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(|source| Error::File { what: "put in place", path: to.to_owned(), source })
}
