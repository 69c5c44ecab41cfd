//! Massive (formerly Polygon): snapshots of many symbols in one request.
//!
//! <https://massive.com/docs/rest/stocks/snapshots/full-market-snapshot>

use std::borrow::Cow;

use quotes::calendar::{Calendar, new_york_date};
use quotes::{Quote, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::provider::bar::Bar;
use super::provider::fault::{Fault, Miss, said};
use super::provider::http::{Request, Response};
use super::provider::key::ApiKey;
use super::provider::number::{Lenient, Number, Text, Whole};
use super::provider::{Answer, Asked, Provider, answers, by_ticker, traded_at};

/// The base URL.
pub(crate) const URL: &str = "https://api.massive.com";

/// The feeds that the plans differ in, with the delay that each declares in seconds.
pub(crate) const FEEDS: [(&str, i32); 2] = [("delayed", 900), ("realtime", 0)];

/// Massive on one of its plans.
#[derive(Debug)]
pub(crate) struct Massive {
    feed: (&'static str, i32),
}

impl Massive {
    /// With a feed of [`FEEDS`].
    pub(crate) const fn new(feed: (&'static str, i32)) -> Self {
        Self { feed }
    }
}

impl Provider for Massive {
    fn name(&self) -> &'static str {
        "massive"
    }

    fn batch(&self) -> usize {
        100
    }

    /// `BRK.B` as it is; preferred shares as `BACpK`.
    fn symbol(&self, canonical: &str) -> String {
        canonical.replace(".PR.", "p")
    }

    fn delay_seconds(&self) -> Option<i32> {
        Some(self.feed.1)
    }

    /// Never with an empty list: that asks for the whole market.
    fn request(&self, asked: &Asked, key: Option<&ApiKey>) -> Request {
        let request = Request::new("v2/snapshot/locale/us/markets/stocks/tickers").query("tickers", asked.list());
        match key {
            Some(key) => request.header("authorization", format!("Bearer {}", key.expose())),
            None => request,
        }
    }

    fn read(&self, asked: &Asked, body: &[u8], fetched_at: Timestamp) -> Result<Vec<Answer>, Fault> {
        let parsed: Body<'_> = serde_json::from_slice(body).map_err(|error| Fault::unreadable(&error, body))?;
        let Some(tickers) = parsed.tickers else { return Err(refusal(200, &parsed, body, None)) };
        // A plan of delayed data says so itself.
        let feed = if parsed.status.0.as_deref() == Some("DELAYED") { FEEDS[0] } else { self.feed };
        let mut calendar = Calendar::new();
        Ok(answers(asked, by_ticker(tickers), |symbol, entry| quote(symbol, entry, fetched_at, feed, &mut calendar)))
    }

    fn fault(&self, _: &Asked, response: &Response) -> Fault {
        match serde_json::from_slice::<Body<'_>>(&response.body) {
            Ok(body) => refusal(response.status, &body, &response.body, response.limits.retry_after),
            Err(_) => Fault::of_status(response),
        }
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(default)]
    status: Text,
    #[serde(default)]
    error: Text,
    #[serde(default)]
    message: Text,
    #[serde(borrow)]
    tickers: Option<Vec<&'a RawValue>>,
}

fn refusal(status: u16, body: &Body<'_>, raw: &[u8], retry_after: Option<std::time::Duration>) -> Fault {
    let words = body.message.0.as_deref().or(body.error.0.as_deref());
    let said = words.map_or_else(|| said(raw), |words| said(words.as_bytes()));
    match (status, body.status.0.as_deref()) {
        (401, _) => Fault::Unauthorized { status, said },
        (429, _) => Fault::RateLimited { retry_after, said },
        (500.., _) => Fault::Unavailable { status, retry_after, said },
        (_, Some("NOT_AUTHORIZED")) => Fault::Refused { status: 403, said },
        _ if said.contains("maximum requests per minute") => Fault::RateLimited { retry_after, said },
        _ => Fault::Refused { status, said },
    }
}

/// One symbol's snapshot. Times are nanoseconds, but for the bar's, which is milliseconds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot {
    #[serde(default)]
    updated: Whole,
    #[serde(default)]
    day: Lenient<Bar<Whole>>,
    #[serde(default)]
    last_trade: Lenient<Trade>,
    #[serde(default)]
    last_quote: Lenient<Book>,
    #[serde(default)]
    min: Lenient<Bar<Whole>>,
    #[serde(default)]
    prev_day: Lenient<Bar<Whole>>,
}

