//! The cluster's id, made once and kept beside the log.

use super::error::Error;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::io;
use std::path::Path;
use uuid::Uuid;

/// The id in the file, or a new one that is there from now on: a random uuid as 22 characters of base64url, as Kafka makes them.
pub(crate) fn load(path: &Path) -> Result<String, Error> {
    let failed = |what, source| Error::File { what, path: path.to_owned(), source };
    match std::fs::read_to_string(path) {
        Ok(text) => match text.trim_end() {
            id if is_cluster_id(id) => Ok(id.to_owned()),
            _ => Err(Error::ClusterId { path: path.to_owned() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = random_id();
            // Renamed into place: half an id would lock the log away.
            let temporary = path.with_extension("new");
            std::fs::write(&temporary, format!("{id}\n")).map_err(|source| failed("write", source))?;
            std::fs::rename(&temporary, path).map_err(|source| failed("write", source))?;
            Ok(id)
        }
        Err(source) => Err(failed("read", source)),
    }
}

/// An id in Kafka's form.
pub(crate) fn random_id() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes())
}

fn is_cluster_id(text: &str) -> bool {
    text.len() == 22 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Error, is_cluster_id, load};

    #[test]
    fn an_id_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cluster-id");
        let made = load(&path).unwrap();
        assert!(is_cluster_id(&made), "{made}");
        assert_eq!(load(&path).unwrap(), made);
        std::fs::write(&path, "short\n").unwrap();
        assert!(matches!(load(&path), Err(Error::ClusterId { .. })));
    }
}
