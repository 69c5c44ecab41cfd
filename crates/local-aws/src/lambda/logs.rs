//! A function's output: appended to its log file, shown to an observer, and the end of stderr kept for crash reports.

use super::error::Error;
use super::invocation::Invocation;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::task::JoinHandle;

/// How much of stderr a crash report carries.
const TAIL_LINES: usize = 20;

/// Where a line of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStream {
    /// The function's standard output.
    Stdout,
    /// The function's standard error.
    Stderr,
}

/// Sees what functions print and what their invocations come to. Called on the runtime's threads: must not block.
pub trait Observer: Send + Sync {
    /// A function printed a line.
    fn line(&self, function: &str, stream: LogStream, line: &str) {
        let _ = (function, stream, line);
    }

    /// An invocation has ended, whoever made it.
    fn invoked(&self, function: &str, invocation: &Invocation) {
        let _ = (function, invocation);
    }
}

/// One function's log. Shared by its environments.
pub(super) struct Log {
    function: String,
    file: Mutex<File>,
    observer: Option<Arc<dyn Observer>>,
}

impl Log {
    pub(super) fn open(folder: &Path, function: &str, observer: Option<Arc<dyn Observer>>) -> Result<Self, Error> {
        let path = folder.join(format!("{function}.log"));
        let file = std::fs::create_dir_all(folder)
            .and_then(|()| OpenOptions::new().create(true).append(true).open(&path))
            .map_err(|source| Error::Log { path, source })?;
        Ok(Self { function: function.to_owned(), file: Mutex::new(file), observer })
    }

    pub(super) fn invoked(&self, invocation: &Invocation) {
        self.write(&invocation.report());
        if let Some(observer) = &self.observer {
            observer.invoked(&self.function, invocation);
        }
    }

    fn line(&self, stream: LogStream, line: &str) {
        self.write(line);
        if let Some(observer) = &self.observer {
            observer.line(&self.function, stream, line);
        }
    }

    /// One write a line: lines of several processes do not mix, and nothing is lost if the stack is killed.
    fn write(&self, line: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            tracing::warn!(function = %self.function, error = %error, "A line could not be written to the function's log.");
        }
    }
}

/// The last lines of a process's stderr.
#[derive(Clone, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == TAIL_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Reads a stream of a process until its end.
pub(super) fn follow<R>(reader: R, stream: LogStream, log: Arc<Log>, tail: Tail) -> JoinHandle<()>
where
    R: AsyncRead + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        // Lines are cut by hand: a function may print what is not UTF-8.
        while matches!(reader.read_until(b'\n', &mut bytes).await, Ok(read) if read > 0) {
            let text = String::from_utf8_lossy(&bytes);
            let line = text.trim_end_matches(['\n', '\r']);
            log.line(stream, line);
            if stream == LogStream::Stderr {
                tail.push(line.to_owned());
            }
            bytes.clear();
        }
    })
}
