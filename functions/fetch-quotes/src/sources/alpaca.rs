//! Alpaca Market Data: snapshots of many symbols in one request.
//!
//! <https://docs.alpaca.markets/reference/stocksnapshots-1>

use std::borrow::Cow;
use std::collections::HashMap;

use quotes::calendar::{Calendar, new_york_date};
use quotes::{Quote, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::provider::bar::Bar;
use super::provider::fault::{Fault, Miss, said};
use super::provider::http::{Request, Response};
use super::provider::key::ApiKey;
use super::provider::number::{Lenient, Number, Text, Time};
use super::provider::{Answer, Asked, Provider, answers, previous_close, traded_at};

/// The base URL.
pub(crate) const URL: &str = "https://data.alpaca.markets";

/// The feeds, with the delay that each declares in seconds.
pub(crate) const FEEDS: [(&str, i32); 3] = [("iex", 0), ("delayed_sip", 900), ("sip", 0)];

/// Alpaca with one of its feeds.
#[derive(Debug)]
pub(crate) struct Alpaca {
    feed: &'static str,
    delay_seconds: i32,
}

impl Alpaca {
    /// With a feed of [`FEEDS`]. It is always sent: what Alpaca takes without it depends on the
    /// plan, and IEX has a fiftieth of the volume that SIP has.
    pub(crate) const fn new((feed, delay_seconds): (&'static str, i32)) -> Self {
        Self { feed, delay_seconds }
    }
}

impl Provider for Alpaca {
    fn name(&self) -> &'static str {
        "alpaca"
    }

    /// No limit is documented; a hundred symbols keep the URL below 1 kB.
    fn batch(&self) -> usize {
        100
    }

    /// `BRK.B` as it is; preferred shares without the dot after `PR`: `BAC.PRK`.
    fn symbol(&self, canonical: &str) -> String {
        canonical.replace(".PR.", ".PR")
    }

    fn delay_seconds(&self) -> Option<i32> {
        Some(self.delay_seconds)
    }

    fn request(&self, asked: &Asked, key: Option<&ApiKey>) -> Request {
        let request = Request::new("v2/stocks/snapshots").query("symbols", asked.list()).query("feed", self.feed);
        match key {
            Some(key) => request.header("apca-api-key-id", key.id()).header("apca-api-secret-key", key.expose()),
            None => request,
        }
    }

    fn read(&self, asked: &Asked, body: &[u8], fetched_at: Timestamp) -> Result<Vec<Answer>, Fault> {
        let entries: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(body).map_err(|error| Fault::unreadable(&error, body))?;
        if entries.contains_key("message") && !entries.keys().any(|symbol| asked.canonical_of(symbol).is_some()) {
            return Err(Fault::Refused { status: 200, said: said(body) });
        }
        let mut calendar = Calendar::new();
        Ok(answers(asked, entries, |symbol, entry| self.quote(symbol, entry, fetched_at, &mut calendar)))
    }

    fn fault(&self, asked: &Asked, response: &Response) -> Fault {
        #[derive(Deserialize)]
        struct Refusal {
            message: String,
        }
        let refusal: Option<Refusal> = serde_json::from_slice(&response.body).ok();
        match (response.status, refusal) {
            // `{"message":"code=400, message=invalid symbol: BRK-B"}`: one symbol fails them all.
            (400 | 422, Some(Refusal { message })) if message.to_ascii_lowercase().contains("invalid symbol") => {
                let named = message.rsplit(':').next().map(|symbol| symbol.trim().trim_matches(['"', '\'', '.']));
                let symbol = named.and_then(|named| asked.canonical_of(named)).map(str::to_owned);
                Fault::BadSymbol { symbol, said: said(message.as_bytes()) }
            }
            _ => Fault::of_status(response),
        }
    }
}

/// One symbol's snapshot. A group is null, or absent, where Alpaca has none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot {
    #[serde(default)]
    latest_trade: Lenient<Trade>,
    #[serde(default)]
    latest_quote: Lenient<Book>,
    #[serde(default)]
    minute_bar: Lenient<Bar<Time>>,
    #[serde(default)]
    daily_bar: Lenient<Bar<Time>>,
    #[serde(default)]
    prev_daily_bar: Lenient<Bar<Time>>,
}

#[derive(Deserialize)]
struct Trade {
    #[serde(default)]
    t: Time,
    #[serde(default)]
    p: Number,
    /// Shares.
    #[serde(default)]
    s: Number,
    #[serde(default)]
    c: Lenient<Vec<Text>>,
    #[serde(default)]
    x: Text,
}

#[derive(Deserialize)]
struct Book {
    #[serde(default)]
    t: Time,
    /// 0: nobody bids.
    #[serde(default)]
    bp: Number,
    /// Shares; round lots before 2025-11-03.
    #[serde(default)]
    bs: Number,
    #[serde(default)]
    ap: Number,
    #[serde(default, rename = "as")]
    ask_size: Number,
}

