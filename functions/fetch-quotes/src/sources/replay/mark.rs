//! How a record says which line of which file it is.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// The record header with a [`Mark`].
pub(crate) const REPLAY_HEADER: &str = "replay";

/// Which file: the first 16 hexadecimal digits of the SHA-256 of its bytes. A copy under another
/// name is the same file; one that was appended to or compressed anew is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileId(Arc<str>);

impl FileId {
    /// Reads the file once, in small pieces.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut hash = Sha256::new();
        let mut piece = vec![0; 64 * 1024];
        loop {
            match file.read(&mut piece)? {
                0 => break,
                n => hash.update(piece.get(..n).unwrap_or_default()),
            }
        }
        let digits: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self(digits.into()))
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A line of a file: `<file>:<line>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The file.
    pub(crate) file: FileId,
    /// The line; the header is line 1.
    pub(crate) line: u64,
}

impl Mark {
    /// The line in a header's value, if it is a mark of `file`. A header is input: anything else is no mark.
    pub(crate) fn line_of(value: &[u8], file: &FileId) -> Option<u64> {
        let (name, line) = std::str::from_utf8(value).ok()?.split_once(':')?;
        if name == &*file.0 { line.parse().ok() } else { None }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_known_by_its_bytes_and_a_mark_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            FileId::of(&path).unwrap()
        };
        let (abc, copy, other) = (write("a", b"abc"), write("b", b"abc"), write("c", &[b'x'; 200_000]));
        // FIPS 180-2's example.
        assert_eq!(abc.to_string(), "ba7816bf8f01cfea");
        assert_eq!(abc, copy);

        let mark = Mark { file: abc.clone(), line: 38_044 }.to_string();
        assert_eq!(mark, "ba7816bf8f01cfea:38044");
        assert_eq!(Mark::line_of(mark.as_bytes(), &abc), Some(38_044));
        assert_eq!(Mark::line_of(mark.as_bytes(), &other), None);
        for text in ["", "ba7816bf8f01cfea", "ba7816bf8f01cfea:", "ba7816bf8f01cfea:-1", "ba7816bf8f01cfea:1:2"] {
            assert_eq!(Mark::line_of(text.as_bytes(), &abc), None, "{text}");
        }
        assert_eq!(Mark::line_of(b"\xff:1", &abc), None);
    }
}
