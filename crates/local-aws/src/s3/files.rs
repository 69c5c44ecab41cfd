//! Objects seen as the plain files that they are: what the crawler and the query engine list.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::S3Location;

/// A file in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredFile {
    /// The object's key.
    pub(crate) key: String,
    /// Where its bytes lie.
    pub(crate) path: PathBuf,
    /// Bytes.
    pub(crate) size: u64,
    /// When it was last written.
    pub(crate) modified: SystemTime,
}

/// The files under a folder and its subfolders, sorted by key, without those that Trino hides: any part of the name
/// below the folder beginning with `_` or `.`. A folder that does not exist is an empty one, as in S3.
pub(crate) fn visible_files(root: &Path, location: &S3Location) -> io::Result<Vec<StoredFile>> {
    let mut found = Vec::new();
    let mut folders = vec![(location.prefix().to_owned(), root.join(location.bucket()).join(location.prefix()))];
    while let Some((prefix, folder)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !name.starts_with(['_', '.'])) else { continue };
            // An object that is deleted while it is listed is simply not there.
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let key = format!("{prefix}{name}");
            if metadata.is_dir() {
                folders.push((format!("{key}/"), entry.path()));
            } else {
                found.push(StoredFile { key, path: entry.path(), size: metadata.len(), modified: metadata.modified()? });
            }
        }
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}

/// Every file below a bucket, hidden ones too: what S3 itself would list.
pub(super) fn all_files(bucket: &Path) -> io::Result<Vec<StoredFile>> {
    let mut found = Vec::new();
    let mut folders = vec![(String::new(), bucket.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let key = format!("{prefix}{name}");
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push((format!("{key}/"), entry.path()));
            } else {
                found.push(StoredFile { key, path: entry.path(), size: metadata.len(), modified: metadata.modified()? });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn hidden_files_and_other_folders_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        for key in [
            "quotes/dt=2013-10-07/b.parquet",
            "quotes/dt=2013-10-07/a.parquet",
            "quotes/dt=2013-10-07/_SUCCESS",
            "quotes/dt=2013-10-07/.part",
            "quotes/_temporary/x.parquet",
            "quotes-old/x.parquet",
        ] {
            let path = root.path().join("lake").join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, key).unwrap();
        }
        let keys = |location: &str| -> Vec<String> {
            let files = visible_files(root.path(), &location.parse().unwrap()).unwrap();
            files.into_iter().map(|file| file.key).collect()
        };
        assert_eq!(keys("s3://lake/quotes/"), ["quotes/dt=2013-10-07/a.parquet", "quotes/dt=2013-10-07/b.parquet"]);
        assert_eq!(keys("s3://lake/quotes/dt=2013-10-08/"), Vec::<String>::new());
        assert_eq!(keys("s3://nowhere/"), Vec::<String>::new());
    }
}
