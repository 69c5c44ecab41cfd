//! When a recorded row is due.

use std::time::Duration;

use quotes::Timestamp;
use tokio::time::Instant;

use crate::config::Speed;

/// The virtual clock of a replay: it shows the first row's `fetched_at` when the process starts
/// replaying, and runs from there at the configured speed, between invocations too.
#[derive(Debug)]
pub(super) struct Pace {
    speed: Speed,
    first: Timestamp,
    started: Instant,
}

impl Pace {
    /// The clock that shows `first` now.
    pub(super) fn starting_now(speed: Speed, first: Timestamp) -> Self {
        Self { speed, first, started: Instant::now() }
    }

    /// Whether the virtual clock has reached `fetched_at`.
    pub(super) fn is_due(&self, fetched_at: Timestamp) -> bool {
        self.is_due_after(self.started.elapsed(), fetched_at)
    }

    fn is_due_after(&self, elapsed: Duration, fetched_at: Timestamp) -> bool {
        match self.speed {
            Speed::Max => true,
            Speed::Times(factor) => self.after(fetched_at, factor) <= elapsed,
        }
    }

    /// The real time from the start until `fetched_at` is due.
    fn after(&self, fetched_at: Timestamp, factor: f64) -> Duration {
        let recorded = Duration::from_nanos(fetched_at.nanos().saturating_sub(self.first.nanos()).max(0).unsigned_abs());
        // A speed so small that the time overflows: not in this life.
        Duration::try_from_secs_f64(recorded.as_secs_f64() / factor).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn sixty_times_is_a_minute_a_second() {
        let pace = Pace::starting_now(Speed::Times(60.0), at("2013-10-07T08:01:00Z"));
        for (millis, fetched_at, is_due) in [
            (0, "2013-10-07T08:01:00Z", true),
            // An earlier row is overdue.
            (0, "2013-10-07T07:00:00Z", true),
            (0, "2013-10-07T08:01:00.001Z", false),
            (999, "2013-10-07T08:02:00Z", false),
            (1_000, "2013-10-07T08:02:00Z", true),
            (1_000, "2013-10-07T08:02:00.001Z", false),
        ] {
            assert_eq!(pace.is_due_after(Duration::from_millis(millis), at(fetched_at)), is_due, "{fetched_at}");
        }
    }

    #[test]
    fn at_full_speed_everything_is_due_and_at_none_nothing() {
        let first = at("2013-10-07T08:01:00Z");
        let distant = at("2262-01-01T00:00:00Z");
        assert!(Pace::starting_now(Speed::Max, first).is_due(distant));
        assert!(!Pace::starting_now(Speed::Times(f64::MIN_POSITIVE), first).is_due(distant));
    }
}
