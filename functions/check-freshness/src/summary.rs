//! What one check found: the function's answer.

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use serde::{Serialize, Serializer};

use crate::question::Window;
use crate::verdict::{self, Unjudged, Verdict};

/// Silent symbols are named up to this many; the count goes on.
const SILENT_TOLD: usize = 20;

/// The function's answer. Only rows of the last trading day and of today are looked at.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// The date in New York, whose rows and poison are counted.
    pub(crate) day: NaiveDate,
    /// Age of the newest row; null where neither day has one.
    pub(crate) freshness_seconds: Option<f64>,
    /// When the newest row was fetched; null where neither day has one.
    #[serde(serialize_with = "millis")]
    pub(crate) newest_fetched_at: Option<DateTime<Utc>>,
    /// Rows of today.
    pub(crate) rows: u64,
    /// Symbols with rows of today.
    pub(crate) symbols: usize,
    /// The longest silent symbols, at most 20; none where freshness is not judged.
    pub(crate) silent: Vec<String>,
    /// How many symbols are silent; null where freshness is not judged.
    pub(crate) silent_symbols: Option<usize>,
    /// Records in today's quarantine.
    pub(crate) quarantined: u64,
    /// What Athena read, in bytes.
    pub(crate) bytes_scanned: u64,
    /// Whether freshness means something now.
    pub(crate) judged: bool,
    /// Why it means nothing; null where it is judged.
    pub(crate) unjudged: Option<Unjudged>,
    /// Where freshness is judged: the age of the newest row, or the least that it can be.
    #[serde(skip)]
    pub(crate) judged_seconds: Option<f64>,
}

impl Summary {
    /// Puts together what was found by a question that was asked at `at`.
    pub(crate) fn new(window: Window, verdict: Verdict, quarantined: u64, bytes_scanned: u64, at: DateTime<Utc>) -> Self {
        let age = verdict.newest.map(|newest| verdict::age(newest, at));
        let judged = verdict.unjudged.is_none();
        let judged_age = judged.then(|| age.unwrap_or_else(|| verdict::at_least(window.last, at)));
        Self {
            day: window.today,
            freshness_seconds: age.map(seconds),
            newest_fetched_at: verdict.newest,
            rows: verdict.rows,
            symbols: verdict.symbols,
            silent_symbols: judged.then_some(verdict.silent.len()),
            silent: verdict.silent.into_iter().take(SILENT_TOLD).collect(),
            quarantined,
            bytes_scanned,
            judged,
            unjudged: verdict.unjudged,
            judged_seconds: judged_age.map(seconds),
        }
    }
}

/// Seconds with milliseconds, as the table has them.
fn seconds(time: TimeDelta) -> f64 {
    time.num_milliseconds() as f64 / 1000.0
}

fn millis<S: Serializer>(time: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)).serialize(serializer)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn summary(newest: Option<&str>, silent: usize, unjudged: Option<Unjudged>) -> Summary {
        let at = time("2026-11-23T16:00:00Z");
        let silent = (0..silent).map(|n| format!("S{n}")).collect();
        let verdict = Verdict { newest: newest.map(time), rows: 12, symbols: 2, silent, unjudged };
        Summary::new(Window::at(at), verdict, 3, 4096, at)
    }

    #[test]
    fn the_answer_says_all() {
        assert_eq!(
            serde_json::to_value(summary(Some("2026-11-23T15:59:57.250Z"), 1, None)).unwrap(),
            json!({
                "day": "2026-11-23", "freshness_seconds": 2.75, "newest_fetched_at": "2026-11-23T15:59:57.250Z",
                "rows": 12, "symbols": 2, "silent": ["S0"], "silent_symbols": 1, "quarantined": 3, "bytes_scanned": 4096,
                "judged": true, "unjudged": null,
            })
        );
    }

    #[test]
    fn what_is_not_judged_or_not_there_is_null() {
        let closed = serde_json::to_value(summary(None, 0, Some(Unjudged::MarketClosed))).unwrap();
        for null in ["freshness_seconds", "newest_fetched_at", "silent_symbols"] {
            assert!(closed[null].is_null(), "{null}: {closed}");
        }
        assert_eq!((&closed["judged"], &closed["unjudged"]), (&json!(false), &json!("market_closed")));
    }

    #[test]
    fn every_silent_symbol_is_counted_and_twenty_are_named() {
        let summary = summary(None, 50, None);
        assert_eq!((summary.silent.len(), summary.silent_symbols), (20, Some(50)));
        assert_eq!(summary.freshness_seconds, None);
        assert_eq!(summary.judged_seconds, Some(298_800.0), "since the start of Friday");
    }
}
