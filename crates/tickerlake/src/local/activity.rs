//! What has happened so far: counted from the functions' answers, as they come.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use local_aws::glue::{Change, CrawlerStateChange};
use local_aws::lambda::{Invocation, Observer, Outcome};
use serde::Deserialize;
use tokio::sync::watch;

use super::checked::Checked;
use crate::failure::Failure;

/// Counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Quotes that the source gave.
    pub(crate) fetched: u64,
    /// Quotes that Kafka acknowledged.
    pub(crate) produced: u64,
    /// What the source could not give or Kafka did not take.
    pub(crate) failed: u64,
    /// Rows in files written.
    pub(crate) rows: u64,
    /// Files written.
    pub(crate) files: u64,
    /// Records in quarantine.
    pub(crate) quarantined: u64,
    /// Crawls that succeeded.
    pub(crate) crawls: u64,
    /// Invocations that failed.
    pub(crate) errors: u64,
}

/// A function's peak memory and how often it ran.
#[derive(Debug, Clone)]
pub(crate) struct Usage {
    /// The function.
    pub(crate) function: String,
    /// Invocations.
    pub(crate) invocations: u64,
    /// The largest resident set that any of its processes had, in bytes.
    pub(crate) peak_memory: u64,
}

/// Watches the functions.
pub(crate) struct Activity {
    state: Mutex<State>,
    exhausted: watch::Sender<bool>,
    fatal: watch::Sender<Option<String>>,
    /// Whether a failing source ends the run: nobody watches a one-shot run to see it recover.
    one_shot: bool,
}

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    /// What is to be told, one line each.
    notices: Vec<String>,
    usage: Vec<Usage>,
    /// The notice given last of each function's failures, so that a lasting one is told once.
    latest_failure: Vec<(String, String)>,
    first_produced: Option<Instant>,
}

impl Activity {
    /// Nothing has happened yet. In a `one_shot` run a source that fails ends the run.
    pub(crate) fn new(one_shot: bool) -> Self {
        Self { state: Mutex::default(), exhausted: watch::Sender::new(false), fatal: watch::Sender::new(None), one_shot }
    }

    /// The counts.
    pub(crate) fn counts(&self) -> Counts {
        self.state().counts.clone()
    }

    /// What is to be told, since the last time.
    pub(crate) fn notices(&self) -> Vec<String> {
        std::mem::take(&mut self.state().notices)
    }

    /// The functions' invocations and memory.
    pub(crate) fn usage(&self) -> Vec<Usage> {
        self.state().usage.clone()
    }

    /// When the first fetch began that gave quotes.
    pub(crate) fn first_produced(&self) -> Option<Instant> {
        self.state().first_produced
    }

    /// Returns once the source has nothing more to give.
    pub(crate) async fn exhausted(&self) {
        // The sender lives as long as this.
        let _ = self.exhausted.subscribe().wait_for(|exhausted| *exhausted).await;
    }

    /// Returns once something has failed that will fail again every time.
    pub(crate) async fn fatal(&self) -> Failure {
        let mut fatal = self.fatal.subscribe();
        let found = fatal.wait_for(Option::is_some).await.ok().and_then(|fatal| fatal.clone());
        Failure::plain(found.unwrap_or_default())
    }