#[derive(Deserialize)]
struct Trade {
    #[serde(default)]
    p: Number,
    #[serde(default)]
    s: Number,
    #[serde(default)]
    t: Whole,
    #[serde(default)]
    c: Lenient<Vec<Whole>>,
    #[serde(default)]
    x: Whole,
}

/// Sizes are there too, but one of Massive's pages says lots and another shares: they are left out.
#[derive(Deserialize)]
struct Book {
    #[serde(default, rename = "p")]
    bid: Number,
    #[serde(default, rename = "P")]
    ask: Number,
    #[serde(default)]
    t: Whole,
}

/// Zeros where nothing has traded. A minute begins at `t`; a day has none.
fn has_traded(bar: &Bar<Whole>) -> bool {
    bar.close().is_some()
}

fn quote(
    symbol: &str,
    entry: &RawValue,
    fetched_at: Timestamp,
    (feed, delay_seconds): (&'static str, i32),
    calendar: &mut Calendar,
) -> Result<Quote<'static>, Miss> {
    let snapshot: Snapshot = serde_json::from_str(entry.get())?;
    let trade = snapshot.last_trade.0.ok_or(Miss::NoTrade)?;
    let price = traded_at(trade.p)?;
    let event_time = trade.t.nanos().ok_or_else(|| Miss::Malformed("lastTrade.t is no time".to_owned()))?;

    let mut quote = Quote::new(symbol.to_owned(), "USD", price, event_time, fetched_at, "massive");
    quote.feed = Some(feed.into());
    quote.delay_seconds = Some(delay_seconds);
    quote.last_size = trade.s.not_negative();
    quote.exchange = trade.x.0.map(|id| id.to_string().into());
    quote.conditions = trade.c.0.map(|ids| joined(&ids)).filter(|ids| !ids.is_empty()).map(Cow::Owned);
    if let Some(book) = snapshot.last_quote.0 {
        quote.bid = book.bid.positive();
        quote.ask = book.ask.positive();
        quote.quote_time = quote.bid.or(quote.ask).and(book.t.nanos());
    }
    if let Some(bar) = snapshot.min.0.filter(has_traded) {
        bar.set_minute(&mut quote, bar.t.millis());
    }
    let day = snapshot.day.0.filter(has_traded);
    if let Some(day) = &day {
        day.set_day(&mut quote, snapshot.updated.nanos().map(new_york_date));
    }
    let previous = snapshot.prev_day.0.and_then(|day| day.close());
    // The days carry no dates. The previous one is that of the trade's own day only if the current
    // one is of that day, or is still empty while the trade is of today.
    let trade_date = calendar.place(event_time).trade_date;
    let is_current = match &day {
        Some(_) => quote.day_date == trade_date,
        None => trade_date == calendar.place(fetched_at).trade_date,
    };
    quote.previous_close = previous.filter(|_| is_current && trade_date.is_some());
    Ok(quote)
}

