//! Metrics in CloudWatch's embedded metric format: lines of JSON on the standard output, of which CloudWatch makes metrics
//! without a call from here. docs/metrics.md tells what each one is.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::io::Write as _;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::summary::Summary;
use crate::trigger::Crawl;

/// The namespace; the function's name tells one stack from another.
const NAMESPACE: &str = "tickerlake";

/// A metric's name, unit and value.
type Metric = (&'static str, &'static str, Value);

/// Writes what a crawl came to.
pub(crate) fn write_crawl(function: &str, crawl: &Crawl, at: DateTime<Utc>) {
    let failed = u32::from(crawl.failure.is_some());
    write(&line(function, at, vec![("CrawlsFailed", "Count", failed.into())]));
}

/// Writes what a check found.
pub(crate) fn write_check(function: &str, summary: &Summary, at: DateTime<Utc>) {
    write(&line(function, at, of_check(summary)));
}

/// What is not judged is left out: a missing data point breaches no alarm, and a number would be a lie.
fn of_check(summary: &Summary) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = vec![
        ("Judged", "Count", u32::from(summary.judged).into()),
        ("Rows", "Count", summary.rows.into()),
        ("Symbols", "Count", summary.symbols.into()),
        ("QuarantinedRecords", "Count", summary.quarantined.into()),
        ("BytesScanned", "Bytes", summary.bytes_scanned.into()),
    ];
    metrics.extend(summary.judged_seconds.map(|seconds| ("FreshnessSeconds", "Seconds", seconds.into())));
    metrics.extend(summary.silent_symbols.map(|symbols| ("SilentSymbols", "Count", symbols.into())));
    metrics
}

fn line(function: &str, at: DateTime<Utc>, metrics: Vec<Metric>) -> Value {
    let declared: Vec<_> = metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [["FunctionName"]], "Metrics": declared});
    let mut line = json!({"_aws": {"Timestamp": at.timestamp_millis(), "CloudWatchMetrics": [directive]}, "FunctionName": function});
    if let Value::Object(members) = &mut line {
        members.extend(metrics.into_iter().map(|(name, _, value)| (name.to_owned(), value)));
    }
    line
}

fn write(line: &Value) {
    // Where the log cannot be written to, there is nobody to tell.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::Window;
    use crate::verdict::{Unjudged, Verdict};

    fn of(unjudged: Option<Unjudged>) -> Value {
        let at = DateTime::from_timestamp_millis(1_795_449_600_000).unwrap_or_default();
        let newest = at.checked_sub_signed(chrono::TimeDelta::milliseconds(2_750));
        let verdict = Verdict { newest, rows: 12, symbols: 2, silent: Vec::new(), unjudged };
        line("stack-check", at, of_check(&Summary::new(Window::at(at), verdict, 3, 4096, at)))
    }

    #[test]
    fn a_line_declares_exactly_what_it_holds() {
        for unjudged in [None, Some(Unjudged::MarketClosed)] {
            let line = of(unjudged);
            let declared = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!((&declared["Namespace"], &declared["Dimensions"]), (&json!("tickerlake"), &json!([["FunctionName"]])));
            let names: Vec<_> = declared["Metrics"].as_array().into_iter().flatten().filter_map(|metric| metric["Name"].as_str()).collect();
            // CloudWatch drops a line that lacks a metric that it declares.
            assert!(names.iter().all(|name| line[name].is_number()), "{line}");
            assert_eq!(line.as_object().map(serde_json::Map::len), Some(names.len() + 2), "{line}");
        }
    }

    #[test]
    fn freshness_is_a_number_only_where_it_is_judged() {
        let judged = of(None);
        assert_eq!((&judged["FreshnessSeconds"], &judged["SilentSymbols"], &judged["Judged"]), (&json!(2.75), &json!(0), &json!(1)));
        let closed = of(Some(Unjudged::MarketClosed));
        assert!(closed.get("FreshnessSeconds").is_none() && closed.get("SilentSymbols").is_none(), "{closed}");
        let counts = ["Judged", "Rows", "Symbols", "QuarantinedRecords", "BytesScanned"].map(|name| closed[name].as_u64());
        assert_eq!(counts, [0, 12, 2, 3, 4096].map(Some));
        assert_eq!((&closed["FunctionName"], &closed["_aws"]["Timestamp"]), (&json!("stack-check"), &json!(1_795_449_600_000_i64)));
    }
}
