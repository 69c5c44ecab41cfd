//! A standard queue.

use super::attribute::Attributes;
use super::error::Error;
use super::journal::{Entry, Journal, Stored};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

/// What a queue is.
#[derive(Debug, Clone)]
pub struct QueueConfig {
    /// Its name, also of its file.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// How long a received message stays hidden. The template's, or shorter for a local run.
    pub visibility_timeout: Duration,
}

/// Where messages go that were received too often.
#[derive(Clone)]
pub struct Redrive {
    /// The dead-letter queue.
    pub dead_letter_queue: Queue,
    /// A message that was received this often is moved instead of being received again.
    pub max_receive_count: u32,
}

/// How many messages a queue has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that can be received now.
    pub visible: usize,
    /// Messages that were received and are hidden.
    pub in_flight: usize,
    /// Messages in the dead-letter queue, if there is one.
    pub dead: usize,
}

/// A message that was received and is hidden from others for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The message's id.
    pub id: String,
    /// What it is deleted with. Valid until it is received again.
    pub receipt_handle: String,
    /// Its text.
    pub body: String,
    /// What its sender said of it.
    pub attributes: Attributes,
    /// How often it was received, this time included.
    pub receive_count: u32,
    /// When it was sent, in milliseconds since 1970.
    pub sent_at: u64,
    /// When it was first received, in milliseconds since 1970.
    pub first_received_at: u64,
}

/// A queue. Clones are the same queue.
#[derive(Clone)]
pub struct Queue(Arc<Inner>);

struct Inner {
    config: QueueConfig,
    redrive: Option<Redrive>,
    state: Mutex<State>,
    /// Counts changes, for those who wait for one.
    changes: watch::Sender<u64>,
}

struct State {
    journal: Journal,
    /// In the order in which they were sent.
    messages: Vec<Message>,
}

struct Message {
    stored: Stored,
    receipt_handle: Option<String>,
    visible_at: Option<Instant>,
}

impl Message {
    fn new(stored: Stored) -> Self {
        Self { stored, receipt_handle: None, visible_at: None }
    }

    fn is_visible(&self, now: Instant) -> bool {
        self.visible_at.is_none_or(|at| at <= now)
    }
}

/// How many messages the queue in `<folder>/<name>.jsonl` has, hidden ones included. Only looks: its owner may be at work.
pub fn messages_in(folder: &Path, name: &str) -> Result<usize, Error> {
    Ok(Journal::look(&folder.join(format!("{name}.jsonl")))?.len())
}

