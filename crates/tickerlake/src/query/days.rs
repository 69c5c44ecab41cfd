//! The days that a named query looks at.
//!
//! A named query runs as it stands in any console, with the last days by the clock. The condition on `dt` that says so stands
//! in a line with the comment `-- the days`, where a person can write another one; `--day` does just that.

use std::str::FromStr;

use chrono::{Days as Count, NaiveDate, Utc};

use crate::failure::Failure;
use crate::lake::Lake;

/// The comment behind the condition.
const MARK: &str = " -- the days";

/// Every named query looks back this many days at least.
const RECENT: Count = Count::new(4);

/// The days from one to another, both among them. A day is that of the fetch, New York's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Days {
    pub(super) first: NaiveDate,
    pub(super) last: NaiveDate,
}

impl FromStr for Days {
    type Err = String;

    /// Reads `2026-11-20` or `2026-11-16..2026-11-20`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let day = |text: &str| {
            let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|day| day.to_string() == text);
            day.ok_or_else(|| "not a day such as 2026-11-20, nor days such as 2026-11-16..2026-11-20".to_owned())
        };
        let (first, last) = (day(first)?, day(last)?);
        if last < first { Err(format!("{last} is before {first}")) } else { Ok(Self { first, last }) }
    }
}

impl Days {
    /// The SQL with these days in the place of its own; none if it has no line for them.
    pub(super) fn put_into(self, sql: &str) -> Option<String> {
        let Self { first, last } = self;
        let condition = if first == last { format!("dt = '{first}'") } else { format!("dt BETWEEN '{first}' AND '{last}'") };
        put(&condition, "dt ", MARK, sql)
    }
}

/// Puts a condition in the place of the one that begins with `column` and ends with `mark`, in each line that has one.
pub(super) fn put(condition: &str, column: &str, mark: &str, sql: &str) -> Option<String> {
    let mut found = false;
    let lines: String = sql
        .split_inclusive('\n')
        .map(|line| {
            let own = line.split_once(mark).and_then(|(code, comment)| Some((code.split_once(column)?.0, comment)));
            let Some((before, comment)) = own else { return line.to_owned() };
            found = true;
            format!("{before}{condition}{mark}{comment}")
        })
        .collect();
    found.then_some(lines)
}

/// The lake's newest day, if it holds none of the last days by the clock, as after a replay of old quotes: a query that looks
/// at the last days would find nothing.
pub(super) async fn instead_of_none(lake: &Lake) -> Result<Option<Days>, Failure> {
    let newest = lake.days().await?.into_iter().filter_map(|day| day.parse::<NaiveDate>().ok()).max();
    let recent = Utc::now().date_naive().checked_sub_days(RECENT);
    Ok(newest.filter(|newest| recent.is_some_and(|recent| *newest < recent)).map(|day| Days { first: day, last: day }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SQL: &str = "-- what dt means\nSELECT dt FROM quotes\n    WHERE dt >= CAST(current_date - INTERVAL '6' DAY AS varchar) -- the days: or such as dt = '2026-11-20'\n";

    #[test]
    fn days_are_read() {
        assert_eq!("2013-10-07".parse::<Days>().unwrap().first.to_string(), "2013-10-07");
        let week: Days = "2013-10-07..2013-10-11".parse().unwrap();
        assert_eq!(week.last.to_string(), "2013-10-11");
        for text in ["", "today", "2013-10-7", "2013-10-32", "2013-10-11..2013-10-07", "2013-10-07..", "2013-10-07' OR 1=1"] {
            assert!(text.parse::<Days>().is_err(), "{text}");
        }
    }

    #[test]
    fn days_take_the_place_of_the_condition() {
        let with = |days: &str| days.parse::<Days>().unwrap().put_into(SQL).unwrap();
        let expected = |condition: &str| {
            format!("-- what dt means\nSELECT dt FROM quotes\n    WHERE {condition} -- the days: or such as dt = '2026-11-20'\n")
        };
        assert_eq!(with("2013-10-07"), expected("dt = '2013-10-07'"));
        assert_eq!(with("2013-10-07..2013-10-11"), expected("dt BETWEEN '2013-10-07' AND '2013-10-11'"));
        assert_eq!("2013-10-07".parse::<Days>().unwrap().put_into("SELECT dt FROM quotes"), None);
    }
}
