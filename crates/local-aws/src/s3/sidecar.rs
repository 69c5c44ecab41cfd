//! The two files that s3s-fs keeps beside the buckets for each object, by the names that it gives them
//! (s3s-fs 0.14.1, `fs.rs`; the version is pinned for this reason).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// A file system's limit for one name.
const MAX_FILE_NAME: usize = 255;

/// The longer of the two names of an object that was put whole.
const SUFFIX: &str = ".metadata.json";
/// The longest name that s3s-fs makes for an object: its attributes during a multipart upload.
const SUFFIX_IN_PARTS: &str = ".upload-00000000-0000-0000-0000-000000000000.metadata.json";

/// How an object comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upload {
    /// In one request.
    Whole,
    /// By a multipart upload.
    InParts,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sidecar {
    /// User metadata, content type and the like. Written after the data, before [`Sidecar::Internal`].
    Attributes,
    /// ETag and checksums. Written last: an object without it was never acknowledged.
    Internal,
}

impl Sidecar {
    fn suffix(self) -> &'static str {
        match self {
            Self::Attributes => ".metadata.json",
            Self::Internal => ".internal.json",
        }
    }

    /// Where it lies.
    pub(super) fn path(self, root: &Path, bucket: &str, key: &str) -> PathBuf {
        root.join(format!("{}{}", stem(bucket, key), self.suffix()))
    }
}

fn stem(bucket: &str, key: &str) -> String {
    format!(".bucket-{}.object-{}", URL_SAFE_NO_PAD.encode(bucket), URL_SAFE_NO_PAD.encode(key))
}

/// Whether names of this length fit into the file system.
pub(super) fn fits(bucket: &str, key: &str, upload: Upload) -> bool {
    let suffix = match upload {
        Upload::Whole => SUFFIX,
        Upload::InParts => SUFFIX_IN_PARTS,
    };
    stem(bucket, key).len() + suffix.len() <= MAX_FILE_NAME && key.split('/').all(|part| part.len() <= MAX_FILE_NAME)
}

/// Bucket and key of a sidecar's file name; nothing for any other file (uploads under way among them).
pub(super) fn object_of(file_name: &str) -> Option<(String, String)> {
    let stem = [Sidecar::Attributes, Sidecar::Internal].iter().find_map(|kind| file_name.strip_suffix(kind.suffix()))?;
    let (bucket, key) = stem.strip_prefix(".bucket-")?.split_once(".object-")?;
    let decode = |text: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok();
    Some((decode(bucket)?, decode(key)?))
}

/// The ETag without quotes. Nothing if the object has no sidecar or if it says none.
pub(super) fn etag(root: &Path, bucket: &str, key: &str) -> io::Result<Option<String>> {
    let content = match fs::read(Sidecar::Internal.path(root, bucket, key)) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let info: Map<String, Value> = serde_json::from_slice(&content)?;
    Ok(info.get("e_tag").and_then(Value::as_str).map(str::to_owned))
}

/// Writes an ETag, dropping the checksums that belonged to other data.
pub(super) fn set_etag(root: &Path, bucket: &str, key: &str, etag: &str) -> io::Result<()> {
    let path = Sidecar::Internal.path(root, bucket, key);
    let temporary = root.join(".tmp.recovery.internal.part");
    fs::write(&temporary, serde_json::to_vec(&serde_json::json!({ "e_tag": etag }))?)?;
    fs::rename(temporary, path)
}

/// Removes both, if they are there.
pub(super) fn remove(root: &Path, bucket: &str, key: &str) -> io::Result<()> {
    for kind in [Sidecar::Internal, Sidecar::Attributes] {
        match fs::remove_file(kind.path(root, bucket, key)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sidecar_names_its_object() {
        for kind in [Sidecar::Attributes, Sidecar::Internal] {
            let path = kind.path(Path::new("/data"), "lake", "quotes/dt=2026-11-23/ü.parquet");
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            assert_eq!(object_of(name), Some(("lake".to_owned(), "quotes/dt=2026-11-23/ü.parquet".to_owned())));
        }
    }

    #[test]
    fn other_files_are_no_sidecars() {
        for name in [
            ".upload-6c1f.json",
            ".bucket-bGFrZQ.object-YQ.upload-6c1f.metadata.json",
            ".tmp.3.internal.part",
            ".bucket-bGFrZQ.internal.json",
        ] {
            assert_eq!(object_of(name), None, "{name}");
        }
    }

    #[test]
    fn the_projects_longest_key_fits() {
        let bucket = "tickerlake-lake-000000000000-us-east-1";
        // A record whose offset was used before, and which has been produced again.
        let key = "quarantine/dt=2026-11-23/c-0123456789abcdefghijkl-quotes-00000-00000000000000000000-at-1795464695781.replayed";
        assert!(fits(bucket, key, Upload::Whole), "{}", key.len());
        let key = "quotes/dt=2026-11-23/c-0123456789abcdefghijkl-quotes-00000-00000000000000000000.parquet";
        assert!(fits(bucket, key, Upload::InParts), "{}", key.len());
        assert!(!fits(bucket, &"k".repeat(250), Upload::Whole));
    }
}
