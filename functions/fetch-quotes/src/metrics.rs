//! Metrics in CloudWatch's embedded metric format: lines of JSON on the standard output, of which
//! CloudWatch makes metrics without a call from here.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::io::Write as _;

use serde_json::{Map, Value, json};

use crate::sources::provider::fault::Reason;
use crate::summary::Summary;

/// The namespace; the function's name tells one stack from another.
const NAMESPACE: &str = "tickerlake";

/// Each symbol that is told of is a metric that costs money: a provider that forgot all symbols at
/// once is seen in the other metrics.
const SYMBOLS_TOLD: usize = 100;

/// Writes the metrics of one invocation.
pub(crate) fn write(function: &str, summary: &Summary, millis: i64) {
    let mut out = std::io::stdout().lock();
    for line in lines(function, summary, millis) {
        // Where the log cannot be written to, there is nobody to tell.
        let _ = writeln!(out, "{line}");
    }
}

/// One line for the invocation, and one for each symbol that failed for a reason of its own.
fn lines(function: &str, summary: &Summary, millis: i64) -> Vec<Value> {
    let count = |count: usize| Value::from(count);
    let mut values = Map::from_iter([
        ("Fetched".to_owned(), count(summary.fetched)),
        ("Produced".to_owned(), count(summary.produced)),
        ("Failed".to_owned(), count(summary.failed)),
        ("Unchanged".to_owned(), count(summary.unchanged)),
        ("Deferred".to_owned(), count(summary.deferred)),
    ]);
    // Each reason in each line: an alarm needs the zeros too.
    for reason in Reason::ALL {
        values.insert(reason.metric().to_owned(), count(summary.reasons.get(&reason).copied().unwrap_or(0)));
    }
    let mut line = directive(millis, &["FunctionName"], values.keys().map(String::as_str));
    line.append(&mut values);
    line.insert("FunctionName".to_owned(), function.into());
    line.insert("Source".to_owned(), summary.source.into());
    let mut lines = vec![Value::Object(line)];
    for (symbol, reason) in summary.missed.iter().take(SYMBOLS_TOLD) {
        let mut line = directive(millis, &["FunctionName", "Symbol"], ["Misses"].into_iter());
        let told = [("FunctionName", function), ("Source", summary.source), ("Symbol", symbol), ("Reason", reason.as_str())];
        line.extend(told.map(|(name, value)| (name.to_owned(), value.into())));
        line.insert("Misses".to_owned(), 1.into());
        lines.push(Value::Object(line));
    }
    lines
}

fn directive<'a>(millis: i64, dimensions: &[&str], metrics: impl Iterator<Item = &'a str>) -> Map<String, Value> {
    let metrics: Vec<_> = metrics.map(|name| json!({"Name": name, "Unit": "Count"})).collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics});
    Map::from_iter([("_aws".to_owned(), json!({"Timestamp": millis, "CloudWatchMetrics": [directive]}))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{Failure, Subject};

    #[test]
    fn reasons_are_counted_and_symbols_told_where_it_is_theirs() {
        let mut summary = Summary::new("alpaca");
        summary.fetched = 7;
        for (symbol, kind) in [("OLD", Reason::Stale), ("GONE", Reason::UnknownSymbol), ("AAPL", Reason::Unavailable)] {
            summary.fail(Failure { subject: Subject::Symbol(symbol.to_owned()), kind, reason: String::new() });
        }
        let lines = lines("stack-fetch", &summary, 1_795_444_320_000);
        let counts = ["Fetched", "Failed", "Stale", "UnknownSymbol", "Unavailable", "RateLimited"].map(|name| lines[0][name].as_u64());
        assert_eq!(counts, [7, 3, 1, 1, 1, 0].map(Some));
        let declared = &lines[0]["_aws"]["CloudWatchMetrics"][0];
        assert_eq!((&declared["Namespace"], &declared["Dimensions"]), (&json!("tickerlake"), &json!([["FunctionName"]])));
        // Each metric that is declared is there: CloudWatch drops a line that lacks one.
        for metric in declared["Metrics"].as_array().into_iter().flatten() {
            assert!(metric["Name"].as_str().is_some_and(|name| lines[0][name].is_u64()), "{metric}");
        }
        let told: Vec<_> =
            lines[1..].iter().map(|line| (line["Symbol"].as_str(), line["Reason"].as_str(), line["Misses"].as_u64())).collect();
        assert_eq!(told, [(Some("OLD"), Some("stale"), Some(1)), (Some("GONE"), Some("unknown_symbol"), Some(1))]);
        assert_eq!(lines[1]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["FunctionName", "Symbol"]]));
    }

    #[test]
    fn a_provider_that_forgot_everything_makes_no_thousand_metrics() {
        let mut summary = Summary::new("alpaca");
        for symbol in 0..500 {
            summary.fail(Failure { subject: Subject::Symbol(format!("S{symbol}")), kind: Reason::UnknownSymbol, reason: String::new() });
        }
        assert_eq!(lines("f", &summary, 0).len(), 1 + SYMBOLS_TOLD);
    }
}
