//! Polling over HTTP, against a server that misbehaves; and a whole day, on a clock of its own.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use quotes::calendar::Session;

use super::super::http::{Http, Request, Response, TransportError};
use super::super::key::Secrets;
use super::super::limit::Said;
use super::super::stub::{Reply, Seen, Stub, TestClock, time};
use super::*;
use crate::error::chain;
use crate::sources::alpaca::{Alpaca, FEEDS};
use crate::sources::finnhub::Finnhub;
use crate::sources::provider::fault::Reason;
use crate::sources::twelvedata::TwelveData;
use crate::sources::yahoo::Yahoo;

/// A Monday, in the regular session.
const NOW: &str = "2026-11-23T15:02:36Z";

const KEY: &str = "PKIDENT12345:s3cr3t-k3y-value";

fn polling(symbols: &[&str]) -> Polling {
    Polling {
        symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
        limits: vec![Limit { most: 200, per: Duration::from_secs(60) }],
        hours: Hours::Extended,
        at: None,
        stale_after: Duration::from_secs(86_400),
        heartbeat: None,
    }
}

fn source(provider: impl Provider + 'static, stub: &Stub, clock: &Arc<TestClock>, polling: Polling) -> Polled {
    let keys = Keys::fixed(ApiKey::parse(KEY));
    Polled::new(Box::new(provider), Box::new(Http::new(stub.url()).unwrap()), clock.clone(), keys, polling)
}

fn alpaca(stub: &Stub, clock: &Arc<TestClock>, symbols: &[&str]) -> Polled {
    source(Alpaca::new(FEEDS[0]), stub, clock, polling(symbols))
}

fn invocation() -> Invocation {
    Invocation::new(Duration::from_secs(55))
}

