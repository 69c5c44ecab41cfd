//! What a `kill -9` leaves half done, settled before the store opens.
//!
//! s3s-fs renames the data into place, then writes the attributes, then the ETag. Killed in between, a new object has
//! no ETag, and an overwritten one has the new data under the old ETag, so that a compare-and-swap from the old
//! content would succeed. Neither write was acknowledged, so S3 could have kept either content: a new object is
//! removed, an overwritten one gets the ETag of the data that is there.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use s3s::crypto::{Checksum as _, Md5};

use super::files::{StoredFile, all_files};
use super::sidecar::{self, Sidecar};

/// What was done at start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Objects whose first write was cut off: they were never acknowledged, and are gone.
    pub removed: u64,
    /// Objects whose overwriting was cut off: they keep the new data and have got its ETag.
    pub repaired: u64,
}

/// Settles every object under `root`, where no store may be open.
pub(super) fn recover(root: &Path) -> io::Result<Recovered> {
    let mut recovered = Recovered::default();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if entry.file_type()?.is_dir() {
            for file in all_files(&entry.path())? {
                settle(root, name, &file, &mut recovered)?;
            }
        } else if let Some((bucket, key)) = sidecar::object_of(name)
            && !root.join(&bucket).join(&key).is_file()
        {
            // Deleted, but not to the end.
            sidecar::remove(root, &bucket, &key)?;
        }
    }
    if recovered != Recovered::default() {
        tracing::info!(removed = recovered.removed, repaired = recovered.repaired, "Settled the objects whose writing was cut off.");
    }
    Ok(recovered)
}

fn settle(root: &Path, bucket: &str, file: &StoredFile, recovered: &mut Recovered) -> io::Result<()> {
    let internal = Sidecar::Internal.path(root, bucket, &file.key);
    let Some(written) = modified(&internal)? else {
        fs::remove_file(&file.path)?;
        sidecar::remove(root, bucket, &file.key)?;
        recovered.removed += 1;
        return Ok(());
    };
    // A finished write leaves the ETag no older than the data, so only a file that is as young or younger is read.
    if file.modified < written {
        return Ok(());
    }
    let Some(etag) = sidecar::etag(root, bucket, &file.key)? else { return Ok(()) };
    let actual = md5(&file.path)?;
    // The ETag of a multipart upload is no digest of the data; then only the order of the two times tells.
    let stale = if etag.contains('-') { file.modified > written } else { etag != actual };
    if stale {
        let attributes = Sidecar::Attributes.path(root, bucket, &file.key);
        if modified(&attributes)?.is_some_and(|time| time < file.modified) {
            fs::remove_file(attributes)?;
        }
        sidecar::set_etag(root, bucket, &file.key, &actual)?;
        recovered.repaired += 1;
    }
    Ok(())
}

fn modified(path: &Path) -> io::Result<Option<SystemTime>> {
    match fs::metadata(path) {
        Ok(metadata) => metadata.modified().map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn md5(path: &Path) -> io::Result<String> {
    let mut hash = Md5::new();
    let mut file = fs::File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = io::Read::read(&mut file, &mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        hash.update(bytes);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ABC: &str = "900150983cd24fb0d6963f7d28e17f72";

    fn object(root: &Path, key: &str, content: &str) {
        let path = root.join("lake").join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn age(path: &Path, seconds: u64) {
        let time = SystemTime::now() - Duration::from_secs(seconds);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn a_new_object_without_an_etag_is_removed() {
        let root = tempfile::tempdir().unwrap();
        object(root.path(), "quotes/a", "abc");
        fs::write(Sidecar::Attributes.path(root.path(), "lake", "quotes/a"), "{}").unwrap();
        assert_eq!(recover(root.path()).unwrap(), Recovered { removed: 1, repaired: 0 });
        assert!(!root.path().join("lake/quotes/a").exists());
        assert!(!Sidecar::Attributes.path(root.path(), "lake", "quotes/a").exists());
    }

    #[test]
    fn an_overwritten_object_gets_the_etag_of_its_data_and_loses_older_attributes() {
        let root = tempfile::tempdir().unwrap();
        sidecar::set_etag(root.path(), "lake", "state", "00000000000000000000000000000000").unwrap();
        let attributes = Sidecar::Attributes.path(root.path(), "lake", "state");
        fs::write(&attributes, "{}").unwrap();
        age(&Sidecar::Internal.path(root.path(), "lake", "state"), 60);
        age(&attributes, 60);
        object(root.path(), "state", "abc");

        assert_eq!(recover(root.path()).unwrap(), Recovered { removed: 0, repaired: 1 });
        assert_eq!(sidecar::etag(root.path(), "lake", "state").unwrap().as_deref(), Some(ABC));
        assert!(!attributes.exists());
        assert_eq!(recover(root.path()).unwrap(), Recovered::default());
    }

    #[test]
    fn a_finished_object_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        object(root.path(), "one", "abc");
        sidecar::set_etag(root.path(), "lake", "one", ABC).unwrap();
        object(root.path(), "many-parts", "abc");
        sidecar::set_etag(root.path(), "lake", "many-parts", "0123-2").unwrap();
        assert_eq!(recover(root.path()).unwrap(), Recovered::default());
        assert_eq!(sidecar::etag(root.path(), "lake", "many-parts").unwrap().as_deref(), Some("0123-2"));
    }

    #[test]
    fn sidecars_of_a_deleted_object_go_too() {
        let root = tempfile::tempdir().unwrap();
        sidecar::set_etag(root.path(), "lake", "gone", ABC).unwrap();
        recover(root.path()).unwrap();
        assert_eq!(sidecar::etag(root.path(), "lake", "gone").unwrap(), None);
    }
}
