//! The source that polls a provider: when, in which portions, how often again.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures::{StreamExt as _, stream};
use quotes::calendar::Calendar;
use quotes::hours::Hours;
use quotes::{Quote, Timestamp};

use super::fault::{Fault, Miss};
use super::http::Transport;
use super::key::{ApiKey, Keys, SecretError};
use super::limit::{Limit, Limiter};
use super::{Answer, Asked, Provider};
use crate::clock::Clock;
use crate::producer::{Delivered, Outcome, TIME_NEEDED};
use crate::source::{Batch, Fetched, Invocation, Next, Source, SourceError};
use crate::summary::{Failure, Subject};
use crate::unchanged::Unchanged;

/// How many requests are under way at once.
const CONCURRENT: usize = 8;

/// How long one request may take; a healthy provider answers within a second.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// No request begins with less than this left: it would only be cut off.
const SHORTEST_REQUEST: Duration = Duration::from_millis(250);

/// Left to the invocation beside what producing needs, to put its answer together.
const SPARE: Duration = Duration::from_secs(1);

/// A symbol that failed its whole batch is asked for again after this.
const REJECTED_FOR: Duration = Duration::from_secs(15 * 60);

/// How a provider is polled.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Polling {
    /// Canonical symbols, each once.
    pub(crate) symbols: Vec<String>,
    /// The provider's limits (`QUOTE_RATE_LIMIT`).
    pub(crate) limits: Vec<Limit>,
    /// When the provider is worth asking (`MARKET_HOURS`).
    pub(crate) hours: Hours,
    /// The time after a minute's beginning at which to ask (`POLL_AT`); an invocation that begins
    /// later asks at once. `None`: at once.
    pub(crate) at: Option<Duration>,
    /// The age from which a last trade is no price (`STALE_AFTER`).
    pub(crate) stale_after: Duration,
    /// Unchanged quotes are left out, but for one in this time (`HEARTBEAT`); `None`: none is.
    pub(crate) heartbeat: Option<Duration>,
}

/// Why a provider gave nothing at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PollError {
    /// The invocation is too short to fetch and produce.
    #[error("{left:?} of the invocation are left, and producing alone may take {TIME_NEEDED:?}: raise the function's timeout")]
    NoTime {
        /// What was left.
        left: Duration,
    },
    /// The API key cannot be had.
    #[error("no API key")]
    Key(#[source] SecretError),
    /// Not one symbol has a quote.
    #[error("none of {} symbols has a quote; the first, {symbol}", failures.len())]
    Nothing {
        /// Every failure.
        failures: Vec<Failure>,
        /// The first failed symbol.
        symbol: String,
        /// Why that one failed.
        #[source]
        source: Miss,
        /// Whether one of them can succeed later.
        retryable: bool,
    },
}

impl PollError {
    /// Whether the same can succeed later without anybody changing anything.
    pub(crate) const fn is_retryable(&self) -> bool {
        match self {
            Self::NoTime { .. } => false,
            Self::Key(SecretError::Unread { .. }) => true,
            Self::Key(SecretError::Shape { .. }) => false,
            Self::Nothing { retryable, .. } => *retryable,
        }
    }

    /// The failures of single symbols.
    pub(crate) fn failures(&self) -> &[Failure] {
        match self {
            Self::Nothing { failures, .. } => failures,
            Self::NoTime { .. } | Self::Key(_) => &[],
        }
    }
}

/// Polls one provider.
pub(crate) struct Polled {
    line: Line,
    polling: Polling,
    /// The index of the symbol to begin with: the first that the limits left out the last time.
    begin: usize,
    /// Symbols that fail whole batches, and until when they are left out.
    rejected: HashMap<String, Duration>,
    calendar: Calendar,
    unchanged: Option<Unchanged>,
}