/// Alpaca's answer for the symbols of a request, each traded at the minute's beginning.
fn snapshots(target: &str) -> String {
    let query = target.split_once("symbols=").unwrap().1.split('&').next().unwrap().replace("%2C", ",");
    let entry = |symbol: &str| format!(r#""{symbol}":{{"latestTrade":{{"t":"2026-11-23T15:02:30Z","p":10.5,"s":1}}}}"#);
    format!("{{{}}}", query.split(',').map(entry).collect::<Vec<_>>().join(","))
}

fn symbols(batch: &Batch) -> Vec<&str> {
    batch.rows.iter().map(|row| row.quote.symbol.as_ref()).collect()
}

fn misses(batch: &Batch) -> Vec<(String, Reason)> {
    let symbol = |failure: &Failure| match &failure.subject {
        Subject::Symbol(symbol) => symbol.clone(),
        Subject::Line(line) => unreachable!("line {line}"),
    };
    batch.failures.iter().map(|failure| (symbol(failure), failure.kind)).collect()
}

async fn error(source: &mut Polled, invocation: Invocation) -> PollError {
    match source.fetch(&invocation).await {
        Err(SourceError::Poll(error)) => error,
        other => unreachable!("{other:?}"),
    }
}

fn kinds(error: &PollError) -> Vec<Reason> {
    error.failures().iter().map(|failure| failure.kind).collect()
}

#[tokio::test]
async fn one_bad_symbol_is_found_and_dropped_and_the_rest_is_fetched() {
    let stub = Stub::start(|seen, _| match seen.target.contains("BRK-B") {
        true => Reply::status(400, r#"{"message":"code=400, message=invalid symbol: BRK-B"}"#),
        false => Reply::ok(&snapshots(&seen.target)),
    })
    .await;
    let clock = TestClock::at(NOW);
    let mut source = alpaca(&stub, &clock, &["AAPL", "BRK-B", "MSFT"]);
    let batch = source.fetch(&invocation()).await.unwrap();
    assert_eq!((symbols(&batch), misses(&batch)), (vec!["AAPL", "MSFT"], vec![("BRK-B".to_owned(), Reason::UnknownSymbol)]));
    assert_eq!(stub.seen().len(), 2);
    // It is not asked for again at once, but not dropped for good either.
    let batch = source.fetch(&invocation()).await.unwrap();
    assert_eq!((batch.rows.len(), misses(&batch).len(), stub.seen().len()), (2, 1, 3));
    clock.advance_to(time("2026-11-23T15:20:00Z"));
    source.fetch(&invocation()).await.unwrap();
    assert_eq!(stub.seen().len(), 5);
}

#[tokio::test]
async fn a_bad_symbol_that_is_not_named_is_found_by_halves() {
    let stub = Stub::start(|seen, _| match seen.target.contains("BAD1") || seen.target.contains("BAD2") {
        true => Reply::status(400, r#"{"message":"code=400, message=invalid symbol(s) in the list"}"#),
        false => Reply::ok(&snapshots(&seen.target)),
    })
    .await;
    let mut source = alpaca(&stub, &TestClock::at(NOW), &["A", "BAD1", "C", "D", "E", "BAD2", "G", "H"]);
    let batch = source.fetch(&invocation()).await.unwrap();
    let mut found = symbols(&batch);
    found.sort_unstable();
    assert_eq!(found, ["A", "C", "D", "E", "G", "H"]);
    let mut missed = misses(&batch);
    missed.sort();
    assert_eq!(missed, [("BAD1".to_owned(), Reason::UnknownSymbol), ("BAD2".to_owned(), Reason::UnknownSymbol)]);
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let stub = Stub::start(|seen, number| match number {
        0 => Reply::status(500, "<html>oops</html>"),
        1 => Reply::Reset,
        2 => Reply::CutOff(r#"{"AAPL":"#.to_owned()),
        // The proxy before the provider cut it off.
        3 => Reply::ok(r#"{"AAPL":{"latestTrade":"#),
        4 => Reply::status(429, "slow down"),
        _ => Reply::ok(&snapshots(&seen.target)),
    })
    .await;
    let batch = alpaca(&stub, &TestClock::at(NOW), &["AAPL"]).fetch(&invocation()).await.unwrap();
    assert_eq!((symbols(&batch), stub.seen().len()), (vec!["AAPL"], 6));
}

#[tokio::test]
async fn what_does_not_pass_is_told_after_some_tries() {
    for (reply, reason) in [
        (Reply::status(503, "maintenance"), Reason::Unavailable),
        (Reply::Reset, Reason::Unavailable),
        (Reply::status(429, ""), Reason::RateLimited),
    ] {
        let stub = Stub::start(move |_, _| reply.clone()).await;
        let error = error(&mut alpaca(&stub, &TestClock::at(NOW), &["AAPL", "MSFT"]), invocation()).await;
        assert_eq!(kinds(&error), [reason, reason]);
        assert!(error.is_retryable());
        assert!((2..=7).contains(&stub.seen().len()), "{}", stub.seen().len());
    }
}

#[tokio::test]
async fn a_refusal_is_never_tried_again() {
    for (reply, reason) in [
        (Reply::status(401, r#"{"message":"unauthorized."}"#), Reason::Refused),
        (Reply::status(403, r#"{"message":"subscription does not permit querying recent SIP data"}"#), Reason::Refused),
        (Reply::status(302, ""), Reason::Refused),
        (Reply::ok("<!DOCTYPE html><script>challenge()</script>"), Reason::Malformed),
        (Reply::ok("[]"), Reason::Malformed),
    ] {
        let stub = Stub::start(move |_, _| reply.clone()).await;
        let error = error(&mut alpaca(&stub, &TestClock::at(NOW), &["AAPL"]), invocation()).await;
        assert_eq!((kinds(&error), stub.seen().len()), (vec![reason], 1));
        assert!(!error.is_retryable());
    }
    // A wrong key is wrong for the other requests too.
    let stub = Stub::start(|_, _| Reply::status(401, r#"{"error":"Invalid API key."}"#)).await;
    let error = error(&mut source(Finnhub, &stub, &TestClock::at(NOW), polling(&["A"; 100])), invocation()).await;
    assert_eq!(error.failures().len(), 100);
    assert!(stub.seen().len() <= CONCURRENT, "{}", stub.seen().len());
}

#[tokio::test]
async fn nobody_there_and_silence_are_reasons_too() {
    let stub = Stub::start(|_, _| Reply::Silence).await;
    let short = TIME_NEEDED + SPARE + Duration::from_millis(400);
    let silent = error(&mut alpaca(&stub, &TestClock::at(NOW), &["AAPL"]), Invocation::new(short)).await;
    assert_eq!(kinds(&silent), [Reason::Unavailable]);
    assert!(chain(&silent).contains("no answer from the provider: none within"), "{}", chain(&silent));

    let mut gone = alpaca(&stub, &TestClock::at(NOW), &["AAPL"]);
    drop(stub);
    // The listener closes with its task.
    let gone = loop {
        let error = error(&mut gone, Invocation::new(short)).await;
        if chain(&error).contains("no connection") {
            break error;
        }
    };
    assert!(gone.is_retryable());
}

#[tokio::test]
async fn an_invocation_too_short_to_produce_says_so() {
    let stub = Stub::start(|_, _| Reply::ok("{}")).await;
    let error = error(&mut alpaca(&stub, &TestClock::at(NOW), &["AAPL"]), Invocation::new(Duration::from_secs(12))).await;
    assert!(matches!(error, PollError::NoTime { .. }) && !error.is_retryable());
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn the_wait_that_a_limit_asks_for_is_kept_and_remembered() {
    let stub = Stub::start(|seen, number| match number {
        0 => Reply::Answer(429, "Retry-After: 7\r\n".to_owned(), "{}".to_owned()),
        2 => Reply::Answer(429, "Retry-After: 90\r\n".to_owned(), "{}".to_owned()),
        _ => Reply::ok(&snapshots(&seen.target)),
    })
    .await;
    let clock = TestClock::at(NOW);
    let mut source = alpaca(&stub, &clock, &["AAPL"]);
    assert_eq!(source.fetch(&invocation()).await.unwrap().rows.len(), 1);
    assert_eq!(clock.now(), time("2026-11-23T15:02:43Z"));
    // Longer than the invocation has: told at once, and nothing is asked until then.
    assert_eq!(kinds(&error(&mut source, invocation()).await), [Reason::RateLimited]);
    let batch = source.fetch(&invocation()).await.unwrap();
    assert_eq!((batch.rows.len(), batch.deferred, stub.seen().len()), (0, 1, 3));
    clock.advance_to(time("2026-11-23T15:04:14Z"));
    assert_eq!(source.fetch(&invocation()).await.unwrap().rows.len(), 1);
}

#[tokio::test]
async fn what_the_headers_say_holds_before_a_limit_is_met() {
    // Seconds from now, because the server's clock is not the test's.
    const LIMITS: &str = "X-RateLimit-Limit: 200\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 24\r\n";
    let stub = Stub::start(|seen, _| Reply::Answer(200, LIMITS.to_owned(), snapshots(&seen.target))).await;
    let clock = TestClock::at(NOW);
    let mut source = alpaca(&stub, &clock, &["AAPL"]);
    source.fetch(&invocation()).await.unwrap();
    assert_eq!(clock.now(), time(NOW));
    source.fetch(&invocation()).await.unwrap();
    assert_eq!(clock.now(), time("2026-11-23T15:03:00Z"));
}

#[tokio::test]
async fn keys_are_in_no_url_and_no_error() {
    // What some providers do: the key stands in the body, as it is and encoded.
    let said = "key s3cr3t-k3y-value of PKIDENT12345 (S3CR3T%2Dk3y-value) is bad: ".to_owned() + &"s3cr3t-k3y-value ".repeat(30);
    for reply in [
        Reply::status(401, &said),
        Reply::status(403, &format!(r#"{{"message":"{said}"}}"#)),
        Reply::status(429, &said),
        Reply::status(500, &said),
        Reply::status(400, &format!(r#"{{"message":"code=400, message=invalid symbol: {said}"}}"#)),
        Reply::ok(&said),
        Reply::ok(&format!(r#"{{"message":"{said}"}}"#)),
        Reply::ok(&format!(r#"{{"AAPL":{{"latestTrade":{{"p":1,"t":"{said}"}}}}}}"#)),
        Reply::ok(&format!(r#"{{"AAPL":"{said}"}}"#)),
    ] {
        let stub = Stub::start(move |_, _| reply.clone()).await;
        let error = error(&mut alpaca(&stub, &TestClock::at(NOW), &["AAPL"]), invocation()).await;
        let shown = format!("{error:?} {}", chain(&error));
        for part in ["s3cr3t", "S3CR3T", "k3y-value", "PKIDENT"] {
            assert!(!shown.contains(part), "{shown}");
        }
        for Seen { target, headers } in stub.seen() {
            assert!(!target.contains("s3cr3t") && !target.contains("PKIDENT"), "{target}");
            assert!(headers.contains(&("apca-api-secret-key".to_owned(), "s3cr3t-k3y-value".to_owned())));
        }
    }
}

#[tokio::test]
async fn partial_success_is_success_with_a_report_and_total_failure_an_error() {
    let stub = Stub::start(|seen, number| match number {
        0 => Reply::ok(r#"{"AAPL":{"latestTrade":{"t":"2026-11-23T15:02:30Z","p":1}},"HALT":{"latestTrade":null}}"#),
        _ => Reply::status(403, &format!("forbidden {}", seen.target.len())),
    })
    .await;
    let (_cluster, kafka) = crate::handler::tests::cluster();
    let source = Box::new(alpaca(&stub, &TestClock::at(NOW), &["AAPL", "HALT", "GONE"]));
    let mut handler = crate::handler::Handler::new(source, crate::producer::Producer::new(kafka).unwrap(), None);
    let summary = handler.run(&invocation()).await.unwrap();
    assert_eq!((summary.fetched, summary.produced, summary.failed), (1, 1, 2));
    assert_eq!(summary.reasons.into_iter().collect::<Vec<_>>(), [(Reason::UnknownSymbol, 1), (Reason::NoTrade, 1)]);

    let error = handler.run(&invocation()).await.unwrap_err();
    assert!(!error.is_retryable());
    let told = chain(&error);
    let expected = "nothing was fetched from the source alpaca: none of 3 symbols has a quote; the first, AAPL: the provider refuses the request (403)";
    assert!(told.starts_with(expected), "{told}");
}

/// A secret whose key is another one each time.
struct Rotating(AtomicUsize);

#[async_trait]
impl Secrets for Rotating {
    async fn read(&self, _: &str) -> Result<String, SecretError> {
        Ok(format!("ID:key-{}", self.0.fetch_add(1, Ordering::SeqCst)))
    }
}

#[tokio::test]
async fn a_key_that_was_changed_is_read_again_when_the_old_one_is_refused() {
    let has = |seen: &Seen, key: &str| seen.headers.iter().any(|(_, value)| value == key);
    let stub = Stub::start(move |seen, _| match has(seen, "key-1") {
        true => Reply::ok(&snapshots(&seen.target)),
        false => Reply::status(401, "{}"),
    })
    .await;
    let clock = TestClock::at(NOW);
    let keys = Keys::of_secret(Arc::new(Rotating(AtomicUsize::new(0))), "arn".to_owned());
    let http = Box::new(Http::new(stub.url()).unwrap());
    let mut source = Polled::new(Box::new(Alpaca::new(FEEDS[0])), http, clock.clone(), keys, polling(&["AAPL"]));
    // Read a moment ago: not again.
    assert_eq!(kinds(&error(&mut source, invocation()).await), [Reason::Refused]);
    clock.advance_to(time("2026-11-23T15:04:00Z"));
    assert_eq!(source.fetch(&invocation()).await.unwrap().rows.len(), 1);
    assert_eq!(stub.seen().len(), 3);
}

#[tokio::test]
async fn invocations_share_a_connection() {
    let stub = Stub::start(|seen, _| Reply::ok(&snapshots(&seen.target))).await;
    let mut source = alpaca(&stub, &TestClock::at(NOW), &["AAPL"]);
    for _ in 0..20 {
        source.fetch(&invocation()).await.unwrap();
    }
    assert_eq!((stub.seen().len(), stub.connections()), (20, 1));
}

#[tokio::test]
async fn long_lists_go_in_portions_and_come_back_whole_and_in_order() {
    let stub = Stub::start(|seen, _| Reply::ok(&snapshots(&seen.target))).await;
    let all: Vec<String> = (0..530).map(|number| format!("S{number}")).collect();
    let names: Vec<&str> = all.iter().map(String::as_str).collect();
    let batch = alpaca(&stub, &TestClock::at(NOW), &names).fetch(&invocation()).await.unwrap();
    assert_eq!((symbols(&batch), stub.seen().len()), (names, 6));
    assert!(stub.seen().iter().all(|seen| seen.target.ends_with("&feed=iex")));
}

#[tokio::test]
async fn one_of_many_requests_that_fails_harms_no_other() {
    let stub = Stub::start(|seen, _| match seen.target.rsplit('/').next().unwrap().split('?').next().unwrap() {
        "GONE" => Reply::status(404, r#"{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}"#),
        "HTML" => Reply::ok("<html>"),
        _ => Reply::ok(include_str!("../../yahoo/chart.json")),
    })
    .await;
    let mut source = source(Yahoo, &stub, &TestClock::at("2026-11-23T15:02:36Z"), polling(&["AAPL", "GONE", "HTML", "BRK.B"]));
    let batch = source.fetch(&invocation()).await.unwrap();
    assert_eq!(symbols(&batch), ["AAPL", "BRK.B"]);
    assert_eq!(misses(&batch), [("GONE".to_owned(), Reason::UnknownSymbol), ("HTML".to_owned(), Reason::Malformed)]);
    assert!(stub.seen().iter().any(|seen| seen.target.starts_with("/v8/finance/chart/BRK-B?")));
}

#[tokio::test]
async fn other_symbols_are_asked_for_from_the_next_poll_on_and_turns_are_kept() {
    let stub = Stub::start(|_, _| Reply::ok(r#"{"c":10.5,"pc":10,"t":1795446147}"#)).await;
    let clock = TestClock::at(NOW);
    let limits = vec![Limit { most: 4, per: Duration::from_secs(60) }];
    let mut source = source(Finnhub, &stub, &clock, Polling { limits, ..polling(&["A", "B", "C", "D", "E"]) });
    let batch = source.fetch(&invocation()).await.unwrap();
    assert_eq!((symbols(&batch), batch.deferred), (vec!["A", "B", "C", "D"], 1));

    for (minute, list, asked) in [
        (4, &["D", "F", "E", "A"][..], &["E", "A", "D", "F"][..]),
        (6, &["A", "B", "C", "D", "E"], &["D", "E", "A", "B"]),
        // The one whose turn it was is gone.
        (8, &["G", "A"], &["G", "A"]),
    ] {
        source.set_symbols(&list.iter().map(|symbol| (*symbol).to_owned()).collect::<Vec<_>>());
        clock.advance_to(time(&format!("2026-11-23T15:0{minute}:00Z")));
        assert_eq!(symbols(&source.fetch(&invocation()).await.unwrap()), asked);
    }
}

#[tokio::test]
async fn an_old_trade_is_no_price() {
    let stub = Stub::start(|_, _| {
        Reply::ok(
            r#"{"AAPL":{"latestTrade":{"t":"2026-11-23T15:02:30Z","p":1}},"FB":{"latestTrade":{"t":"2022-06-08T19:59:59Z","p":196.64}}}"#,
        )
    })
    .await;
    let batch = alpaca(&stub, &TestClock::at(NOW), &["AAPL", "FB"]).fetch(&invocation()).await.unwrap();
    assert_eq!((symbols(&batch), misses(&batch)), (vec!["AAPL"], vec![("FB".to_owned(), Reason::Stale)]));
}

#[tokio::test]
async fn the_second_of_the_minute_is_waited_for_once_it_lies_ahead() {
    let stub = Stub::start(|seen, _| Reply::ok(&snapshots(&seen.target))).await;
    let clock = TestClock::at("2026-11-23T15:03:02.5Z");
    let at = Polling { at: Some(Duration::from_secs(35)), ..polling(&["AAPL"]) };
    let mut source = source(Alpaca::new(FEEDS[0]), &stub, &clock, at);
    source.fetch(&invocation()).await.unwrap();
    assert_eq!(clock.now(), time("2026-11-23T15:03:35Z"));
    clock.advance_to(time("2026-11-23T15:04:40Z"));
    source.fetch(&invocation()).await.unwrap();
    assert_eq!(clock.now(), time("2026-11-23T15:04:40Z"));
}

#[tokio::test]
async fn a_closed_market_is_not_asked() {
    let stub = Stub::start(|_, _| Reply::ok("{}")).await;
    // Thanksgiving; the evening of the half-day after it; a Sunday.
    for now in ["2026-11-26T16:00:00Z", "2026-11-27T23:00:00Z", "2026-11-22T16:00:00Z"] {
        let batch = alpaca(&stub, &TestClock::at(now), &["AAPL"]).fetch(&invocation()).await.unwrap();
        assert_eq!((batch.rows.len(), batch.failures.len(), batch.next), (0, 0, Next::Closed));
    }
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn only_what_kafka_has_counts_as_known() {
    let stub = Stub::start(|seen, _| Reply::ok(&snapshots(&seen.target))).await;
    let skips = Polling { heartbeat: Some(Duration::from_secs(60)), ..polling(&["AAPL", "MSFT"]) };
    let mut source = source(Alpaca::new(FEEDS[0]), &stub, &TestClock::at(NOW), skips);
    let batch = source.fetch(&invocation()).await.unwrap();
    assert_eq!(batch.rows.len(), 2);
    let outcomes = vec![
        Outcome::Stored { partition: 0, offset: 7 },
        Outcome::Failed(crate::producer::RowError::Kafka(rdkafka::error::RDKafkaErrorCode::MessageTimedOut)),
    ];
    source.acknowledge(&batch.rows, &Delivered { cluster: None, outcomes }, &invocation()).await;
    let batch = source.fetch(&invocation()).await.unwrap();
    assert_eq!((symbols(&batch), batch.unchanged), (vec!["MSFT"], 1));
}

/// A provider in memory that counts, and answers 429 to whatever exceeds its plan.
struct Exchange {
    clock: Arc<TestClock>,
    body: fn(&Request, Timestamp) -> String,
    /// What a request takes, and the plan.
    cost: fn(&Request) -> u32,
    limit: Limit,
    /// Requests that it saw: when, and what each took.
    seen: Arc<Mutex<Vec<(Timestamp, u32)>>>,
    /// Within this it refuses everything.
    storm: [Timestamp; 2],
}

#[async_trait]
impl Transport for Exchange {
    async fn send(&self, request: &Request, _: Duration) -> Result<Response, TransportError> {
        let now = self.clock.now();
        let mut seen = self.seen.lock().unwrap();
        seen.push((now, (self.cost)(request)));
        if (self.storm[0]..self.storm[1]).contains(&now) {
            // With a time to wait, and without.
            let retry_after = seen.len().is_multiple_of(2).then_some(Duration::from_secs(20));
            return Ok(Response { status: 429, limits: Said { retry_after, ..Said::default() }, body: b"Too many".to_vec() });
        }
        Ok(Response { status: 200, limits: Said::default(), body: (self.body)(request, now).into_bytes() })
    }
}

fn listed(request: &Request) -> Vec<String> {
    request.query[0].1.split(',').map(str::to_owned).collect()
}

fn entries(request: &Request, entry: impl Fn(&str) -> String) -> String {
    listed(request).iter().map(|symbol| format!("\"{symbol}\":{}", entry(symbol))).collect::<Vec<_>>().join(",")
}

/// Polls each minute of 2026-11-27, a half-day, and checks that the plan and the hours are kept.
/// Gives the quotes, the misses and the symbols left for later.
async fn a_day(
    provider: impl Provider + 'static,
    symbols: usize,
    limit: Limit,
    cost: fn(&Request) -> u32,
    body: fn(&Request, Timestamp) -> String,
) -> (usize, usize, usize) {
    let clock = TestClock::at("2026-11-27T05:00:00Z");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let storm = [time("2026-11-27T16:00:00Z"), time("2026-11-27T16:20:00Z")];
    let exchange = Exchange { clock: clock.clone(), body, cost, limit, seen: Arc::clone(&seen), storm };
    let limit = exchange.limit;
    let names: Vec<String> = (0..symbols).map(|number| format!("S{number}")).collect();
    let polling = Polling { symbols: names, limits: vec![limit], ..polling(&[]) };
    let mut source = Polled::new(Box::new(provider), Box::new(exchange), clock.clone(), Keys::fixed(None), polling);

    let (mut quotes, mut missed, mut deferred) = (0, 0, 0);
    for minute in 0..24 * 60_i64 {
        clock.advance_to(Timestamp::from_nanos(time("2026-11-27T05:00:00Z").nanos() + minute * 60_000_000_000).unwrap());
        let (rows, failures, later) = match source.fetch(&invocation()).await {
            Ok(batch) if batch.next == Next::Closed => continue,
            Ok(batch) => (batch.rows.len(), batch.failures.len(), batch.deferred),
            Err(SourceError::Poll(error)) => (0, error.failures().len(), symbols - error.failures().len()),
            Err(other) => unreachable!("{other}"),
        };
        assert_eq!(rows + failures + later, symbols, "every symbol is accounted for at {}", clock.now());
        (quotes, missed, deferred) = (quotes + rows, missed + failures, deferred + later);
    }
    let seen = seen.lock().unwrap();
    let mut calendar = Calendar::new();
    for (at, _) in seen.iter() {
        let is_open = matches!(calendar.place(*at).session, Some(Session::Pre | Session::Regular | Session::Post));
        // The last minute's bar is had in the minute after the close, which is 17:00 on a half-day.
        let close = time("2026-11-27T22:00:00Z");
        let is_grace = *at >= close && *at < time("2026-11-27T22:01:00Z");
        assert!(is_open || is_grace, "asked at {at}");
    }
    let per = i64::try_from(limit.per.as_nanos()).unwrap();
    for (index, (begin, _)) in seen.iter().enumerate() {
        let inside = seen[index..].iter().take_while(|(at, _)| at.nanos() - begin.nanos() < per);
        let used: u32 = inside.map(|(_, cost)| *cost).sum();
        assert!(used <= limit.most, "{used} within {:?} from {begin}", limit.per);
    }
    (quotes, missed, deferred)
}

/// The minutes from 04:00 to 17:00 with the one after, and those of the storm.
const OPEN: usize = 13 * 60 + 1;
const STORM: usize = 20;

#[tokio::test]
async fn a_day_of_snapshots_keeps_200_requests_a_minute() {
    let body = |request: &Request, now: Timestamp| {
        format!("{{{}}}", entries(request, |_| format!(r#"{{"latestTrade":{{"t":"{now}","p":10.5,"s":1}}}}"#)))
    };
    let limit = Limit { most: 200, per: Duration::from_secs(60) };
    let (quotes, missed, deferred) = a_day(Alpaca::new(FEEDS[0]), 500, limit, |_| 1, body).await;
    assert_eq!(quotes + missed + deferred, OPEN * 500);
    assert!(quotes >= (OPEN - STORM - 2) * 500 && missed > 0, "{quotes} {missed} {deferred}");
}

#[tokio::test]
async fn a_day_of_single_quotes_keeps_60_requests_a_minute() {
    let body = |_: &Request, now: Timestamp| format!(r#"{{"c":10.5,"h":11,"l":10,"o":10,"pc":10,"t":{}}}"#, now.nanos() / 1_000_000_000);
    let limit = Limit { most: 60, per: Duration::from_secs(60) };
    // More than the plan has room for: each symbol has its turn.
    let (quotes, missed, deferred) = a_day(Finnhub, 90, limit, |_| 1, body).await;
    assert_eq!(quotes + missed + deferred, OPEN * 90);
    assert!(quotes > (OPEN - STORM - 2) * 50 && deferred > OPEN * 25, "{quotes} {missed} {deferred}");
}

#[tokio::test]
async fn a_day_of_credits_keeps_8_a_minute() {
    let body = |request: &Request, now: Timestamp| {
        let seconds = now.nanos() / 1_000_000_000;
        format!("{{{}}}", entries(request, |_| format!(r#"{{"currency":"USD","last_quote_at":{seconds},"close":"10.5"}}"#)))
    };
    let limit = Limit { most: 8, per: Duration::from_secs(60) };
    let cost = |request: &Request| u32::try_from(listed(request).len()).unwrap();
    let (quotes, missed, deferred) = a_day(TwelveData, 40, limit, cost, body).await;
    assert_eq!(quotes + missed + deferred, OPEN * 40);
    assert!(quotes > (OPEN - STORM - 2) * 7, "{quotes} {missed} {deferred}");
}
