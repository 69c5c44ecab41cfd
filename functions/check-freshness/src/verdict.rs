//! What the rows mean: how old the newest is, who is silent, and whether that can be judged now.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use quotes::Timestamp;
use quotes::calendar::Calendar;
use quotes::hours::Hours;
use serde::Serialize;

use crate::question::Seen;

/// What is expected of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// The symbols that must have rows.
    pub(crate) wanted: &'a BTreeSet<String>,
    /// The sessions in which they must.
    pub(crate) hours: Hours,
    /// How long a symbol may have none.
    pub(crate) silent_after: Duration,
}

/// Why freshness is not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unjudged {
    /// The market is closed.
    MarketClosed,
    /// The market has opened so lately that nothing can be late yet.
    MarketJustOpened,
}

/// What was found.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    /// The newest `fetched_at`; `None` where neither day has a row.
    pub(crate) newest: Option<DateTime<Utc>>,
    /// Rows of today's partition.
    pub(crate) rows: u64,
    /// Symbols with a row in today's partition.
    pub(crate) symbols: usize,
    /// Symbols that are wanted, or were seen on either day, and had no row for too long; the longest silent first.
    pub(crate) silent: Vec<String>,
    /// Why freshness means nothing now; `None` if it is judged.
    pub(crate) unjudged: Option<Unjudged>,
}

/// Judges what was seen by a question that was asked at `at`.
pub(crate) fn judge(seen: &[Seen], expected: Expected<'_>, at: DateTime<Utc>) -> Verdict {
    let mut newest_by_symbol: BTreeMap<&str, Option<DateTime<Utc>>> =
        expected.wanted.iter().map(|symbol| (symbol.as_str(), None)).collect();
    newest_by_symbol.extend(seen.iter().map(|seen| (seen.symbol.as_str(), Some(seen.newest))));

    // A delayed feed has its first quote that much later.
    let delay = seen.iter().map(|seen| seen.delay_seconds).max().map_or(Duration::ZERO, Duration::from_secs);
    let unjudged = unjudged(expected.hours, expected.silent_after.saturating_add(delay), at);
    let mut silent = Vec::new();
    if unjudged.is_none() {
        let bound = before(at, expected.silent_after);
        silent = newest_by_symbol.iter().filter(|(_, newest)| newest.is_none_or(|newest| newest < bound)).collect();
        // `None` is before every time: a symbol that was never there leads.
        silent.sort_by_key(|(symbol, newest)| (**newest, **symbol));
    }
    Verdict {
        newest: seen.iter().map(|seen| seen.newest).max(),
        rows: seen.iter().map(|seen| seen.rows).sum(),
        symbols: seen.iter().filter(|seen| seen.rows > 0).count(),
        silent: silent.into_iter().map(|(symbol, _)| (*symbol).to_owned()).collect(),
        unjudged,
    }
}

/// Freshness means something while the market is open and was open `lead` ago.
fn unjudged(hours: Hours, lead: Duration, at: DateTime<Utc>) -> Option<Unjudged> {
    let mut calendar = Calendar::new();
    let mut open = |moment: DateTime<Utc>| hours.are_open(Timestamp::from(moment), Duration::ZERO, &mut calendar);
    if !open(at) {
        Some(Unjudged::MarketClosed)
    } else if !open(before(at, lead)) {
        Some(Unjudged::MarketJustOpened)
    } else {
        None
    }
}

/// How old `newest` is at `at`. Rows that landed while the query ran are not younger than now.
pub(crate) fn age(newest: DateTime<Utc>, at: DateTime<Utc>) -> TimeDelta {
    (at - newest).max(TimeDelta::zero())
}

/// The least age of a row that neither day has: it is from before the earlier day, which begins in New York at 04:00 or
/// 05:00 UTC.
pub(crate) fn at_least(last_day: NaiveDate, at: DateTime<Utc>) -> TimeDelta {
    age(last_day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(5), at)
}

