//! A status for people: a line a stage, and more lines only where something is wrong.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::Status;
use super::dead_letters::DeadLetters;
use super::known::Known;
use super::lag::PartitionLag;
use crate::lake::state::CrawlerNow;

/// Symbols that are told one by one.
const SYMBOLS: usize = 5;

/// The status in lines.
pub(super) fn text(status: &Status) -> String {
    let at = status.at;
    let running = match &status.running {
        Known::Known(true) => ": running",
        Known::Known(false) => ": not running",
        Known::Unknown { .. } => "",
    };
    let mut text = format!("{}{running}\n", status.lake);
    stage(&mut text, "fetch", &status.fetch, |fetch| match fetch {
        None => vec!["never".to_owned()],
        Some(fetch) => {
            let mut lines = vec![format!(
                "{}: {} fetched, {} produced, {} failed ({})",
                ago(fetch.at, at),
                fetch.fetched,
                fetch.produced,
                fetch.failed,
                fetch.source
            )];
            lines.extend(fetch.error.iter().map(|error| format!("the newest run failed: {error}")));
            lines
        }
    });
    stage(&mut text, "Kafka", &status.kafka, |lags| kafka(lags));
    stage(&mut text, "newest file", &status.newest_file, |file| match file {
        None => vec!["none".to_owned()],
        Some(file) => vec![format!("{}: {}, {} bytes", ago(file.at, at), file.key, file.bytes)],
    });
    stage(&mut text, "crawl", &status.crawler, |crawler| crawl(crawler, at));
    stage(&mut text, "freshness", &status.freshness, |freshness| match freshness.newest {
        None => vec!["SQL sees no rows".to_owned()],
        Some(newest) => {
            let told = freshness.by_symbol.len().min(SYMBOLS);
            let mut lines = vec![format!(
                "the newest row was fetched {}; {} symbol(s), of which the longest silent:",
                ago(newest, at),
                freshness.symbols
            )];
            lines.extend(freshness.by_symbol.iter().take(told).map(|symbol| format!("  {}  {}", symbol.symbol, ago(symbol.newest, at))));
            lines
        }
    });
    stage(&mut text, "quarantine", &status.quarantine, |poison| {
        let replayed = if poison.replayed > 0 { format!(", {} replayed", poison.replayed) } else { String::new() };
        if poison.records == 0 {
            return vec![format!("empty{replayed}")];
        }
        let mut lines = vec![format!("{} record(s){replayed}: `tickerlake quarantine list` shows them", poison.records)];
        lines.extend(poison.by_reason.iter().map(|(reason, count)| format!("  {count}  {reason}")));
        lines
    });
    stage(&mut text, "dead letters", &status.dead_letters, |queues| {
        let told = |queue: &DeadLetters| match queue.messages {
            Some(0) => None,
            Some(messages) => Some(format!("{messages}  {}", queue.queue)),
            None => Some(format!("unknown  {}: there is no such queue", queue.queue)),
        };
        let told: Vec<_> = queues.iter().filter_map(told).collect();
        if told.is_empty() { vec![format!("none in {} queue(s)", queues.len())] } else { told }
    });
    text
}

/// A stage's first line beside its name, the others below.
fn stage<T>(text: &mut String, name: &str, known: &Known<T>, lines: impl Fn(&T) -> Vec<String>) {
    let lines = match known {
        Known::Known(known) => lines(known),
        Known::Unknown { unknown } => vec![format!("unknown: {unknown}")],
    };
    for (index, line) in lines.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<12}  {line}", if index == 0 { name } else { "" });
    }
}

fn kafka(lags: &[PartitionLag]) -> Vec<String> {
    let lag: i64 = lags.iter().map(|partition| partition.lag).sum();
    let stored: i64 = lags.iter().filter_map(|partition| partition.next).sum();
    let mut lines = vec![format!("lag {lag} in {} partition(s), {stored} record(s) stored", lags.len())];
    lines.extend(lags.iter().filter(|partition| partition.lag > 0).map(|partition| {
        let PartitionLag { cluster, topic, partition, next, end, lag } = partition;
        format!("  {topic}-{partition} of {cluster}: {lag} behind, stored below {} of {end}", next.unwrap_or(0))
    }));
    lines
}

fn crawl(crawler: &CrawlerNow, now: DateTime<Utc>) -> Vec<String> {
    let next = match &crawler.schedule {
        Some(schedule) => format!("next by its schedule {schedule}"),
        None => "next when a new day's first file lands".to_owned(),
    };
    let Some(newest) = &crawler.newest else { return vec![format!("{}, never run; {next}", crawler.state)] };
    let when = newest.ended.or(newest.began).map_or_else(String::new, |time| format!(" {}", ago(time, now)));
    let mut lines = vec![format!("{}, the newest {}{when}; {next}", crawler.state, newest.state)];
    lines.extend(newest.error.iter().map(|error| format!("it failed: {error}")));
    lines
}

/// How long ago, in words; the moment itself where that is more than a day.
fn ago(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - time).num_milliseconds().max(0) as f64 / 1000.0;
    match seconds {
        ..120.0 => format!("{seconds:.1} s ago"),
        ..7_200.0 => format!("{:.0} min ago", seconds / 60.0),
        ..86_400.0 => format!("{:.0} h ago", seconds / 3_600.0),
        _ => format!("at {}", time.format("%Y-%m-%d %H:%M:%SZ")),
    }
}

#[cfg(test)]
mod tests;
