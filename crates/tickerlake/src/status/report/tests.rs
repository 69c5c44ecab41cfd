//! What people are shown.

#![allow(clippy::unwrap_used)]

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::Status;
use super::super::dead_letters::DeadLetters;
use super::super::fetch::Fetch;
use super::super::freshness::{Freshness, SymbolFreshness};
use super::super::known::Known;
use super::super::lag::PartitionLag;
use super::super::poison::Poison;
use super::text;
use crate::lake::state::{CrawlState, CrawlerNow, Written};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn partition(partition: i32, next: Option<i64>, end: i64) -> PartitionLag {
    let (cluster, topic) = ("AAAAAAAAAAAAAAAAAAAAAA".to_owned(), "quotes".to_owned());
    PartitionLag { cluster, topic, partition, next, end, lag: end - next.unwrap_or(0) }
}

fn dead(queue: &str, messages: Option<usize>) -> DeadLetters {
    DeadLetters { queue: queue.to_owned(), messages }
}

/// A pipeline at work that is not quite well.
fn at_work() -> Status {
    let fetched = time("2026-11-23T14:30:58Z");
    let crawl = CrawlState {
        state: "COMPLETED".into(),
        began: Some(time("2026-11-23T14:00:00Z")),
        ended: Some(time("2026-11-23T14:01:00Z")),
        error: None,
    };
    let symbol = |symbol: &str, newest: &str| SymbolFreshness { symbol: symbol.to_owned(), newest: time(newest) };
    Status {
        lake: "/data".into(),
        at: time("2026-11-23T14:31:00Z"),
        running: Known::Known(true),
        fetch: Known::Known(Some(Fetch { at: fetched, source: "simulated".into(), fetched: 8, produced: 7, failed: 1, error: None })),
        kafka: Known::Known(vec![partition(0, Some(40), 40), partition(1, None, 2)]),
        newest_file: Known::Known(Some(Written { key: "quotes/dt=2026-11-23/a.parquet".into(), bytes: 1234, at: fetched })),
        crawler: Known::Known(CrawlerNow { name: "c".into(), state: "READY".into(), schedule: None, newest: Some(crawl) }),
        freshness: Known::Known(Freshness {
            newest: Some(fetched),
            symbols: 8,
            by_symbol: vec![symbol("OLD", "2026-11-20T20:59:00Z"), symbol("SPY", "2026-11-23T14:26:00Z")],
        }),
        quarantine: Known::Known(Poison { records: 3, replayed: 1, by_reason: [("not a quote".to_owned(), 3)].into() }),
        dead_letters: Known::Known(vec![dead("A", Some(0)), dead("B", Some(2)), dead("C", None)]),
    }
}

#[test]
fn each_stage_has_its_line_and_what_is_wrong_is_told() {
    let expected = "\
/data: running
  fetch         2.0 s ago: 8 fetched, 7 produced, 1 failed (simulated)
  Kafka         lag 2 in 2 partition(s), 40 record(s) stored
                  quotes-1 of AAAAAAAAAAAAAAAAAAAAAA: 2 behind, stored below 0 of 2
  newest file   2.0 s ago: quotes/dt=2026-11-23/a.parquet, 1234 bytes
  crawl         READY, the newest COMPLETED 30 min ago; next when a new day's first file lands
  freshness     the newest row was fetched 2.0 s ago; 8 symbol(s), of which the longest silent:
                  OLD  at 2026-11-20 20:59:00Z
                  SPY  5 min ago
  quarantine    3 record(s), 1 replayed: `tickerlake quarantine list` shows them
                  3  not a quote
  dead letters  2  B
                unknown  C: there is no such queue
";
    assert_eq!(text(&at_work()), expected);
}

#[test]
fn nothing_yet_is_not_unknown_and_unknown_is_not_nothing() {
    let mut status = at_work();
    status.running = Known::unknown("it runs by itself");
    status.lake = "stack s".into();
    status.fetch = Known::unknown("it is in CloudWatch");
    status.kafka = Known::unknown("no Kafka could be asked");
    status.newest_file = Known::Known(None);
    status.crawler = Known::Known(CrawlerNow { name: "c".into(), state: "READY".into(), schedule: Some("cron(…)".into()), newest: None });
    status.freshness = Known::Known(Freshness::default());
    status.quarantine = Known::Known(Poison::default());
    status.dead_letters = Known::Known(vec![dead("A", Some(0))]);
    let expected = "\
stack s
  fetch         unknown: it is in CloudWatch
  Kafka         unknown: no Kafka could be asked
  newest file   none
  crawl         READY, never run; next by its schedule cron(…)
  freshness     SQL sees no rows
  quarantine    empty
  dead letters  none in 1 queue(s)
";
    assert_eq!(text(&status), expected);
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(json["fetch"], json!({"unknown": "it is in CloudWatch"}));
    assert_eq!((&json["newest_file"], &json["dead_letters"][0]["messages"]), (&json!(null), &json!(0)));
}

#[test]
fn failures_are_told_with_their_reasons() {
    let mut status = at_work();
    if let Known::Known(Some(fetch)) = &mut status.fetch {
        fetch.error = Some("nothing was produced: no broker".into());
    }
    if let Known::Known(CrawlerNow { newest: Some(crawl), .. }) = &mut status.crawler {
        (crawl.state, crawl.error) = ("FAILED".into(), Some("a.parquet is no Parquet".into()));
    }
    let text = text(&status);
    for told in
        ["the newest run failed: nothing was produced: no broker", "the newest FAILED 30 min ago", "it failed: a.parquet is no Parquet"]
    {
        assert!(text.contains(told), "{text}");
    }
}