impl Polled {
    /// Polls `provider` through `transport`. Nothing is asked yet.
    pub(crate) fn new(
        provider: Box<dyn Provider>,
        transport: Box<dyn Transport>,
        clock: Arc<dyn Clock>,
        keys: Keys,
        polling: Polling,
    ) -> Self {
        let limiter = Mutex::new(Limiter::new(&polling.limits));
        let stale_after = polling.stale_after;
        Self {
            line: Line { provider, transport, clock, keys, limiter, refused: Mutex::new(None), stale_after },
            unchanged: polling.heartbeat.map(Unchanged::new),
            polling,
            begin: 0,
            rejected: HashMap::new(),
            calendar: Calendar::new(),
        }
    }

    /// Waits for the second of the minute at which to poll, where that lies ahead and in time.
    async fn wait_for_the_second(&self, deadline: Duration) {
        let Some(at) = self.polling.at else { return };
        const MINUTE: i64 = 60_000_000_000;
        let into = Duration::from_nanos(u64::try_from(self.line.clock.now().nanos() % MINUTE).unwrap_or_default());
        let until = self.line.clock.elapsed() + at.saturating_sub(into);
        if at > into && until + SHORTEST_REQUEST < deadline {
            self.line.clock.sleep_until(until).await;
        }
    }

    /// The symbols to ask for, in portions, beginning with the one whose turn it is.
    fn portions(&self, failures: &mut Vec<(String, Miss)>, now: Duration) -> Vec<Asked> {
        let symbols = &self.polling.symbols;
        let begin = self.begin.min(symbols.len());
        let (before, after) = symbols.split_at(begin);
        let mut due = Vec::with_capacity(symbols.len());
        for symbol in after.iter().chain(before) {
            if self.rejected.get(symbol).is_some_and(|until| now < *until) {
                failures.push((symbol.clone(), Miss::UnknownSymbol));
            } else {
                due.push(symbol.as_str());
            }
        }
        let provider = self.line.provider.as_ref();
        due.chunks(self.line.portion()).map(|portion| Asked::new(provider, portion.iter().copied())).collect()
    }

    /// Sorts what came into rows, failures and what was left out.
    fn sort(&mut self, answers: Vec<Answer>, mut failures: Vec<(String, Miss)>) -> Result<Batch, PollError> {
        let mut batch = Batch::default();
        let mut deferred = BTreeSet::new();
        let now = self.line.clock.elapsed();
        for Answer { symbol, quote } in answers {
            match quote {
                Ok(quote) if self.unchanged.as_ref().is_some_and(|unchanged| unchanged.is_news_less(&quote)) => batch.unchanged += 1,
                Ok(quote) => batch.rows.push(Fetched { quote, mark: None }),
                Err(Miss::Fault(Fault::NoRoom)) => {
                    deferred.insert(symbol);
                }
                Err(miss) => {
                    if matches!(miss, Miss::Fault(Fault::BadSymbol { .. })) {
                        self.rejected.insert(symbol.clone(), now + REJECTED_FOR);
                    }
                    failures.push((symbol, miss));
                }
            }
        }
        batch.deferred = deferred.len();
        let symbols = &self.polling.symbols;
        let turn =
            (0..symbols.len()).map(|i| (self.begin + i) % symbols.len()).find(|i| symbols.get(*i).is_some_and(|s| deferred.contains(s)));
        self.begin = turn.unwrap_or(0);

        let retryable = failures.iter().any(|(_, miss)| matches!(miss, Miss::Fault(fault) if fault.is_retryable()));
        batch.failures = failures.iter().map(|(symbol, miss)| failure(symbol, miss)).collect();
        match failures.into_iter().next() {
            Some((symbol, source)) if batch.rows.is_empty() && batch.unchanged == 0 => {
                Err(PollError::Nothing { failures: batch.failures, symbol, source, retryable })
            }
            _ => Ok(batch),
        }
    }
}

fn failure(symbol: &str, miss: &Miss) -> Failure {
    Failure { subject: Subject::Symbol(symbol.to_owned()), kind: miss.reason(), reason: miss.to_string() }
}

