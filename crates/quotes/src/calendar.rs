//! The New York calendar: dates, trading sessions, trade dates.

use std::fmt;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::America::New_York;
use exchange_hours::{Exchange, ExchangeCalendar, SessionKind};

use crate::time::Timestamp;

/// The part of the trading day that a moment falls into, by the NYSE's calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Session {
    /// 20:00 to 04:00 New York before a trading day.
    Overnight,
    /// 04:00 to the opening auction.
    Pre,
    /// 09:30 to 16:00, or to 13:00 on a half-day.
    Regular,
    /// The four hours after the regular close.
    Post,
    /// Everything else: weekends, holidays, the evening of a half-day.
    Closed,
}

impl Session {
    /// The word in the `session` column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overnight => "overnight",
            Self::Pre => "pre",
            Self::Regular => "regular",
            Self::Post => "post",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a moment stands in the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The calendar date in New York: `dt` for `fetched_at`.
    pub date: NaiveDate,
    /// The session; `None` outside of the years that the calendar knows (2010 to 2028).
    pub session: Option<Session>,
    /// The trading day that the moment belongs to: it rolls at 20:00 New York, over weekends and
    /// holidays to the next trading day. `None` outside of the years that the calendar knows.
    pub trade_date: Option<NaiveDate>,
}

/// Places moments in the calendar, remembering the days it has worked out.
///
/// A batch's moments fall into a few days, and working a day out takes microseconds: a thousand
/// times as long as comparing a moment with a day already known.
#[derive(Debug, Default)]
pub struct Calendar {
    days: Vec<Day>,
}

impl Calendar {
    /// More days than one batch has, and few enough to look through.
    const REMEMBERED: usize = 8;

    /// A calendar that has worked out no day yet.
    pub const fn new() -> Self {
        Self { days: Vec::new() }
    }

    /// The place of `moment`.
    pub fn place(&mut self, moment: Timestamp) -> Place {
        let nanos = moment.nanos();
        let position = match self.days.iter().position(|day| day.contains(nanos)) {
            Some(position) => position,
            None => {
                if self.days.len() == Self::REMEMBERED {
                    self.days.remove(0);
                }
                self.days.push(Day::of(new_york_date(moment)));
                self.days.len() - 1
            }
        };
        self.days[position].place(nanos)
    }
}

/// The date in New York at `moment`.
pub fn new_york_date(moment: Timestamp) -> NaiveDate {
    moment.to_utc().with_timezone(&New_York).date_naive()
}

/// The first regular session that opens on `date` or later, in UTC; `None` where the calendar does not know.
pub fn regular_session_from(date: NaiveDate) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    ExchangeCalendar::new(Exchange::Nyse).session_bounds_with(new_york_time(date, NaiveTime::MIN), SessionKind::Regular).ok().flatten()
}

/// One date in New York, its sessions as spans of UTC nanoseconds.
#[derive(Debug)]
struct Day {
    date: NaiveDate,
    start: i64,
    end: i64,
    /// Where each session of the day ends, in order; the last one ends with the day.
    sessions: Vec<(i64, Option<Session>)>,
    rolls_at: i64,
    trade_date: Option<NaiveDate>,
    next_trade_date: Option<NaiveDate>,
}

impl Day {
    fn of(date: NaiveDate) -> Self {
        let tomorrow = date.checked_add_days(Days::new(1)).unwrap_or(date);
        let at = |hour| nanos(new_york_time(date, NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default()));
        let (start, end) = (at(0), nanos(new_york_time(tomorrow, NaiveTime::MIN)));
        let rolls_at = at(20);
        let opening_date = |open: DateTime<Utc>| open.with_timezone(&New_York).date_naive();

        let session = regular_session_from(date);
        let trade_date = session.map(|(open, _)| opening_date(open));
        let next_trade_date = regular_session_from(tomorrow).map(|(open, _)| opening_date(open));

        let mut sessions = Vec::with_capacity(6);
        match session {
            Some((open, close)) if trade_date == Some(date) => sessions.extend([
                (at(4), Some(Session::Overnight)),
                (nanos(open), Some(Session::Pre)),
                (nanos(close), Some(Session::Regular)),
                (nanos(close + TimeDelta::hours(4)), Some(Session::Post)),
                (rolls_at, Some(Session::Closed)),
            ]),
            Some(_) => sessions.push((rolls_at, Some(Session::Closed))),
            None => sessions.push((rolls_at, None)),
        }
        let evening = next_trade_date.map(|next| if next == tomorrow { Session::Overnight } else { Session::Closed });
        sessions.push((end, evening));
        Self { date, start, end, sessions, rolls_at, trade_date, next_trade_date }
    }

    fn contains(&self, nanos: i64) -> bool {
        (self.start..self.end).contains(&nanos)
    }

    fn place(&self, nanos: i64) -> Place {
        let session = self.sessions.iter().find(|(end, _)| nanos < *end).and_then(|(_, session)| *session);
        let trade_date = if nanos < self.rolls_at { self.trade_date } else { self.next_trade_date };
        Place { date: self.date, session, trade_date }
    }
}

