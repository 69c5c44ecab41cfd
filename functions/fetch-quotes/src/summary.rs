//! What one invocation did: the function's answer.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::sources::provider::fault::Reason;

/// Failures are told one by one up to this many; the count goes on.
const FAILURES_TOLD: usize = 20;

/// The function's answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// The source's name.
    pub(crate) source: &'static str,
    /// Quotes that the source gave.
    pub(crate) fetched: usize,
    /// Quotes that Kafka acknowledged.
    pub(crate) produced: usize,
    /// Symbols or lines that the source could not give, and quotes that Kafka did not take.
    pub(crate) failed: usize,
    /// The failures by their kind.
    pub(crate) reasons: BTreeMap<Reason, usize>,
    /// The first failures, at most 20.
    pub(crate) failures: Vec<Failure>,
    /// Quotes that were left out because nothing about them is new.
    pub(crate) unchanged: usize,
    /// Symbols that wait for their turn, because a rate limit has no room for all.
    pub(crate) deferred: usize,
    /// Whether nothing was fetched because the market is closed.
    pub(crate) closed: bool,
    /// The symbols that failed for a reason of their own: for the metrics.
    #[serde(skip)]
    pub(crate) missed: Vec<(String, Reason)>,
    /// Whether the source has nothing more to give, ever: a replay at the end of its file.
    pub(crate) exhausted: bool,
}

impl Summary {
    /// Nothing done yet with `source`.
    pub(crate) const fn new(source: &'static str) -> Self {
        Self {
            source,
            fetched: 0,
            produced: 0,
            failed: 0,
            reasons: BTreeMap::new(),
            failures: Vec::new(),
            unchanged: 0,
            deferred: 0,
            closed: false,
            missed: Vec::new(),
            exhausted: false,
        }
    }

    /// Counts a failure, and keeps it while there are few.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.failed += 1;
        *self.reasons.entry(failure.kind).or_default() += 1;
        if let (Subject::Symbol(symbol), true) = (&failure.subject, failure.kind.is_of_the_symbol()) {
            self.missed.push((symbol.clone(), failure.kind));
        }
        if self.failures.len() < FAILURES_TOLD {
            self.failures.push(failure);
        }
    }
}

/// One thing that was asked for and did not reach Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// Which one.
    #[serde(flatten)]
    pub(crate) subject: Subject,
    /// What kind of failure it is.
    pub(crate) kind: Reason,
    /// Why, in words.
    pub(crate) reason: String,
}

/// What a failure is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Subject {
    /// A symbol that was asked for.
    Symbol(String),
    /// A line of a replay file; the header is line 1.
    Line(u64),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn the_answer_names_symbols_and_lines() {
        let mut summary = Summary::new("replay");
        summary.fetched = 3;
        summary.produced = 2;
        summary.fail(Failure { subject: Subject::Symbol("AAPL".to_owned()), kind: Reason::NotProduced, reason: "too large".to_owned() });
        summary.fail(Failure { subject: Subject::Line(7), kind: Reason::Unreadable, reason: "price: not a number".to_owned() });
        assert_eq!(
            serde_json::to_value(&summary).unwrap(),
            json!({
                "source": "replay", "fetched": 3, "produced": 2, "failed": 2,
                "reasons": {"not_produced": 1, "unreadable": 1},
                "failures": [
                    {"symbol": "AAPL", "kind": "not_produced", "reason": "too large"},
                    {"line": 7, "kind": "unreadable", "reason": "price: not a number"},
                ],
                "unchanged": 0, "deferred": 0, "closed": false, "exhausted": false,
            })
        );
    }

    #[test]
    fn every_failure_is_counted_and_twenty_are_told() {
        let mut summary = Summary::new("replay");
        for line in 0..50 {
            summary.fail(Failure { subject: Subject::Line(line), kind: Reason::Unreadable, reason: String::new() });
        }
        assert_eq!((summary.failed, summary.failures.len()), (50, 20));
    }
}