#[async_trait]
impl Source for Polled {
    fn name(&self) -> &'static str {
        self.line.provider.name()
    }

    async fn fetch(&mut self, invocation: &Invocation) -> Result<Batch, SourceError> {
        let delay = Duration::from_secs(self.line.provider.delay_seconds().and_then(|delay| u64::try_from(delay).ok()).unwrap_or(0));
        if !self.polling.hours.are_open(self.line.clock.now(), delay, &mut self.calendar) {
            tracing::debug!("The market is closed: nothing is fetched.");
            return Ok(Batch { next: Next::Closed, ..Batch::default() });
        }
        let left = invocation.left();
        let budget = left.checked_sub(TIME_NEEDED + SPARE).filter(|budget| *budget > SHORTEST_REQUEST).ok_or(PollError::NoTime { left })?;
        let deadline = self.line.clock.elapsed() + budget;
        self.wait_for_the_second(deadline).await;

        // A key that cannot be had is told once, not once a symbol.
        self.line.keys.get(self.line.clock.elapsed()).await.map_err(PollError::Key)?;
        self.line.forget_refusal();
        let mut failures = Vec::new();
        let portions = self.portions(&mut failures, self.line.clock.elapsed());
        let line = &self.line;
        // Boxed, because the compiler cannot see that a closure's future over `line` is sendable.
        let asked = portions.into_iter().map(|asked| Box::pin(line.ask(asked, deadline)) as futures::future::BoxFuture<'_, _>);
        let answers: Vec<Vec<Answer>> = stream::iter(asked).buffered(CONCURRENT).collect().await;
        Ok(self.sort(answers.into_iter().flatten().collect(), failures)?)
    }

    fn set_symbols(&mut self, symbols: &[String]) {
        // Whose turn it is stays so, where it is still in the list.
        let turn = self.polling.symbols.get(self.begin);
        self.begin = turn.and_then(|turn| symbols.iter().position(|symbol| symbol == turn)).unwrap_or(0);
        self.polling.symbols = symbols.to_vec();
    }

    async fn acknowledge(&mut self, rows: &[Fetched], delivered: &Delivered, _: &Invocation) {
        let Some(unchanged) = &mut self.unchanged else { return };
        for (row, outcome) in rows.iter().zip(&delivered.outcomes) {
            if matches!(outcome, Outcome::Stored { .. }) {
                unchanged.produced(&row.quote);
            }
        }
    }
}

/// The provider with what it takes to ask it.
struct Line {
    provider: Box<dyn Provider>,
    transport: Box<dyn Transport>,
    clock: Arc<dyn Clock>,
    keys: Keys,
    limiter: Mutex<Limiter>,
    /// The refusal of the key, once it is final: no other request will fare better.
    refused: Mutex<Option<Fault>>,
    stale_after: Duration,
}

impl Line {
    /// How many symbols one request names: as many as the provider takes and the limits have room for.
    fn portion(&self) -> usize {
        let most = self.limiter().smallest();
        (1..=self.provider.batch()).rev().find(|symbols| self.provider.cost(*symbols) <= most).unwrap_or(1)
    }

