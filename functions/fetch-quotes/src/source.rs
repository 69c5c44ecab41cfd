//! What every source of quotes has in common.

use std::time::Duration;

use async_trait::async_trait;
use quotes::Quote;
use tokio::time::Instant;

use crate::producer::Delivered;
use crate::sources::provider::polled::PollError;
use crate::sources::replay::ReplayError;
use crate::sources::replay::mark::Mark;
use crate::summary::Failure;

/// Where quotes come from. A provider is one file under `sources/` that implements this.
///
/// The handler asks for a batch, produces it, says what became of it, and asks again while
/// [`Next`] and the invocation's time allow.
#[async_trait]
pub(crate) trait Source: Send {
    /// The name in `QUOTE_SOURCE`, in the column `source` and in the summary.
    fn name(&self) -> &'static str;

    /// Gives the next batch. What is wrong with single symbols or lines is a failure in the batch;
    /// an error means that there is no answer at all.
    async fn fetch(&mut self, invocation: &Invocation) -> Result<Batch, SourceError>;

    /// Takes other symbols from the next batch on. A source whose symbols are given by something else keeps them.
    fn set_symbols(&mut self, symbols: &[String]) {
        let _ = symbols;
    }

    /// Is told what became of the last batch's rows: `delivered.outcomes[i]` is that of `rows[i]`.
    /// Not called when producing failed as a whole.
    async fn acknowledge(&mut self, rows: &[Fetched], delivered: &Delivered, invocation: &Invocation) {
        let _ = (rows, delivered, invocation);
    }
}

/// A source's answer.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The quotes, in the order in which each symbol's are to be stored.
    pub(crate) rows: Vec<Fetched>,
    /// What could not be given.
    pub(crate) failures: Vec<Failure>,
    /// How many quotes are left out because nothing about them is new.
    pub(crate) unchanged: usize,
    /// How many symbols wait for their turn, because a rate limit has no room for all.
    pub(crate) deferred: usize,
    /// When to ask again.
    pub(crate) next: Next,
}

/// When a source is worth asking again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Next {
    /// At once: there is more already.
    Now,
    /// With the next poll or invocation.
    #[default]
    Later,
    /// Not in this invocation: the market is closed.
    Closed,
    /// Never: everything was given.
    Never,
}

/// One quote, and where it stands in a replay file.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The quote.
    pub(crate) quote: Quote<'static>,
    /// The line that it was read from; providers have none.
    pub(crate) mark: Option<Mark>,
}

/// The time that one invocation has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invocation {
    started: Instant,
    deadline: Instant,
}

impl Invocation {
    /// An invocation that starts now and is stopped after `left`.
    pub(crate) fn new(left: Duration) -> Self {
        let started = Instant::now();
        Self { started, deadline: started + left }
    }

    /// The time since it started.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The time until Lambda stops it.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// `wanted`, or less where the invocation ends earlier.
    pub(crate) fn at_most(&self, wanted: Duration) -> Duration {
        wanted.min(self.left())
    }
}

/// Why a source gave no answer at all: one variant a source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// The replay could not go on.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The provider gave nothing.
    #[error(transparent)]
    Poll(#[from] PollError),
}

impl SourceError {
    /// Whether the same can succeed later without anybody changing anything.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Replay(error) => error.is_retryable(),
            Self::Poll(error) => error.is_retryable(),
        }
    }

    /// What failed one by one, to be counted.
    pub(crate) fn failures(&self) -> &[Failure] {
        match self {
            Self::Replay(_) => &[],
            Self::Poll(error) => error.failures(),
        }
    }
}