impl Queue {
    /// Opens the queue in `<folder>/<name>.jsonl`, with the messages that it had.
    pub fn open(folder: &Path, config: QueueConfig, redrive: Option<Redrive>) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(|source| Error::File { what: "make the folder of", path: folder.to_owned(), source })?;
        let (journal, messages) = Journal::open(folder.join(format!("{}.jsonl", config.name)))?;
        let messages = messages.into_iter().map(Message::new).collect();
        let (changes, _) = watch::channel(0);
        Ok(Self(Arc::new(Inner { config, redrive, state: Mutex::new(State { journal, messages }), changes })))
    }

    /// The queue's name.
    pub fn name(&self) -> &str {
        &self.0.config.name
    }

    /// The queue's ARN.
    pub fn arn(&self) -> &str {
        &self.0.config.arn
    }

    /// How long a received message stays hidden.
    pub fn visibility_timeout(&self) -> Duration {
        self.0.config.visibility_timeout
    }

    /// Sends a message without attributes; gives its id.
    pub fn send(&self, body: impl Into<String>) -> Result<String, Error> {
        self.send_with(body, Attributes::default())
    }

    /// Sends a message; gives its id.
    pub fn send_with(&self, body: impl Into<String>, attributes: Attributes) -> Result<String, Error> {
        let id = Uuid::new_v4().to_string();
        let (sent_at, body) = (unix_millis(), body.into());
        self.adopt(Stored { id: id.clone(), body, sent_at, attributes, receive_count: 0, first_received_at: None })?;
        Ok(id)
    }

    /// Receives up to `max` visible messages and hides them. Their bodies have up to `max_bytes` together, but one message always
    /// passes. Messages that were received too often are moved to the dead-letter queue on the way.
    pub fn receive(&self, max: usize, max_bytes: usize) -> Result<Vec<ReceivedMessage>, Error> {
        self.redrive()?;
        let now = Instant::now();
        let at = unix_millis();
        let mut received: Vec<ReceivedMessage> = Vec::new();
        let mut bytes = 0_usize;
        let mut state = self.state();
        let State { journal, messages } = &mut *state;
        for message in messages.iter_mut().filter(|message| message.is_visible(now)) {
            bytes = bytes.saturating_add(message.stored.body.len());
            if received.len() == max || (!received.is_empty() && bytes > max_bytes) {
                break;
            }
            journal.append(&Entry::Received { id: message.stored.id.clone(), at })?;
            let receipt_handle = Uuid::new_v4().to_string();
            message.stored.receive_count = message.stored.receive_count.saturating_add(1);
            message.visible_at = now.checked_add(self.0.config.visibility_timeout);
            message.receipt_handle = Some(receipt_handle.clone());
            received.push(ReceivedMessage {
                id: message.stored.id.clone(),
                receipt_handle,
                body: message.stored.body.clone(),
                attributes: message.stored.attributes.clone(),
                receive_count: message.stored.receive_count,
                sent_at: message.stored.sent_at,
                first_received_at: *message.stored.first_received_at.get_or_insert(at),
            });
        }
        drop(state);
        if !received.is_empty() {
            self.changed();
        }
        Ok(received)
    }

    /// Deletes a received message. One that was received again since, or is deleted already, stays as it is.
    pub fn delete(&self, receipt_handle: &str) -> Result<(), Error> {
        let mut state = self.state();
        let holds = |message: &Message| message.receipt_handle.as_deref() == Some(receipt_handle);
        let Some(index) = state.messages.iter().position(holds) else { return Ok(()) };
        let id = state.messages.remove(index).stored.id;
        state.journal.append(&Entry::Deleted { id })?;
        Self::tidy(&mut state)?;
        drop(state);
        self.changed();
        Ok(())
    }

    /// Makes a received message visible after this delay instead of the visibility timeout (`ChangeMessageVisibility`).
    pub fn release(&self, receipt_handle: &str, delay: Duration) {
        let mut state = self.state();
        let held = state.messages.iter_mut().find(|message| message.receipt_handle.as_deref() == Some(receipt_handle));
        if let Some(message) = held {
            message.visible_at = Instant::now().checked_add(delay);
            drop(state);
            self.changed();
        }
    }

    /// How many messages there are now.
    pub fn counts(&self) -> Counts {
        let now = Instant::now();
        let state = self.state();
        let visible = state.messages.iter().filter(|message| message.is_visible(now)).count();
        let in_flight = state.messages.len().saturating_sub(visible);
        drop(state);
        let dead = self.0.redrive.as_ref().map_or(0, |redrive| redrive.dead_letter_queue.len());
        Counts { visible, in_flight, dead }
    }

    /// How many messages there are, hidden ones included.
    pub fn len(&self) -> usize {
        self.state().messages.len()
    }

    /// Whether there are none, not even hidden ones.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until there are no messages, not even hidden ones.
    pub async fn emptied(&self) {
        let mut changes = self.0.changes.subscribe();
        while !self.is_empty() {
            // The queue holds the sender: this cannot fail while it is borrowed.
            let _ = changes.changed().await;
        }
    }

    /// Waits until a message may have become visible. Returns early now and then.
    pub(super) async fn stirred(&self) {
        let mut changes = self.0.changes.subscribe();
        let now = Instant::now();
        let next = {
            let state = self.state();
            if state.messages.iter().any(|message| message.is_visible(now)) {
                return;
            }
            state.messages.iter().filter_map(|message| message.visible_at).min()
        };
        match next {
            Some(at) => {
                let _ = tokio::time::timeout_at(at, changes.changed()).await;
            }
            None => {
                let _ = changes.changed().await;
            }
        }
    }

    /// Takes a message over from another queue, or a new one. One that is here already is not doubled.
    fn adopt(&self, stored: Stored) -> Result<(), Error> {
        let mut state = self.state();
        if state.messages.iter().any(|message| message.stored.id == stored.id) {
            return Ok(());
        }
        state.journal.append(&Entry::Message(stored.clone()))?;
        state.messages.push(Message::new(stored));
        drop(state);
        self.changed();
        Ok(())
    }

    /// Moves messages that were received too often. First there, then away from here: killed in between, it is moved again.
    fn redrive(&self) -> Result<(), Error> {
        let Some(redrive) = &self.0.redrive else { return Ok(()) };
        let now = Instant::now();
        let is_dead = |message: &Message| message.is_visible(now) && message.stored.receive_count >= redrive.max_receive_count;
        let dead: Vec<Stored> =
            self.state().messages.iter().filter(|message| is_dead(message)).map(|message| message.stored.clone()).collect();
        for mut stored in dead {
            let id = stored.id.clone();
            tracing::warn!(queue = %self.0.config.name, message = %id, "A message goes to the dead-letter queue.");
            stored.receive_count = 0;
            stored.first_received_at = None;
            redrive.dead_letter_queue.adopt(stored)?;
            let mut state = self.state();
            state.messages.retain(|message| message.stored.id != id);
            state.journal.append(&Entry::Deleted { id })?;
            drop(state);
            self.changed();
        }
        Ok(())
    }

    fn tidy(state: &mut State) -> Result<(), Error> {
        if state.journal.is_long(state.messages.len()) {
            let messages: Vec<_> = state.messages.iter().map(|message| message.stored.clone()).collect();
            state.journal.rewrite(&messages)?;
        }
        Ok(())
    }

    fn changed(&self) {
        self.0.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Counts, Queue, QueueConfig, Redrive};
    use std::path::Path;
    use std::time::Duration;
    use tokio::time::advance;

    const HIDDEN: Duration = Duration::from_secs(60);

    fn open(folder: &Path, name: &str, redrive: Option<Redrive>) -> Queue {
        let config = QueueConfig { name: name.into(), arn: format!("arn:aws:sqs:::{name}"), visibility_timeout: HIDDEN };
        Queue::open(folder, config, redrive).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_received_message_is_hidden_until_its_timeout() {
        let folder = tempfile::tempdir().unwrap();
        let queue = open(folder.path(), "q", None);
        queue.send("one").unwrap();
        queue.send("two").unwrap();
        let first = queue.receive(1, usize::MAX).unwrap();
        assert_eq!(first[0].body, "one");
        assert_eq!(queue.counts(), Counts { visible: 1, in_flight: 1, dead: 0 });
        advance(HIDDEN).await;
        let again = queue.receive(10, usize::MAX).unwrap();
        assert_eq!(again.iter().map(|m| (m.body.as_str(), m.receive_count)).collect::<Vec<_>>(), [("one", 2), ("two", 1)]);
        queue.delete(&first[0].receipt_handle).unwrap();
        assert_eq!(queue.len(), 2, "a receipt of an earlier receive is no longer valid");
        queue.delete(&again[0].receipt_handle).unwrap();
        queue.delete(&again[1].receipt_handle).unwrap();
        assert!(queue.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn messages_received_too_often_go_to_the_dead_letter_queue() {
        let folder = tempfile::tempdir().unwrap();
        let dead = open(folder.path(), "dead", None);
        let queue = open(folder.path(), "q", Some(Redrive { dead_letter_queue: dead.clone(), max_receive_count: 2 }));
        let id = queue.send("poison").unwrap();
        for count in 1..=2 {
            let received = queue.receive(10, usize::MAX).unwrap();
            assert_eq!(received[0].receive_count, count);
            queue.release(&received[0].receipt_handle, Duration::ZERO);
        }
        assert_eq!(queue.receive(10, usize::MAX).unwrap(), []);
        assert_eq!(queue.counts(), Counts { visible: 0, in_flight: 0, dead: 1 });
        assert_eq!(dead.receive(1, usize::MAX).unwrap()[0].id, id);
    }

    #[tokio::test]
    async fn messages_and_receive_counts_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let queue = open(folder.path(), "q", None);
        for body in ["kept", "done"] {
            queue.send(body).unwrap();
        }
        let received = queue.receive(10, usize::MAX).unwrap();
        queue.delete(&received[1].receipt_handle).unwrap();
        drop(queue);
        let queue = open(folder.path(), "q", None);
        let again = queue.receive(10, usize::MAX).unwrap();
        assert_eq!(again.len(), 1);
        assert_eq!((again[0].body.as_str(), again[0].receive_count), ("kept", 2));
        assert_eq!(again[0].first_received_at, received[0].first_received_at);
    }

    #[tokio::test]
    async fn the_file_stays_in_proportion_to_the_queue() {
        let folder = tempfile::tempdir().unwrap();
        let queue = open(folder.path(), "q", None);
        for number in 0..2000 {
            queue.send(number.to_string()).unwrap();
            let received = queue.receive(1, usize::MAX).unwrap();
            queue.delete(&received[0].receipt_handle).unwrap();
        }
        let lines = std::fs::read_to_string(folder.path().join("q.jsonl")).unwrap().lines().count();
        assert!(lines <= 1003, "{lines} lines for an empty queue");
    }

    #[tokio::test]
    async fn a_receive_stays_within_its_bytes_but_never_starves() {
        let folder = tempfile::tempdir().unwrap();
        let queue = open(folder.path(), "q", None);
        for body in ["12345", "123", "1"] {
            queue.send(body).unwrap();
        }
        assert_eq!(queue.receive(10, 3).unwrap().len(), 1);
        assert_eq!(queue.receive(10, 4).unwrap().len(), 2);
    }
}
