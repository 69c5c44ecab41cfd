//! The moment that a point-in-time query looks back from.

use std::str::FromStr;

use chrono::Days as Count;
use quotes::Timestamp;
use quotes::calendar::new_york_date;

use super::days::{self, Days};

/// The comment behind the condition.
const MARK: &str = " -- the moment";

/// The days before the moment's own that may hold the newest quote of a symbol.
const WEEK: Count = Count::new(6);

/// An instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(Timestamp);

impl FromStr for Moment {
    type Err = String;

    /// Reads RFC 3339: `2026-11-20T15:30:00Z`, `2026-11-20T10:30:00-05:00`.
    fn from_str(text: &str) -> Result<Self, String> {
        Timestamp::parse(text).map(Self).map_err(|_| "not a moment such as 2026-11-20T15:30:00Z or 2026-11-20T10:30:00-05:00".to_owned())
    }
}

impl Moment {
    /// The SQL with this moment in the place of its own; none if it has no line for it.
    pub(super) fn put_into(self, sql: &str) -> Option<String> {
        let condition = format!("fetched_at <= timestamp '{}'", self.0.to_utc().format("%Y-%m-%d %H:%M:%S%.3f"));
        days::put(&condition, "fetched_at ", MARK, sql)
    }

    /// The week that ends with the moment's day.
    pub(super) fn week_before(self) -> Days {
        let last = new_york_date(self.0);
        Days { first: last.checked_sub_days(WEEK).unwrap_or(last), last }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_takes_the_place_of_the_condition() {
        let moment: Moment = "2013-10-07T20:30:00.5-04:00".parse().unwrap();
        assert_eq!(
            moment.put_into("WHERE dt = 'x'\n  AND fetched_at <= timestamp '2026-11-20 00:00:00' -- the moment\n").unwrap(),
            "WHERE dt = 'x'\n  AND fetched_at <= timestamp '2013-10-08 00:30:00.500' -- the moment\n"
        );
        let week = moment.week_before();
        assert_eq!((week.first.to_string(), week.last.to_string()), ("2013-10-01".to_owned(), "2013-10-07".to_owned()));
        assert_eq!(moment.put_into("SELECT 1"), None);
        assert!("2013-10-07".parse::<Moment>().is_err());
    }
}
