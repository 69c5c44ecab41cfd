//! When the market is open, as far as somebody wants to know of it.

use std::time::Duration;

use crate::calendar::{Calendar, Session};
use crate::time::Timestamp;

/// A session's last minute bar exists only after its last minute, and a run a minute comes late by
/// up to one: asked until this long after the close.
const GRACE: Duration = Duration::from_secs(60);

/// The part of the day in which a provider is asked, and in which its quotes are expected (`MARKET_HOURS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hours {
    /// 09:30 to 16:00, or to 13:00 on a half-day.
    Regular,
    /// With the pre-market from 04:00 and the four hours after the close.
    Extended,
    /// Day and night.
    Always,
}

impl Hours {
    /// Reads `regular`, `extended` or `always`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "regular" => Some(Self::Regular),
            "extended" => Some(Self::Extended),
            "always" => Some(Self::Always),
            _ => None,
        }
    }

    /// Whether there can be news at `now` on a feed that is `delay` behind.
    ///
    /// A delayed feed goes on telling of the session for as long after its end. In years that the
    /// calendar does not know it is always open.
    pub fn are_open(self, now: Timestamp, delay: Duration, calendar: &mut Calendar) -> bool {
        let mut is_in = |moment: Timestamp| match (self, calendar.place(moment).session) {
            (Self::Always, _) | (_, None) => true,
            (Self::Regular, Some(session)) => session == Session::Regular,
            (Self::Extended, Some(session)) => matches!(session, Session::Pre | Session::Regular | Session::Post),
        };
        let ago = |time: Duration| {
            let nanos = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
            Timestamp::from_nanos(now.nanos().saturating_sub(nanos)).unwrap_or(now)
        };
        is_in(ago(delay)) || is_in(ago(delay + GRACE))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn open(hours: Hours, now: &str, delay: u64) -> bool {
        hours.are_open(now.parse().unwrap(), Duration::from_secs(delay), &mut Calendar::new())
    }

    #[test]
    fn sessions_begin_and_end_with_the_calendars() {
        for (now, regular, extended) in [
            ("2026-11-23T08:59:59Z", false, false),
            ("2026-11-23T09:00:00Z", false, true),
            ("2026-11-23T14:29:59Z", false, true),
            ("2026-11-23T14:30:00Z", true, true),
            ("2026-11-23T20:59:59Z", true, true),
            ("2026-11-23T21:00:59Z", true, true),
            ("2026-11-23T21:01:00Z", false, true),
            ("2026-11-24T01:01:00Z", false, false),
            // A Sunday, Thanksgiving, and the half-day after it.
            ("2026-11-22T16:00:00Z", false, false),
            ("2026-11-26T16:00:00Z", false, false),
            ("2026-11-27T17:59:00Z", true, true),
            ("2026-11-27T18:01:00Z", false, true),
            ("2026-11-27T22:01:00Z", false, false),
        ] {
            assert_eq!((open(Hours::Regular, now, 0), open(Hours::Extended, now, 0)), (regular, extended), "{now}");
            assert!(open(Hours::Always, now, 0));
        }
        assert!(open(Hours::Regular, "2040-01-01T00:00:00Z", 0), "the calendar does not know that year");
    }

    #[test]
    fn a_delayed_feed_opens_and_closes_later() {
        assert!(!open(Hours::Regular, "2026-11-23T14:44:59Z", 900));
        assert!(open(Hours::Regular, "2026-11-23T14:45:00Z", 900));
        assert!(open(Hours::Regular, "2026-11-23T21:15:59Z", 900));
        assert!(!open(Hours::Regular, "2026-11-23T21:16:00Z", 900));
    }
}
