//! The time, so that a test can have its own.

use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use quotes::Timestamp;
use tokio::time::Instant;

/// What tells the time and waits.
#[async_trait]
pub(crate) trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// The time since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;

    /// Waits until [`Clock::elapsed`] is `until`.
    async fn sleep_until(&self, until: Duration);
}

/// The machine's clock.
#[derive(Debug)]
pub(crate) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock that starts now.
    pub(crate) fn new() -> Self {
        Self { started: Instant::now() }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from(Utc::now())
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    async fn sleep_until(&self, until: Duration) {
        tokio::time::sleep_until(self.started + until).await;
    }
}
