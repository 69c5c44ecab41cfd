//! A queue's file: one JSON line for each thing that happened, written anew from time to time.
//!
//! Each line is one write, so that a killed process leaves at most half a last line, which is left out when the file is
//! read. It is not synced: a queue survives its process, not its machine.

use super::attribute::Attributes;
use super::error::Error;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How many lines may be appended, at least, before the file is written anew.
const REWRITE_AFTER: usize = 1000;

/// One line. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A message as it is: what a rewritten file consists of, and what a new message is.
    Message(Stored),
    /// A message was received.
    Received { id: String, at: u64 },
    /// A message was deleted.
    Deleted { id: String },
}

/// A message as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) sent_at: u64,
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub(super) attributes: Attributes,
    #[serde(default)]
    pub(super) receive_count: u32,
    #[serde(default)]
    pub(super) first_received_at: Option<u64>,
}

pub(super) struct Journal {
    path: PathBuf,
    file: File,
    appended: usize,
}

impl Journal {
    /// Opens or makes the file; gives the messages in it, in the order in which they were sent.
    pub(super) fn open(path: PathBuf) -> Result<(Self, Vec<Stored>), Error> {
        let messages = Self::look(&path)?;
        // Half a last line must go before anything is appended to it.
        let file = rewrite(&path, &messages)?;
        Ok((Self { path, file, appended: 0 }, messages))
    }

    /// The messages in the file, if there is one, in the order in which they were sent.
    pub(super) fn look(path: &Path) -> Result<Vec<Stored>, Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(Error::File { what: "read", path: path.to_owned(), source }),
        };
        replay(&text, path)
    }

    pub(super) fn append(&mut self, entry: &Entry) -> Result<(), Error> {
        let written = line(entry).and_then(|line| self.file.write_all(&line));
        written.map_err(|source| Error::File { what: "write", path: self.path.clone(), source })?;
        self.appended = self.appended.saturating_add(1);
        Ok(())
    }

    /// Whether the file has become much longer than the queue.
    pub(super) fn is_long(&self, messages: usize) -> bool {
        self.appended > REWRITE_AFTER.max(messages.saturating_mul(4))
    }

    pub(super) fn rewrite(&mut self, messages: &[Stored]) -> Result<(), Error> {
        self.file = rewrite(&self.path, messages)?;
        self.appended = 0;
        Ok(())
    }
}

fn line(entry: &Entry) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Ok(line)
}

fn replay(text: &str, path: &Path) -> Result<Vec<Stored>, Error> {
    let mut messages: Vec<Stored> = Vec::new();
    let complete = text.rfind('\n').map_or("", |end| text.split_at(end).0);
    for (index, line) in complete.lines().enumerate() {
        let entry =
            serde_json::from_str(line).map_err(|source| Error::Corrupt { path: path.to_owned(), line: index.saturating_add(1), source })?;
        match entry {
            Entry::Message(message) => messages.push(message),
            Entry::Received { id, at } => {
                if let Some(message) = messages.iter_mut().find(|message| message.id == id) {
                    message.receive_count = message.receive_count.saturating_add(1);
                    message.first_received_at.get_or_insert(at);
                }
            }
            Entry::Deleted { id } => messages.retain(|message| message.id != id),
        }
    }
    Ok(messages)
}

/// Writes a new file beside the old one and puts it in its place; gives it back for appending.
fn rewrite(path: &Path, messages: &[Stored]) -> Result<File, Error> {
    let failed = |source| Error::File { what: "write", path: path.to_owned(), source };
    let temporary = path.with_extension("new");
    let mut text = Vec::new();
    for message in messages {
        text.extend(line(&Entry::Message(message.clone())).map_err(failed)?);
    }
    std::fs::write(&temporary, text).map_err(failed)?;
    std::fs::rename(&temporary, path).map_err(failed)?;
    OpenOptions::new().append(true).open(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Attributes, Entry, Journal, Stored};
    use crate::sqs::Error;
    use std::io::Write;

    fn stored(id: &str) -> Stored {
        let (body, attributes) = (format!("body of {id}"), Attributes::default());
        Stored { id: id.into(), body, sent_at: 1, attributes, receive_count: 0, first_received_at: None }
    }

    #[test]
    fn what_happened_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.jsonl");
        let (mut journal, messages) = Journal::open(path.clone()).unwrap();
        assert_eq!(messages, []);
        for id in ["a", "b", "c"] {
            journal.append(&Entry::Message(stored(id))).unwrap();
        }
        journal.append(&Entry::Received { id: "b".into(), at: 5 }).unwrap();
        journal.append(&Entry::Received { id: "b".into(), at: 9 }).unwrap();
        journal.append(&Entry::Deleted { id: "a".into() }).unwrap();

        let (_, messages) = Journal::open(path).unwrap();
        let received = Stored { receive_count: 2, first_received_at: Some(5), ..stored("b") };
        assert_eq!(messages, [received, stored("c")]);
    }

    #[test]
    fn a_look_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.jsonl");
        assert_eq!(Journal::look(&path).unwrap(), []);
        assert!(!path.exists());
        let (mut journal, _) = Journal::open(path.clone()).unwrap();
        journal.append(&Entry::Message(stored("a"))).unwrap();
        journal.append(&Entry::Received { id: "a".into(), at: 5 }).unwrap();
        let before = std::fs::read(&path).unwrap();
        assert_eq!(Journal::look(&path).unwrap().len(), 1);
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn half_a_last_line_is_left_out_and_does_not_spoil_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.jsonl");
        let (mut journal, _) = Journal::open(path.clone()).unwrap();
        journal.append(&Entry::Message(stored("a"))).unwrap();
        journal.file.write_all(br#"{"message":{"id":"b","bo"#).unwrap();

        let (mut journal, messages) = Journal::open(path.clone()).unwrap();
        assert_eq!(messages, [stored("a")]);
        journal.append(&Entry::Message(stored("c"))).unwrap();
        let (_, messages) = Journal::open(path).unwrap();
        assert_eq!(messages, [stored("a"), stored("c")]);
    }

    #[test]
    fn a_line_that_is_not_ours_is_an_error_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.jsonl");
        std::fs::write(&path, "{\"deleted\":{\"id\":\"x\"}}\nnonsense\n").unwrap();
        assert!(matches!(Journal::open(path), Err(Error::Corrupt { line: 2, .. })));
    }
}