    /// Counts a crawl that ended.
    pub(crate) fn crawled(&self, crawl: &CrawlerStateChange) {
        let mut state = self.state();
        match &crawl.change {
            Change::Started => {}
            Change::Succeeded { partitions_created } => {
                state.counts.crawls += 1;
                state.notices.push(match partitions_created {
                    0 => "crawled: the catalog knew every day already".to_owned(),
                    created => format!("crawled: {created} day(s) were new to the catalog"),
                });
            }
            Change::Failed { error } => {
                state.counts.errors += 1;
                state.notices.push(format!("crawler {} failed: {error}", crawl.crawler));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn succeeded(&self, function: &str, response: &[u8], began: Option<Instant>) {
        match function {
            "fetch-quotes" => {
                let Ok(answer) = serde_json::from_slice::<Fetched>(response) else { return };
                let mut state = self.state();
                state.counts.fetched += answer.fetched;
                state.counts.produced += answer.produced;
                state.counts.failed += answer.failed;
                if answer.produced > 0 && state.first_produced.is_none() {
                    state.first_produced = began;
                }
                let told = answer.failures.len() as u64;
                for failure in answer.failures {
                    let subject = match (failure.line, failure.symbol) {
                        (Some(line), _) => format!("line {line}"),
                        (None, Some(symbol)) => symbol,
                        (None, None) => "a quote".to_owned(),
                    };
                    state.notices.push(format!("not fetched: {subject}: {}", failure.reason));
                }
                if answer.failed > told {
                    state.notices.push(format!("not fetched: {} more", answer.failed - told));
                }
                drop(state);
                if answer.exhausted {
                    self.exhausted.send_replace(true);
                }
            }
            "write-quotes" => {
                let Ok(answer) = serde_json::from_slice::<Written>(response) else { return };
                let mut state = self.state();
                state.counts.rows += answer.rows;
                state.counts.files += answer.files.len() as u64;
                state.counts.quarantined += answer.quarantined;
                if answer.quarantined > 0 {
                    state.notices.push(format!("to quarantine: {} record(s); see quarantine/ in the lake", answer.quarantined));
                }
                if answer.missing > 0 {
                    state.notices.push(format!("lost: {} record(s) had left Kafka before they were stored", answer.missing));
                }
            }
            "check-freshness" => {
                let Ok(answer) = serde_json::from_slice::<Checked>(response) else { return };
                self.state().notices.push(answer.notice());
            }
            _ => {}
        }
    }

    fn failed(&self, function: &str, outcome: &Outcome) {
        let Some((kind, message)) = outcome.error() else { return };
        let line = reason(outcome, &message);
        let fatal = cannot_start(outcome) || self.one_shot && function == "fetch-quotes" && kind == "NonRetryable";
        let mut state = self.state();
        state.counts.errors += 1;
        let told = (function.to_owned(), line.clone());
        if !fatal && !state.latest_failure.contains(&told) {
            state.latest_failure.retain(|(name, _)| name != function);
            state.latest_failure.push(told);
            state.notices.push(format!("{function} failed: {line} ({kind}); it is tried again"));
        }
        drop(state);
        if fatal {
            self.fatal.send_replace(Some(format!("{function} failed: {line}")));
        }
    }
}

/// Whether a function has said why it cannot start: a bad setting, which no retry mends. One that was killed while it
/// started, or was too slow, has said nothing and is tried again, as on Lambda.
fn cannot_start(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::InitError { error_type, stderr, .. } => match error_type.as_str() {
            "Init.Timeout" => false,
            "Runtime.ExitError" => !stderr.is_empty(),
            _ => true,
        },
        _ => false,
    }
}

/// Why an invocation failed, in one line. A process that ended before its first event has said so only on its stderr.
fn reason(outcome: &Outcome, message: &str) -> String {
    let last_words = match outcome {
        Outcome::InitError { error_type, stderr, .. } if error_type == "Runtime.ExitError" => stderr.lines().last(),
        _ => None,
    };
    let line = last_words.or_else(|| message.lines().next()).unwrap_or_default().trim_start_matches("Error: ");
    // A `main` that fails prints its error as Rust writes a string.
    serde_json::from_str(line).unwrap_or_else(|_| line.to_owned())
}

impl Observer for Activity {
    fn invoked(&self, function: &str, invocation: &Invocation) {
        {
            let mut state = self.state();
            let memory = invocation.peak_memory.unwrap_or(0);
            match state.usage.iter_mut().find(|usage| usage.function == function) {
                Some(usage) => {
                    usage.invocations += 1;
                    usage.peak_memory = usage.peak_memory.max(memory);
                }
                None => state.usage.push(Usage { function: function.to_owned(), invocations: 1, peak_memory: memory }),
            }
        }
        match &invocation.outcome {
            Outcome::Success(response) => self.succeeded(function, response, Instant::now().checked_sub(invocation.duration)),
            outcome => self.failed(function, outcome),
        }
    }
}

/// What `fetch-quotes` answers.
#[derive(Debug, Deserialize)]
struct Fetched {
    fetched: u64,
    produced: u64,
    failed: u64,
    failures: Vec<NotFetched>,
    exhausted: bool,
}

#[derive(Debug, Deserialize)]
struct NotFetched {
    symbol: Option<String>,
    line: Option<u64>,
    reason: String,
}

/// What `write-quotes` answers.
#[derive(Debug, Deserialize)]
struct Written {
    rows: u64,
    quarantined: u64,
    missing: i64,
    files: Vec<String>,
}