fn joined(ids: &[Whole]) -> String {
    ids.iter().filter_map(|id| id.0).map(|id| id.to_string()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::provider::stub::{any_damage, asked, assert_whole, decimal, parses_anything, refusal, time};
    use super::*;

    const NOW: &str = "2026-11-23T15:02:36Z";
    const MASSIVE: Massive = Massive::new(FEEDS[1]);
    const SNAPSHOT: &str = include_str!("massive/snapshot.json");

    fn read(symbols: &[&str]) -> Vec<Answer> {
        MASSIVE.read(&asked(&MASSIVE, symbols), SNAPSHOT.as_bytes(), time(NOW)).unwrap()
    }

    #[test]
    fn every_column_comes_from_the_field_that_means_it() {
        let answers = read(&["AAPL"]);
        let base = Quote::new("AAPL", "USD", "153.1".parse().unwrap(), time("2026-11-23T15:02:34.123456789Z"), time(NOW), "massive");
        let expected = Quote {
            last_size: decimal("100.5"),
            conditions: Some("14,41".into()),
            exchange: Some("4".into()),
            bid: decimal("153.09"),
            ask: decimal("153.12"),
            quote_time: Some(time("2026-11-23T15:02:35Z")),
            day_date: "2026-11-23".parse().ok(),
            day_open: decimal("152"),
            day_high: decimal("153.5"),
            day_low: decimal("151.75"),
            day_close: decimal("153.1"),
            day_volume: decimal("1234567"),
            day_vwap: decimal("152.765432"),
            previous_close: decimal("151.5"),
            bar_start: Some(time("2026-11-23T15:01:00Z")),
            bar_seconds: Some(60),
            bar_open: decimal("153"),
            bar_high: decimal("153.2"),
            bar_low: decimal("152.99"),
            bar_close: decimal("153.11"),
            bar_volume: decimal("4200"),
            bar_vwap: decimal("153.0712"),
            bar_trades: Some(37),
            feed: Some("realtime".into()),
            delay_seconds: Some(0),
            ..base
        };
        assert_eq!(answers[0].quote, Ok(expected));
    }

    #[test]
    fn a_day_of_zeros_is_no_day() {
        let answers = read(&["BRK.B", "OLD"]);
        // Traded this morning before the first day bar: the previous day is known.
        let early = answers[0].quote.as_ref().unwrap();
        assert_eq!((early.day_date, early.day_open, early.day_volume, early.bar_start), (None, None, None, None));
        assert_eq!(early.previous_close, decimal("503.1"));
        assert_eq!((early.bid, early.ask, early.quote_time), (None, None, None));
        // Its last trade is the previous day's own: the close before that is not in the answer.
        assert_eq!(answers[1].quote.as_ref().unwrap().previous_close, None);
    }

    #[test]
    fn misses_and_symbol_forms() {
        let symbols = ["AAPL", "GONE", "ZERO", "NULL", "BAC.PR.K"];
        let answers = read(&symbols);
        let reasons: Vec<_> = answers.iter().map(|answer| answer.quote.as_ref().map_err(|miss| miss.reason().as_str()).err()).collect();
        assert_eq!(reasons, [None, Some("unknown_symbol"), Some("zero_price"), Some("no_trade"), None]);
        assert_whole(&answers, &symbols);
        let request = MASSIVE.request(&asked(&MASSIVE, &["BRK.B", "BAC.PR.K"]), ApiKey::parse("s3cr3t").as_ref());
        assert_eq!((request.query[0].1.as_str(), request.headers[0].1.expose()), ("BRK.B,BACpK", "Bearer s3cr3t"));
    }

    #[test]
    fn a_plan_of_delayed_data_is_recorded_as_one() {
        let body = SNAPSHOT.replacen("\"OK\"", "\"DELAYED\"", 1);
        let answers = MASSIVE.read(&asked(&MASSIVE, &["AAPL"]), body.as_bytes(), time(NOW)).unwrap();
        let quote = answers[0].quote.as_ref().unwrap();
        assert_eq!((quote.feed.as_deref(), quote.delay_seconds), (Some("delayed"), Some(900)));
    }

    #[test]
    fn refusals_are_told_apart() {
        let asked = asked(&MASSIVE, &["AAPL"]);
        let fault = |status, body| MASSIVE.fault(&asked, &refusal(status, body));
        let plan = r#"{"status":"NOT_AUTHORIZED","request_id":"x","message":"You are not entitled to this data."}"#;
        assert_eq!(fault(403, plan), Fault::Refused { status: 403, said: "You are not entitled to this data.".to_owned() });
        assert_eq!(MASSIVE.read(&asked, plan.as_bytes(), time(NOW)).unwrap_err(), fault(403, plan));
        let busy = r#"{"status":"ERROR","request_id":"x","error":"You've exceeded the maximum requests per minute, please wait"}"#;
        assert!(matches!(fault(429, busy), Fault::RateLimited { .. }));
        assert!(matches!(MASSIVE.read(&asked, busy.as_bytes(), time(NOW)), Err(Fault::RateLimited { .. })));
        assert!(matches!(fault(401, r#"{"status":"ERROR","error":"Unknown API Key"}"#), Fault::Unauthorized { .. }));
        assert!(matches!(fault(503, "<html>"), Fault::Unavailable { .. }));
    }

    proptest! {
        #[test]
        fn no_body_panics_or_makes_a_quote_that_is_none(damage in any_damage()) {
            parses_anything(&MASSIVE, &["AAPL", "BRK.B", "ZERO"], SNAPSHOT, &damage);
        }
    }
}
