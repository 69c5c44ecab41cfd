//! A schedule at work.

use super::expression::Expression;
use super::input::payload;
use crate::lambda::Invoke;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// The wall clock is looked at this often while waiting: it may be set, or stand still while the machine sleeps.
const LOOK: Duration = Duration::from_secs(10);

/// When a schedule ticks.
#[derive(Debug, Clone)]
pub enum Ticks {
    /// As the template says.
    Expression(Expression),
    /// Every so often, at once for the first time: what a local run puts in place of the template's expression.
    Every(Duration),
}

/// A schedule's settings.
#[derive(Debug, Clone)]
pub struct ScheduleConfig {
    /// Its ARN, `arn:aws:scheduler:REGION:ACCOUNT:schedule/GROUP/NAME`.
    pub arn: String,
    /// When it ticks.
    pub ticks: Ticks,
    /// The payload, in which `<aws.scheduler.scheduled-time>` and the like are filled in. `None` for the scheduler's own event.
    pub input: Option<String>,
}

/// How far a schedule is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScheduleProgress {
    /// Whether the function is at work.
    pub in_flight: bool,
    /// Invocations that succeeded.
    pub succeeded: u64,
    /// Invocations that failed.
    pub failed: u64,
    /// Why the last one failed, if it did.
    pub last_error: Option<String>,
    /// When the next tick of a cron or at expression comes.
    pub next: Option<DateTime<Utc>>,
}