    /// Asks for a portion, leaving out whatever the provider refuses all of it for.
    async fn ask(&self, asked: Asked, deadline: Duration) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(asked.len());
        let mut portions = vec![asked];
        while let Some(asked) = portions.pop() {
            if asked.is_empty() {
                continue;
            }
            match self.request(&asked, deadline).await {
                Ok(found) => answers.extend(found),
                Err(Fault::BadSymbol { symbol: Some(symbol), said }) => {
                    portions.push(asked.without(&symbol));
                    let fault = Fault::BadSymbol { symbol: Some(symbol.clone()), said };
                    answers.push(Answer { symbol, quote: Err(Miss::Fault(fault)) });
                }
                Err(Fault::BadSymbol { symbol: None, .. }) if asked.len() > 1 => portions.extend(asked.halves()),
                Err(fault) => {
                    let miss = |symbol: &str| Answer { symbol: symbol.to_owned(), quote: Err(Miss::Fault(fault.clone())) };
                    answers.extend(asked.canonical().map(miss));
                }
            }
        }
        answers
    }

    /// One request, tried again while that can help and there is time.
    async fn request(&self, asked: &Asked, deadline: Duration) -> Result<Vec<Answer>, Fault> {
        let delays = ExponentialBuilder::default().with_min_delay(Duration::from_millis(250)).with_max_delay(Duration::from_secs(8));
        let mut delays = delays.with_max_times(6).with_jitter().build();
        let mut is_key_new = false;
        let mut before: Option<Fault> = None;
        loop {
            // It was had a moment ago, so that this neither asks nor fails.
            let key = self.keys.get(self.clock.elapsed()).await.ok().flatten();
            let fault = match (self.once(asked, key.as_ref(), deadline).await, before.take()) {
                (Ok(answers), _) => return Ok(answers),
                // Without room or time for another try, the last one's fault is the reason.
                (Err(Fault::NoRoom | Fault::NoTime), Some(fault)) => return Err(fault),
                (Err(fault), _) => fault,
            };
            if fault.is_of_the_key() && !is_key_new && self.keys.another(key.as_ref(), self.clock.elapsed()).await.is_some() {
                is_key_new = true;
                continue;
            }
            if matches!(fault, Fault::Unauthorized { .. }) {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault.clone());
            }
            let Some(delay) = delays.next().filter(|_| fault.is_retryable()) else { return Err(fault) };
            let until = self.clock.elapsed() + fault.retry_after().unwrap_or(delay);
            if matches!(fault, Fault::RateLimited { .. }) {
                self.limiter().block(until);
            }
            if until + SHORTEST_REQUEST > deadline {
                return Err(fault);
            }
            tracing::debug!(error = %fault, symbols = asked.len(), "A request is tried again.");
            self.clock.sleep_until(until).await;
            before = Some(fault);
        }
    }

    /// One try: waits for the limits' room, sends, reads.
    async fn once(&self, asked: &Asked, key: Option<&ApiKey>, deadline: Duration) -> Result<Vec<Answer>, Fault> {
        if let Some(fault) = self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(fault);
        }
        let latest = deadline.saturating_sub(SHORTEST_REQUEST);
        let slot = self.limiter().take(self.clock.elapsed(), self.provider.cost(asked.len()), latest).ok_or(Fault::NoRoom)?;
        if slot > self.clock.elapsed() {
            self.clock.sleep_until(slot).await;
        }
        let timeout = deadline.saturating_sub(self.clock.elapsed()).min(REQUEST_TIMEOUT);
        if timeout.is_zero() {
            return Err(Fault::NoTime);
        }
        let mut response = self.transport.send(&self.provider.request(asked, key), timeout).await.map_err(Fault::Transport)?;
        let fetched_at = self.clock.now();
        self.limiter().hear(self.clock.elapsed(), response.limits);
        let redact = |body: &[u8]| key.map_or_else(|| body.to_vec(), |key| key.redact(body));
        if response.status != 200 {
            response.body = redact(&response.body);
            return Err(self.provider.fault(asked, &response));
        }
        let is_telling = |answers: &Result<Vec<Answer>, Fault>| match answers {
            Ok(answers) => answers.iter().any(|answer| matches!(answer.quote, Err(Miss::Malformed(_)))),
            Err(_) => true,
        };
        let mut answers = self.provider.read(asked, &response.body, fetched_at);
        if is_telling(&answers) {
            // What is told of a body is told of one without the key: some providers echo it.
            answers = self.provider.read(asked, &redact(&response.body), fetched_at);
        }
        Ok(answers?.into_iter().map(|answer| self.unless_stale(answer)).collect())
    }

    fn unless_stale(&self, Answer { symbol, quote }: Answer) -> Answer {
        let oldest = |quote: &Quote<'_>| -> Option<Timestamp> {
            let age = i64::try_from(self.stale_after.as_nanos()).unwrap_or(i64::MAX);
            Timestamp::from_nanos(quote.fetched_at.nanos().saturating_sub(age))
        };
        let quote = quote.and_then(|quote| match oldest(&quote) {
            Some(oldest) if quote.event_time < oldest => Err(Miss::Stale(quote.event_time)),
            _ => Ok(quote),
        });
        Answer { symbol, quote }
    }

    fn limiter(&self) -> std::sync::MutexGuard<'_, Limiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget_refusal(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests;
