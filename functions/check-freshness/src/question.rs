//! What is asked: the days, the SQL, and the rows that come back.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, Utc};
use quotes::Timestamp;
use quotes::calendar::{new_york_date, regular_session_from};
use uuid::Uuid;

/// The longest run of days without trading that is looked behind: the NYSE's longest since 1933 was a week.
const LONGEST_CLOSURE: u64 = 14;

/// The two days whose partitions are read. Nothing older can be fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// The date in New York.
    pub(crate) today: NaiveDate,
    /// The last trading day before it.
    pub(crate) last: NaiveDate,
}

impl Window {
    /// The days to read for a question at `moment`. Where the calendar knows no trading day before, the day before counts.
    pub(crate) fn at(moment: DateTime<Utc>) -> Self {
        let today = new_york_date(Timestamp::from(moment));
        let earlier = (1..=LONGEST_CLOSURE).filter_map(|days| today.checked_sub_days(Days::new(days)));
        let is_trading = |day: &NaiveDate| regular_session_from(*day).is_some_and(|(open, _)| new_york_date(Timestamp::from(open)) == *day);
        let last = earlier.clone().find(is_trading).or_else(|| earlier.clone().next()).unwrap_or(today);
        Self { today, last }
    }
}

/// What is known of one symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The symbol.
    pub(crate) symbol: String,
    /// Rows of today's partition.
    pub(crate) rows: u64,
    /// The newest `fetched_at` of both days.
    pub(crate) newest: DateTime<Utc>,
    /// The largest delay that its feeds declare, in seconds.
    pub(crate) delay_seconds: u64,
}

/// The SQL: one row a symbol. Only the two days' partitions are read, and three columns of them.
pub(crate) fn sql(table: &str, days: Window) -> String {
    let Window { today, last } = days;
    format!(
        "SELECT symbol, count(CASE WHEN dt = '{today}' THEN 1 END) AS quotes, max(fetched_at) AS newest, \
         max(delay_seconds) AS delay FROM \"{table}\" WHERE dt IN ('{last}', '{today}') GROUP BY symbol ORDER BY symbol"
    )
}

/// The token that makes an occasion's question one question, however often it is asked. Athena refuses a known token
/// with other SQL, so the SQL is part of it: a new version of this function asks anew.
pub(crate) fn token(sql: &str, occasion: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{occasion}\n{sql}").as_bytes()).to_string()
}

/// Reads a row; an error says what is wrong with it.
pub(crate) fn seen(row: &[Option<String>]) -> Result<Seen, String> {
    let [Some(symbol), Some(rows), Some(newest), delay] = row else {
        return Err(format!("a row has not the four columns that were asked for: {row:?}"));
    };
    let wrong = |column: &str, found: &str| format!("{symbol}'s {column} is {found:?}");
    let newest_at = NaiveDateTime::parse_from_str(newest, "%Y-%m-%d %H:%M:%S%.f").map_err(|_| wrong("newest", newest))?;
    let delay_seconds = match delay {
        Some(delay) => delay.parse().map_err(|_| wrong("delay", delay))?,
        None => 0,
    };
    Ok(Seen { symbol: symbol.clone(), rows: rows.parse().map_err(|_| wrong("quotes", rows))?, newest: newest_at.and_utc(), delay_seconds })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn days(moment: &str) -> (String, String) {
        let days = Window::at(moment.parse().unwrap());
        (days.today.to_string(), days.last.to_string())
    }

    #[test]
    fn today_is_new_yorks_and_the_last_trading_day_lies_before_it() {
        for (moment, today, last) in [
            ("2026-11-24T15:00:00Z", "2026-11-24", "2026-11-23"),
            // Late in the evening in New York, on a Monday, over a weekend, and after Thanksgiving.
            ("2026-11-24T04:59:59Z", "2026-11-23", "2026-11-20"),
            ("2026-11-22T15:00:00Z", "2026-11-22", "2026-11-20"),
            ("2026-11-27T15:00:00Z", "2026-11-27", "2026-11-25"),
            // Hurricane Sandy closed Monday and Tuesday.
            ("2012-10-31T15:00:00Z", "2012-10-31", "2012-10-26"),
            // The calendar does not know that year.
            ("2040-01-04T15:00:00Z", "2040-01-04", "2040-01-03"),
        ] {
            assert_eq!(days(moment), (today.to_owned(), last.to_owned()), "{moment}");
        }
    }

    #[test]
    fn the_sql_prunes_to_two_partitions() {
        let days = Window::at("2026-11-23T15:00:00Z".parse().unwrap());
        let sql = sql("quotes", days);
        assert!(sql.contains("WHERE dt IN ('2026-11-20', '2026-11-23') GROUP BY symbol"), "{sql}");
        assert!(sql.contains("CASE WHEN dt = '2026-11-23'"), "{sql}");
    }

    #[test]
    fn a_token_is_as_athena_takes_it_and_one_for_each_occasion_and_question() {
        let first = token("SELECT 1", "monday");
        assert!((32..=128).contains(&first.len()), "{first}");
        assert_eq!(token("SELECT 1", "monday"), first);
        assert_ne!(token("SELECT 1", "tuesday"), first);
        assert_ne!(token("SELECT 2", "monday"), first);
    }

    fn row(cells: [Option<&str>; 4]) -> Vec<Option<String>> {
        cells.map(|cell| cell.map(str::to_owned)).to_vec()
    }

    #[test]
    fn rows_are_read_as_athena_prints_them() {
        let full = seen(&row([Some("BRK.B"), Some("42"), Some("2026-11-23 14:30:00.250"), Some("900")])).unwrap();
        let newest = "2026-11-23T14:30:00.250Z".parse().unwrap();
        assert_eq!(full, Seen { symbol: "BRK.B".into(), rows: 42, newest, delay_seconds: 900 });
        let undelayed = seen(&row([Some("A"), Some("0"), Some("2026-11-23 14:30:00"), None])).unwrap();
        assert_eq!((undelayed.rows, undelayed.delay_seconds), (0, 0));
    }

    #[test]
    fn what_is_no_row_of_this_question_is_told() {
        for (cells, told) in [
            ([None, Some("1"), Some("2026-11-23 14:30:00"), None], "four columns"),
            ([Some("A"), Some("one"), Some("2026-11-23 14:30:00"), None], "A's quotes is \"one\""),
            ([Some("A"), Some("1"), Some("yesterday"), None], "A's newest is \"yesterday\""),
            ([Some("A"), Some("1"), Some("2026-11-23 14:30:00"), Some("-1")], "A's delay is \"-1\""),
        ] {
            let error = seen(&row(cells)).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
        assert!(seen(&[]).unwrap_err().contains("four columns"));
    }
}
