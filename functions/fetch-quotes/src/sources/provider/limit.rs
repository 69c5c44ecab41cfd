//! Rate limits, kept across the invocations of a process.
//!
//! A sliding log rather than a token bucket: a bucket of 60 a minute lets 119 through within a
//! minute that begins full, a provider that counts by the clock's minute or by any 60 seconds then
//! says 429. The log never has more than the limit in any window, wherever that begins. (`governor`
//! has fixed quotas; what the provider's headers say could not be told to it.)
//!
//! Pure: time is what the caller says, so that a day passes in a test in no time.

use std::collections::VecDeque;
use std::time::Duration;

/// So many in a time: `200/1m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    /// How many requests, or credits where a request costs several.
    pub(crate) most: u32,
    /// In which time.
    pub(crate) per: Duration,
}

/// What an answer's headers say about the limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The limit that the rest is about.
    pub(crate) limit: Option<u32>,
    /// How much is left.
    pub(crate) remaining: Option<u32>,
    /// The time until it is full again.
    pub(crate) reset_in: Option<Duration>,
    /// The time that a refusal says to wait.
    pub(crate) retry_after: Option<Duration>,
}

/// What was used of some limits.
#[derive(Debug)]
pub(crate) struct Limiter {
    windows: Vec<Window>,
    /// Nothing before this: the provider said so.
    blocked_until: Duration,
    /// When the last that was taken is due.
    last: Duration,
}

#[derive(Debug)]
struct Window {
    limit: Limit,
    /// Until when it counts, and how much; in order.
    used: VecDeque<(Duration, u32)>,
}

impl Window {
    /// The earliest time from `at` on when `cost` fits. A cost above the limit itself fits into an
    /// empty window: it cannot be split here.
    fn earliest(&self, at: Duration, cost: u32) -> Duration {
        let mut room = self.limit.most;
        for (until, used) in self.used.iter().rev() {
            if *until <= at {
                break;
            }
            // Also where the cost alone exceeds the limit: then all must have gone.
            match room.checked_sub(*used) {
                Some(left) if left >= cost => room = left,
                _ => return *until,
            }
        }
        at
    }

    /// How much of the limit is free at `at`.
    fn room(&self, at: Duration) -> u32 {
        let used = self.used.iter().rev().take_while(|(until, _)| *until > at);
        self.limit.most.saturating_sub(used.map(|(_, cost)| *cost).sum())
    }

    /// Counts `cost` until `until`, and forgets what counts no more at `now`.
    fn record(&mut self, now: Duration, until: Duration, cost: u32) {
        while self.used.front().is_some_and(|(until, _)| *until <= now) {
            self.used.pop_front();
        }
        let at = self.used.partition_point(|(found, _)| *found <= until);
        self.used.insert(at, (until, cost));
    }
}

impl Limiter {
    /// Nothing used yet.
    pub(crate) fn new(limits: &[Limit]) -> Self {
        let windows = limits.iter().map(|limit| Window { limit: *limit, used: VecDeque::new() }).collect();
        Self { windows, blocked_until: Duration::ZERO, last: Duration::ZERO }
    }

    /// Takes `cost` at the earliest time from `now` on when every limit has room for it, and says
    /// when that is; `None`, and nothing is taken, where it is later than `latest`.
    pub(crate) fn take(&mut self, now: Duration, cost: u32, latest: Duration) -> Option<Duration> {
        let mut at = now.max(self.blocked_until);
        // What was taken before may lie in the future: nothing overtakes it.
        at = at.max(self.last);
        // Each round is moved by one of the windows, of which there are two or three.
        loop {
            let next = self.windows.iter().map(|window| window.earliest(at, cost)).max().unwrap_or(at);
            if next == at {
                break;
            }
            at = next;
        }
        if at > latest {
            return None;
        }
        self.last = at;
        for window in &mut self.windows {
            window.record(now, at + window.limit.per, cost);
        }
        Some(at)
    }

    /// Hears what an answer said. Only ever tightens: others may use the same key.
    pub(crate) fn hear(&mut self, now: Duration, said: Said) {
        let Some(remaining) = said.remaining else { return };
        if let (0, Some(reset_in)) = (remaining, said.reset_in) {
            self.block(now + reset_in);
        }
        // Less is left of this very limit than we know to have used: the rest was used elsewhere,
        // perhaps by this function's last process.
        if let Some(window) = self.windows.iter_mut().find(|window| Some(window.limit.most) == said.limit) {
            let elsewhere = window.room(now).saturating_sub(remaining);
            if elsewhere > 0 {
                let until = now + said.reset_in.unwrap_or(window.limit.per).min(window.limit.per);
                window.record(now, until, elsewhere);
            }
        }
    }