/// `time` on `date` in New York. The hours used here are never skipped or repeated by a clock
/// change (those are at 02:00); `earliest` merely avoids a panic path.
fn new_york_time(date: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    let local = date.and_time(time);
    New_York.from_local_datetime(&local).earliest().map_or_else(|| local.and_utc(), |moment| moment.to_utc())
}

fn nanos(moment: DateTime<Utc>) -> i64 {
    moment.timestamp_nanos_opt().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn place(text: &str) -> (String, String, String) {
        let place = Calendar::new().place(text.parse().unwrap());
        let show = |date: Option<NaiveDate>| date.map_or("unknown".to_owned(), |date| date.to_string());
        (place.date.to_string(), place.session.map_or("unknown", Session::as_str).to_owned(), show(place.trade_date))
    }

    #[test]
    fn sessions_of_an_ordinary_week() {
        for (moment, date, session, trade_date) in [
            ("2026-11-23T08:59:59.999Z", "2026-11-23", "overnight", "2026-11-23"),
            ("2026-11-23T09:00:00Z", "2026-11-23", "pre", "2026-11-23"),
            ("2026-11-23T14:29:59.999999999Z", "2026-11-23", "pre", "2026-11-23"),
            ("2026-11-23T14:30:00Z", "2026-11-23", "regular", "2026-11-23"),
            ("2026-11-23T20:59:59.999Z", "2026-11-23", "regular", "2026-11-23"),
            ("2026-11-23T21:00:00Z", "2026-11-23", "post", "2026-11-23"),
            ("2026-11-24T00:59:59Z", "2026-11-23", "post", "2026-11-23"),
            ("2026-11-24T01:00:00Z", "2026-11-23", "overnight", "2026-11-24"),
            ("2026-11-24T05:00:00Z", "2026-11-24", "overnight", "2026-11-24"),
            // Friday evening to Sunday evening.
            ("2026-11-21T01:00:00Z", "2026-11-20", "closed", "2026-11-23"),
            ("2026-11-22T12:00:00Z", "2026-11-22", "closed", "2026-11-23"),
            ("2026-11-23T01:00:00Z", "2026-11-22", "overnight", "2026-11-23"),
        ] {
            assert_eq!(place(moment), (date.into(), session.into(), trade_date.into()), "{moment}");
        }
    }

    #[test]
    fn holidays_half_days_and_unforeseen_closures() {
        for (moment, session, trade_date) in [
            // Thanksgiving, the evening before it, and the half-day after it.
            ("2026-11-26T02:00:00Z", "closed", "2026-11-27"),
            ("2026-11-26T16:00:00Z", "closed", "2026-11-27"),
            ("2026-11-27T02:00:00Z", "overnight", "2026-11-27"),
            ("2026-11-27T17:59:59Z", "regular", "2026-11-27"),
            ("2026-11-27T18:00:00Z", "post", "2026-11-27"),
            ("2026-11-27T22:00:00Z", "closed", "2026-11-27"),
            ("2026-11-28T01:00:00Z", "closed", "2026-11-30"),
            // Hurricane Sandy, and the day of mourning for Jimmy Carter.
            ("2012-10-29T15:00:00Z", "closed", "2012-10-31"),
            ("2025-01-09T16:00:00Z", "closed", "2025-01-10"),
        ] {
            let (_, found, date) = place(moment);
            assert_eq!((found.as_str(), date.as_str()), (session, trade_date), "{moment}");
        }
    }

    #[test]
    fn clock_changes_move_the_sessions_in_utc() {
        // Clocks go forward on 2026-03-08 and back on 2026-11-01.
        assert_eq!(place("2026-03-06T14:29:59Z").1, "pre");
        assert_eq!(place("2026-03-09T13:30:00Z").1, "regular");
        assert_eq!(place("2026-10-30T13:30:00Z").1, "regular");
        assert_eq!(place("2026-11-02T13:30:00Z").1, "pre");
        assert_eq!(place("2026-11-01T05:30:00Z").0, "2026-11-01");
        assert_eq!(place("2026-03-09T03:59:59.999Z").0, "2026-03-08");
    }

    #[test]
    fn what_the_calendar_does_not_know_is_not_guessed() {
        assert_eq!(place("2005-11-24T16:00:00Z"), ("2005-11-24".into(), "unknown".into(), "unknown".into()));
        assert_eq!(place("2040-11-22T16:00:00Z").1, "unknown");
    }

    proptest! {
        /// A session lies within one New York date, so a session's quotes share a partition; and
        /// remembering days changes no answer. (To the last weeks of the years that the calendar knows.)
        #[test]
        fn a_remembered_day_answers_as_a_new_one(seconds in prop::collection::vec(1_262_304_000_i64..1_861_000_000, 1..40)) {
            let mut calendar = Calendar::new();
            for second in seconds {
                let moment = Timestamp::from_nanos(second * 1_000_000_000).unwrap();
                let place = calendar.place(moment);
                prop_assert_eq!(place, Calendar::new().place(moment));
                prop_assert_eq!(place.date, new_york_date(moment));
                if matches!(place.session, Some(Session::Pre | Session::Regular | Session::Post)) {
                    prop_assert_eq!(place.trade_date, Some(place.date));
                }
                prop_assert!(place.trade_date >= Some(place.date));
            }
        }
    }
}