/// The New York date of a daily bar: it begins at midnight there.
fn date(day: &Bar<Time>) -> Option<chrono::NaiveDate> {
    day.t.0.map(new_york_date)
}

impl Alpaca {
    fn quote(&self, symbol: &str, entry: &RawValue, fetched_at: Timestamp, calendar: &mut Calendar) -> Result<Quote<'static>, Miss> {
        let Some(snapshot) = serde_json::from_str::<Option<Snapshot>>(entry.get())? else { return Err(Miss::UnknownSymbol) };
        let trade = snapshot.latest_trade.0.ok_or(Miss::NoTrade)?;
        let price = traded_at(trade.p)?;
        let event_time = trade.t.0.ok_or_else(|| Miss::Malformed("latestTrade.t is no time".to_owned()))?;

        let mut quote = Quote::new(symbol.to_owned(), "USD", price, event_time, fetched_at, self.name());
        quote.feed = Some(self.feed.into());
        quote.delay_seconds = Some(self.delay_seconds);
        quote.last_size = trade.s.not_negative();
        quote.exchange = trade.x.0.map(Cow::Owned);
        quote.conditions = trade.c.0.and_then(conditions).map(Cow::Owned);
        if let Some(book) = snapshot.latest_quote.0 {
            set_book(&mut quote, &book);
        }
        if let Some(bar) = &snapshot.minute_bar.0 {
            bar.set_minute(&mut quote, bar.t.0);
        }
        let days = [snapshot.daily_bar.0, snapshot.prev_daily_bar.0];
        if let Some(day) = &days[0] {
            day.set_day(&mut quote, date(day));
        }
        // Before the open the daily bar is still yesterday's: then its close is the previous one.
        let trade_date = calendar.place(event_time).trade_date;
        quote.previous_close = previous_close(trade_date, days.iter().flatten().map(|day| (date(day), day.close())));
        Ok(quote)
    }
}

/// Alpaca's conditions, comma-separated; a blank one (a regular sale on the tapes A and B) stays one.
fn conditions(codes: Vec<Text>) -> Option<String> {
    let codes: Vec<_> = codes.into_iter().filter_map(|code| code.0).collect();
    (!codes.is_empty()).then(|| codes.join(","))
}