/// A running schedule. Dropping it ends it at once.
pub struct Schedule {
    progress: watch::Receiver<ScheduleProgress>,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Schedule {
    /// Starts to tick. Rates tick at once for the first time.
    pub fn start(config: ScheduleConfig, function: Arc<dyn Invoke>) -> Self {
        let (progress_in, progress) = watch::channel(ScheduleProgress::default());
        let stop = CancellationToken::new();
        let runner = Runner { arn: config.arn, input: config.input, function, progress: progress_in };
        let task = AbortOnDropHandle::new(tokio::spawn(runner.run(config.ticks, stop.clone())));
        Self { progress, stop, task }
    }

    /// How far the schedule is.
    pub fn progress(&self) -> watch::Receiver<ScheduleProgress> {
        self.progress.clone()
    }

    /// No more ticks; lets an invocation that is under way end.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

struct Runner {
    arn: String,
    input: Option<String>,
    function: Arc<dyn Invoke>,
    progress: watch::Sender<ScheduleProgress>,
}

impl Runner {
    async fn run(self, ticks: Ticks, stop: CancellationToken) {
        let mut clock = Clock::new(ticks);
        while let Some(Some(scheduled)) = stop.run_until_cancelled(clock.tick(&self.progress)).await {
            self.invoke(scheduled).await;
        }
    }

    async fn invoke(&self, scheduled: DateTime<Utc>) {
        self.progress.send_modify(|progress| progress.in_flight = true);
        let payload = payload(self.input.as_deref(), &self.arn, scheduled);
        let error = match self.function.invoke(payload).await {
            Ok(invocation) => invocation.outcome.error().map(|(error_type, message)| format!("{error_type}: {message}")),
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = &error {
            tracing::warn!(function = self.function.name(), error = %error, "A scheduled invocation failed.");
        }
        self.progress.send_modify(|progress| {
            progress.in_flight = false;
            match error {
                None => progress.succeeded = progress.succeeded.saturating_add(1),
                Some(_) => progress.failed = progress.failed.saturating_add(1),
            }
            progress.last_error = error;
        });
    }
}

enum Clock {
    /// `next` is none before the first tick, which comes at once.
    Every {
        period: Duration,
        next: Option<Instant>,
    },
    Expression {
        expression: Expression,
        last: DateTime<Utc>,
    },
}

impl Clock {
    fn new(ticks: Ticks) -> Self {
        match ticks {
            Ticks::Every(period) | Ticks::Expression(Expression::Rate(period)) => {
                // Nobody wants to tick faster than this, and a period of zero would have no next tick.
                Self::Every { period: period.max(Duration::from_millis(1)), next: None }
            }
            Ticks::Expression(expression) => Self::Expression { expression, last: Utc::now() },
        }
    }

    /// Waits for the next tick. `None` if there is none any more.
    async fn tick(&mut self, progress: &watch::Sender<ScheduleProgress>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every { period, next } => {
                let mut tick = next.unwrap_or_else(Instant::now);
                if next.is_some() {
                    tick += period.saturating_mul(missed(tick, *period));
                    sleep_until(tick).await;
                }
                *next = Some(tick + *period);
                Some(Utc::now())
            }
            Self::Expression { expression, last } => {
                // From now on, not from the last tick: what was missed meanwhile is skipped.
                let next = expression.next_after((*last).max(Utc::now()));
                progress.send_modify(|progress| progress.next = next);
                let next = next?;
                while let Ok(left) = (next - Utc::now()).to_std()
                    && !left.is_zero()
                {
                    sleep(left.min(LOOK)).await;
                }
                *last = next;
                Some(next)
            }
        }
    }
}

/// How many ticks, from this one on, have passed already. (tokio's interval would still give the last of them, late.)
fn missed(tick: Instant, period: Duration) -> u32 {
    let late = Instant::now().saturating_duration_since(tick);
    u32::try_from(late.as_nanos().div_ceil(period.as_nanos().max(1))).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Schedule, ScheduleConfig, Ticks};
    use crate::lambda::{Invocation, Invoke, InvokeError, Outcome, Start};
    use crate::scheduler::Expression;
    use bytes::Bytes;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    /// Takes its time, and notes when it was invoked and how many were at work at once.
    #[derive(Default)]
    struct Slow {
        takes: Duration,
        at_work: AtomicUsize,
        most: AtomicUsize,
        started: Mutex<Vec<Instant>>,
    }

    #[async_trait::async_trait]
    impl Invoke for Slow {
        fn name(&self) -> &str {
            "slow"
        }

        async fn invoke(&self, _: Bytes) -> Result<Invocation, InvokeError> {
            self.started.lock().unwrap().push(Instant::now());
            let at_work = self.at_work.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(at_work, Ordering::SeqCst);
            sleep(self.takes).await;
            self.at_work.fetch_sub(1, Ordering::SeqCst);
            Ok(Invocation {
                request_id: "id".into(),
                outcome: Outcome::Success(Bytes::new()),
                duration: self.takes,
                init_duration: None,
                peak_memory: None,
                start: Start::Warm,
            })
        }
    }

    fn config(ticks: Ticks) -> ScheduleConfig {
        ScheduleConfig { arn: "arn:aws:scheduler:us-east-1:0:schedule/default/x".into(), ticks, input: None }
    }

    /// Time is paused: it goes on only while everyone waits, so that these times are exact.
    async fn starts(ticks: Ticks, takes: u64, count: u64) -> (Vec<u128>, usize) {
        let function = Arc::new(Slow { takes: Duration::from_millis(takes), ..Slow::default() });
        let begin = Instant::now();
        let schedule = Schedule::start(config(ticks), function.clone());
        let mut progress = schedule.progress();
        progress.wait_for(|progress| progress.succeeded == count).await.unwrap();
        schedule.stop().await;
        let started = function.started.lock().unwrap().iter().map(|at| (*at - begin).as_millis()).collect();
        (started, function.most.load(Ordering::SeqCst))
    }

    #[tokio::test(start_paused = true)]
    async fn every_ticks_at_once_and_then_regularly() {
        let (started, _) = starts(Ticks::Every(Duration::from_secs(1)), 100, 3).await;
        assert_eq!(started, [0, 1000, 2000]);
    }

    /// On the real clock: between a schedule's start and its first look some time always passes.
    #[tokio::test]
    async fn the_first_tick_is_never_missed() {
        let (started, _) = starts(Ticks::Every(Duration::from_secs(3600)), 0, 1).await;
        assert_eq!(started.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn missed_ticks_are_skipped_and_nothing_overlaps() {
        let (started, most) = starts(Ticks::Every(Duration::from_secs(1)), 2500, 3).await;
        assert_eq!(started, [0, 3000, 6000]);
        assert_eq!(most, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn rates_tick_like_every() {
        let rate = Expression::parse("rate(1 minute)", None).unwrap();
        let (started, _) = starts(Ticks::Expression(rate), 100, 2).await;
        assert_eq!(started, [0, 60_000]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_expression_without_another_tick_ends() {
        let past = Expression::parse("at(2013-10-07T09:30:00)", None).unwrap();
        let function = Arc::new(Slow::default());
        let schedule = Schedule::start(config(Ticks::Expression(past)), function.clone());
        let mut progress = schedule.progress();
        // The sender is dropped when the schedule has ended.
        while progress.changed().await.is_ok() {}
        assert!(function.started.lock().unwrap().is_empty());
    }
}