    /// Nothing more before `until`.
    pub(crate) fn block(&mut self, until: Duration) {
        self.blocked_until = self.blocked_until.max(until);
    }

    /// The most that one request may cost.
    pub(crate) fn smallest(&self) -> u32 {
        self.windows.iter().map(|window| window.limit.most).min().unwrap_or(u32::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const FAR: Duration = Duration::from_secs(1_000_000);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn limit(most: u32, per: u64) -> Limit {
        Limit { most, per: seconds(per) }
    }

    #[test]
    fn what_does_not_fit_waits_for_the_oldest_to_leave() {
        let mut limiter = Limiter::new(&[limit(2, 60)]);
        let taken: Vec<_> = [0, 10, 11, 12].map(|now| limiter.take(seconds(now), 1, FAR).unwrap().as_secs()).to_vec();
        assert_eq!(taken, [0, 10, 60, 70]);
        assert_eq!(limiter.take(seconds(20), 1, seconds(40)), None);
        assert_eq!(limiter.take(seconds(20), 1, FAR), Some(seconds(120)), "what is refused takes nothing");
    }

    #[test]
    fn several_limits_hold_at_once_and_credits_count() {
        let mut limiter = Limiter::new(&[limit(8, 60), limit(10, 86_400)]);
        assert_eq!(limiter.take(seconds(0), 8, FAR), Some(seconds(0)));
        assert_eq!(limiter.take(seconds(1), 2, FAR), Some(seconds(60)));
        assert_eq!(limiter.take(seconds(61), 1, FAR), Some(seconds(86_400)));
        assert_eq!(limiter.smallest(), 8);
    }

    #[test]
    fn a_request_above_the_limit_waits_for_an_empty_window() {
        let mut limiter = Limiter::new(&[limit(2, 60)]);
        assert_eq!(limiter.take(seconds(0), 5, FAR), Some(seconds(0)));
        assert_eq!(limiter.take(seconds(1), 5, FAR), Some(seconds(60)));
    }

    #[test]
    fn a_provider_can_only_tighten() {
        let mut limiter = Limiter::new(&[limit(200, 60)]);
        limiter.hear(seconds(10), Said { remaining: Some(0), reset_in: Some(seconds(20)), ..Said::default() });
        limiter.hear(seconds(10), Said { remaining: Some(500), reset_in: Some(seconds(1)), ..Said::default() });
        assert_eq!(limiter.take(seconds(11), 1, FAR), Some(seconds(30)));
        limiter.block(seconds(15));
        assert_eq!(limiter.take(seconds(12), 1, FAR), Some(seconds(30)));
    }

    #[test]
    fn what_others_use_of_the_limit_is_heard_of() {
        let mut limiter = Limiter::new(&[limit(10, 60), limit(5, 1)]);
        assert_eq!(limiter.take(seconds(0), 1, FAR), Some(seconds(0)));
        let said = |remaining| Said { limit: Some(10), remaining: Some(remaining), ..Said::default() };
        // Nine would be left; seven were used elsewhere.
        limiter.hear(seconds(0), said(2));
        limiter.hear(seconds(0), said(2));
        let taken: Vec<_> = (0..3).map(|_| limiter.take(seconds(1), 1, FAR).unwrap().as_secs()).collect();
        assert_eq!(taken, [1, 1, 60]);
        // Another limit than any of ours says nothing about ours.
        let mut limiter = Limiter::new(&[limit(10, 60)]);
        limiter.hear(seconds(0), Said { limit: Some(200), remaining: Some(1), ..Said::default() });
        assert!((0..10).all(|_| limiter.take(seconds(1), 1, FAR) == Some(seconds(1))));
    }

    proptest! {
        /// Whatever is asked for and whenever: no window has more than its limit, wherever it begins.
        #[test]
        fn no_window_ever_exceeds_its_limit(
            steps in prop::collection::vec((0_u64..20_000, 1_u32..4), 1..200),
            most in 4_u32..12,
        ) {
            let limits = [Limit { most, per: seconds(60) }, Limit { most: 4, per: seconds(1) }];
            let mut limiter = Limiter::new(&limits);
            let (mut now, mut taken) = (Duration::ZERO, Vec::new());
            for (step, cost) in steps {
                now += Duration::from_millis(step);
                let at = limiter.take(now, cost, FAR).unwrap();
                prop_assert!(at >= now);
                taken.push((at, cost));
            }
            for limit in limits {
                for (begin, _) in &taken {
                    let inside = taken.iter().filter(|(at, _)| at >= begin && *at < *begin + limit.per);
                    prop_assert!(inside.map(|(_, cost)| *cost).sum::<u32>() <= limit.most);
                }
            }
        }
    }
}
