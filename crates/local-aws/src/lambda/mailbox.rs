//! Connects an environment with the HTTP requests of its process.

use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::sync::mpsc;

/// An event on its way to a process.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) request_id: String,
    pub(super) deadline: SystemTime,
    pub(super) function_arn: String,
    pub(super) payload: Bytes,
}

/// What a process told the Runtime API.
#[derive(Debug)]
pub(super) enum Message {
    /// It asks for its next event: it is initialised, and done with the last one.
    Next,
    /// A response.
    Response { request_id: String, payload: Bytes },
    /// A response above the limit.
    ResponseTooLarge { request_id: String, bytes: usize },
    /// A handler's error.
    Error { request_id: String, error_type: String, error_message: String },
    /// An error before the first event.
    InitError { error_type: String, error_message: String },
}

/// The HTTP side: hands jobs to `/next` and takes messages from all requests.
pub(super) struct Mailbox {
    pub(super) jobs: tokio::sync::Mutex<mpsc::Receiver<Job>>,
    pub(super) messages: mpsc::UnboundedSender<Message>,
}

/// The environment's side.
pub(super) struct Line {
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) messages: mpsc::UnboundedReceiver<Message>,
}

/// The mailboxes of all living processes, by environment id.
#[derive(Clone, Default)]
pub(super) struct Registry(Arc<Mutex<HashMap<String, Arc<Mailbox>>>>);

impl Registry {
    /// Opens the mailbox of a new environment.
    pub(super) fn open(&self, environment: &str) -> Line {
        // One place: an environment has at most one event under way.
        let (jobs_in, jobs_out) = mpsc::channel(1);
        let (messages_in, messages_out) = mpsc::unbounded_channel();
        let mailbox = Mailbox { jobs: tokio::sync::Mutex::new(jobs_out), messages: messages_in };
        self.lock().insert(environment.to_owned(), Arc::new(mailbox));
        Line { jobs: jobs_in, messages: messages_out }
    }

    pub(super) fn find(&self, environment: &str) -> Option<Arc<Mailbox>> {
        self.lock().get(environment).cloned()
    }

    pub(super) fn close(&self, environment: &str) {
        self.lock().remove(environment);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Mailbox>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