fn set_book(quote: &mut Quote<'static>, book: &Book) {
    quote.bid = book.bp.positive();
    quote.ask = book.ap.positive();
    quote.bid_size = quote.bid.and(book.bs.not_negative());
    quote.ask_size = quote.ask.and(book.ask_size.not_negative());
    quote.quote_time = quote.bid.or(quote.ask).and(book.t.0);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::provider::stub::{any_damage, asked, assert_whole, decimal, parses_anything, refusal, time};
    use super::*;

    const ALPACA: Alpaca = Alpaca::new(FEEDS[0]);
    const SNAPSHOTS: &str = include_str!("alpaca/snapshots.json");

    fn read(symbols: &[&str], body: &str, now: &str) -> Vec<Answer> {
        ALPACA.read(&asked(&ALPACA, symbols), body.as_bytes(), time(now)).unwrap()
    }

    #[test]
    fn every_column_comes_from_the_field_that_means_it() {
        let answers = read(&["AAPL"], SNAPSHOTS, "2026-11-23T15:02:35.250Z");
        let quote = answers[0].quote.as_ref().unwrap();
        assert_eq!(
            *quote,
            Quote {
                last_size: decimal("160"),
                conditions: Some("@,T".into()),
                exchange: Some("V".into()),
                bid: decimal("272.6"),
                ask: decimal("272.7"),
                bid_size: decimal("200"),
                ask_size: decimal("540.5"),
                quote_time: Some(time("2026-11-23T15:02:34.998877665Z")),
                day_date: "2026-11-23".parse().ok(),
                day_open: decimal("272.62"),
                day_high: decimal("273.71"),
                day_low: decimal("271.66"),
                day_close: decimal("272.61"),
                day_volume: decimal("564576"),
                day_vwap: decimal("272.741234"),
                day_trades: Some(5_151),
                previous_close: decimal("273.19"),
                bar_start: Some(time("2026-11-23T15:01:00Z")),
                bar_seconds: Some(60),
                bar_open: decimal("272.5"),
                bar_high: decimal("272.66"),
                bar_low: decimal("272.41"),
                bar_close: decimal("272.63"),
                bar_volume: decimal("4212"),
                bar_vwap: decimal("272.554321"),
                bar_trades: Some(57),
                feed: Some("iex".into()),
                delay_seconds: Some(0),
                ..Quote::new(
                    "AAPL",
                    "USD",
                    "272.61".parse().unwrap(),
                    time("2026-11-23T15:02:34.114694956Z"),
                    time("2026-11-23T15:02:35.250Z"),
                    "alpaca"
                )
            }
        );
    }

    #[test]
    fn before_the_open_the_daily_bar_is_yesterdays_and_its_close_the_previous() {
        let answers = read(&["BRK.B"], SNAPSHOTS, "2026-11-23T12:00:00Z");
        let quote = answers[0].quote.as_ref().unwrap();
        assert_eq!(quote.day_date.unwrap().to_string(), "2026-11-20");
        assert_eq!((quote.day_close, quote.previous_close), (decimal("503.1"), decimal("503.1")));
        // Nobody bids: null with its size, never 0.
        assert_eq!((quote.bid, quote.bid_size, quote.ask, quote.ask_size), (None, None, decimal("505"), decimal("100")));
        // The minute bar is of Friday evening.
        assert_eq!(quote.bar_start, Some(time("2026-11-20T20:59:00Z")));
    }

    #[test]
    fn a_minute_that_is_not_over_is_no_complete_bar() {
        let answers = read(&["AAPL"], SNAPSHOTS, "2026-11-23T15:01:59.999Z");
        let quote = answers[0].quote.as_ref().unwrap();
        assert_eq!((quote.bar_start, quote.bar_seconds, quote.bar_close, quote.bar_volume), (None, None, None, None));
    }

    #[test]
    fn each_miss_has_its_own_reason_and_harms_no_other() {
        let symbols = ["AAPL", "NONE", "NULL", "HALT", "ZERO", "TIME", "WRONG", "BAC.PR.K"];
        let answers = read(&symbols, SNAPSHOTS, "2026-11-23T15:02:35Z");
        let reasons: Vec<_> = answers.iter().map(|answer| answer.quote.as_ref().map_err(|miss| miss.reason().as_str()).err()).collect();
        assert_eq!(
            reasons,
            [
                None,
                Some("unknown_symbol"),
                Some("unknown_symbol"),
                Some("no_trade"),
                Some("zero_price"),
                Some("malformed"),
                Some("malformed"),
                None
            ]
        );
        let preferred = answers[7].quote.as_ref().unwrap();
        assert_eq!((preferred.symbol.as_ref(), preferred.bid, preferred.day_date, preferred.bar_start), ("BAC.PR.K", None, None, None));
        assert_whole(&answers, &symbols);
    }

    #[test]
    fn the_feed_is_always_sent_and_the_key_only_in_headers() {
        let delayed = Alpaca::new(FEEDS[1]);
        let request = delayed.request(&asked(&delayed, &["AAPL", "BAC.PR.K"]), ApiKey::parse("ID12:s3cret").as_ref());
        assert_eq!(request.query, [("symbols", "AAPL,BAC.PRK".to_owned()), ("feed", "delayed_sip".to_owned())]);
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (*name, value.expose())).collect();
        assert_eq!(headers, [("apca-api-key-id", "ID12"), ("apca-api-secret-key", "s3cret")]);
        assert_eq!(delayed.delay_seconds(), Some(900));
        assert!(!format!("{request:?}").contains("s3cret"));
    }

    #[test]
    fn refusals_are_told_apart() {
        let asked = asked(&ALPACA, &["AAPL", "BRK-B", "MSFT"]);
        let fault = |status, body| ALPACA.fault(&asked, &refusal(status, body));
        for (body, named) in [
            (r#"{"message":"code=400, message=invalid symbol: BRK-B"}"#, Some("BRK-B")),
            (r#"{"message":"invalid symbol: brk-b"}"#, Some("BRK-B")),
            (r#"{"message":"code=400, message=invalid symbol(s)"}"#, None),
        ] {
            let Fault::BadSymbol { symbol, .. } = fault(400, body) else { unreachable!("{body}") };
            assert_eq!(symbol.as_deref(), named);
        }
        assert!(matches!(fault(400, r#"{"message":"invalid feed"}"#), Fault::Refused { status: 400, .. }));
        assert!(matches!(fault(401, ""), Fault::Unauthorized { .. }));
        let sip = fault(403, r#"{"message":"subscription does not permit querying recent SIP data"}"#);
        assert!(sip.is_of_the_key() && !sip.is_retryable() && sip.to_string().contains("recent SIP data"));
        assert!(matches!(fault(429, r#"{"message":"too many requests."}"#), Fault::RateLimited { .. }));
        assert!(matches!(fault(500, "<html>"), Fault::Unavailable { .. }));
        // An error in the place of the answer.
        assert!(ALPACA.read(&asked, br#"{"message":"forbidden."}"#, time("2026-11-23T15:00:00Z")).is_err());
    }

    proptest! {
        #[test]
        fn no_body_panics_or_makes_a_quote_that_is_none(damage in any_damage()) {
            parses_anything(&ALPACA, &["AAPL", "BRK.B", "HALT"], SNAPSHOTS, &damage);
        }
    }
}