fn before(at: DateTime<Utc>, time: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(time).ok().and_then(|time| at.checked_sub_signed(time)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn row(symbol: &str, rows: u64, newest: &str, delay_seconds: u64) -> Seen {
        Seen { symbol: symbol.to_owned(), rows, newest: time(newest), delay_seconds }
    }

    /// What is said at a moment of rows, with IBM and SPY wanted in regular hours and a bound of 15 minutes.
    fn verdict(seen: &[Seen], at: &str) -> Verdict {
        let wanted = ["IBM", "SPY"].map(String::from).into();
        judge(seen, Expected { wanted: &wanted, hours: Hours::Regular, silent_after: Duration::from_secs(900) }, time(at))
    }

    #[test]
    fn the_newest_row_and_todays_are_told_at_any_time() {
        let seen = [row("IBM", 7, "2026-11-23T15:59:58Z", 0), row("OLD", 0, "2026-11-20T20:59:00Z", 0)];
        for at in ["2026-11-23T16:00:00Z", "2026-11-23T23:00:00Z"] {
            let verdict = verdict(&seen, at);
            assert_eq!((verdict.newest, verdict.rows, verdict.symbols), (Some(time("2026-11-23T15:59:58Z")), 7, 1));
        }
        assert_eq!(verdict(&[], "2026-11-23T16:00:00Z").newest, None);
    }

    #[test]
    fn silent_are_the_wanted_and_the_seen_and_the_longest_silent_lead() {
        let seen =
            [row("IBM", 7, "2026-11-23T15:45:00Z", 0), row("LATE", 3, "2026-11-23T15:44:59Z", 0), row("OLD", 0, "2026-11-20T20:59:00Z", 0)];
        let verdict = verdict(&seen, "2026-11-23T16:00:00Z");
        assert_eq!((verdict.unjudged, verdict.silent), (None, ["SPY", "OLD", "LATE"].map(String::from).to_vec()));
    }

    #[test]
    fn a_closed_market_is_not_judged() {
        let seen = [row("IBM", 7, "2026-11-20T20:59:58Z", 0)];
        for (at, expected) in [
            ("2026-11-22T16:00:00Z", Some(Unjudged::MarketClosed)),
            ("2026-11-23T14:29:00Z", Some(Unjudged::MarketClosed)),
            ("2026-11-23T14:30:00Z", Some(Unjudged::MarketJustOpened)),
            ("2026-11-23T14:44:59Z", Some(Unjudged::MarketJustOpened)),
            ("2026-11-23T14:45:00Z", None),
            ("2026-11-23T21:00:30Z", None),
            ("2026-11-23T21:01:00Z", Some(Unjudged::MarketClosed)),
            // Thanksgiving, and the half-day after it.
            ("2026-11-26T16:00:00Z", Some(Unjudged::MarketClosed)),
            ("2026-11-27T18:02:00Z", Some(Unjudged::MarketClosed)),
        ] {
            let verdict = verdict(&seen, at);
            assert_eq!(verdict.unjudged, expected, "{at}");
            assert_eq!(verdict.silent.is_empty(), expected.is_some(), "{at}");
        }
    }

    #[test]
    fn a_delayed_feed_is_given_its_delay() {
        let seen = [row("IBM", 0, "2026-11-20T21:14:00Z", 900)];
        assert_eq!(verdict(&seen, "2026-11-23T14:59:59Z").unjudged, Some(Unjudged::MarketJustOpened));
        assert_eq!(verdict(&seen, "2026-11-23T15:00:00Z").unjudged, None);
    }

    #[test]
    fn an_age_is_never_negative() {
        let at = time("2026-11-23T16:00:00Z");
        assert_eq!(age(time("2026-11-23T15:59:57.500Z"), at), TimeDelta::milliseconds(2_500));
        assert_eq!(age(time("2026-11-23T16:00:01Z"), at), TimeDelta::zero());
        assert_eq!(at_least("2026-11-20".parse().unwrap(), at), TimeDelta::hours(3 * 24 + 11));
    }
}
