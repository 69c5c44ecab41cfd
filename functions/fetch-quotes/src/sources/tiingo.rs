//! Tiingo's IEX endpoint: many symbols a request.
//!
//! <https://www.tiingo.com/documentation/iex>

use quotes::calendar::new_york_date;
use quotes::{Quote, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::provider::fault::{Fault, Miss, said};
use super::provider::http::{Request, Response};
use super::provider::key::ApiKey;
use super::provider::number::{Number, Time};
use super::provider::{Answer, Asked, Provider, answers, by_ticker, traded_at};

/// The base URL.
pub(crate) const URL: &str = "https://api.tiingo.com";

/// Tiingo.
#[derive(Debug)]
pub(crate) struct Tiingo;

impl Provider for Tiingo {
    fn name(&self) -> &'static str {
        "tiingo"
    }

    fn batch(&self) -> usize {
        100
    }

    /// Dashes for dots: `BRK-B`, `BAC-P-K`.
    fn symbol(&self, canonical: &str) -> String {
        canonical.replace(".PR.", "-P-").replace('.', "-")
    }

    fn request(&self, asked: &Asked, key: Option<&ApiKey>) -> Request {
        let request = Request::new("iex/").query("tickers", asked.list());
        match key {
            Some(key) => request.header("authorization", format!("Token {}", key.expose())),
            None => request,
        }
    }

    fn read(&self, asked: &Asked, body: &[u8], fetched_at: Timestamp) -> Result<Vec<Answer>, Fault> {
        let entries: Vec<&RawValue> = match serde_json::from_slice(body) {
            Ok(entries) => entries,
            Err(error) => return Err(detail(body).map_or_else(|| Fault::unreadable(&error, body), |words| refusal(200, &words, None))),
        };
        Ok(answers(asked, by_ticker(entries), |symbol, entry| quote(symbol, entry, fetched_at)))
    }

    fn fault(&self, _: &Asked, response: &Response) -> Fault {
        match detail(&response.body) {
            Some(words) => refusal(response.status, &words, response.limits.retry_after),
            None => Fault::of_status(response),
        }
    }
}

/// The words of a refusal: `{"detail": "…"}`, which comes with 200 too.
fn detail(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        detail: String,
    }
    serde_json::from_slice::<Refusal>(body).ok().map(|refusal| refusal.detail)
}

fn refusal(status: u16, words: &str, retry_after: Option<std::time::Duration>) -> Fault {
    let said = said(words.as_bytes());
    let words = words.to_ascii_lowercase();
    match status {
        429 => Fault::RateLimited { retry_after, said },
        401 => Fault::Unauthorized { status, said },
        500.. => Fault::Unavailable { status, retry_after, said },
        _ if words.contains("allocation") || words.contains("run over") => Fault::RateLimited { retry_after, said },
        _ if words.contains("token") || words.contains("credentials") => Fault::Unauthorized { status, said },
        404 => Fault::NotFound,
        _ => Fault::Refused { status, said },
    }
}

/// One symbol's entry. Without an agreement with IEX the last trade and the book are null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    timestamp: Time,
    #[serde(default)]
    last_sale_timestamp: Time,
    #[serde(default)]
    quote_timestamp: Time,
    /// IEX's last trade.
    #[serde(default)]
    last: Number,
    #[serde(default)]
    last_size: Number,
    /// Tiingo's own price: the last trade, or the middle of the book where that is newer.
    #[serde(default)]
    tngo_last: Number,
    #[serde(default)]
    bid_price: Number,
    #[serde(default)]
    bid_size: Number,
    #[serde(default)]
    ask_price: Number,
    #[serde(default)]
    ask_size: Number,
    #[serde(default)]
    open: Number,
    #[serde(default)]
    high: Number,
    #[serde(default)]
    low: Number,
    #[serde(default)]
    volume: Number,
    #[serde(default)]
    prev_close: Number,
}

fn quote(symbol: &str, entry: &RawValue, fetched_at: Timestamp) -> Result<Quote<'static>, Miss> {
    let entry: Entry = serde_json::from_str(entry.get())?;
    // Told apart by the feed: `tngo` may be no trade at all.
    let (price, time, feed) = match (entry.last.positive(), entry.last_sale_timestamp.0) {
        (Some(last), Some(time)) => (last, Some(time), "iex"),
        _ => (traded_at(entry.tngo_last)?, entry.timestamp.0, "tngo"),
    };
    let event_time = time.ok_or_else(|| Miss::Malformed("timestamp is no time".to_owned()))?;
    let mut quote = Quote::new(symbol.to_owned(), "USD", price, event_time, fetched_at, "tiingo");
    quote.feed = Some(feed.into());
    quote.last_size = if feed == "iex" { entry.last_size.positive() } else { None };
    quote.bid = entry.bid_price.positive();
    quote.ask = entry.ask_price.positive();
    quote.bid_size = quote.bid.and(entry.bid_size.not_negative());
    quote.ask_size = quote.ask.and(entry.ask_size.not_negative());
    quote.quote_time = quote.bid.or(quote.ask).and(entry.quote_timestamp.0);
    quote.day_open = entry.open.positive();
    quote.day_high = entry.high.positive();
    quote.day_low = entry.low.positive();
    quote.day_volume = entry.volume.not_negative();
    // The day that the numbers are of is the day of Tiingo's own time.
    let has_day = quote.day_open.or(quote.day_high).or(quote.day_low).or(quote.day_volume).is_some();
    quote.day_date = entry.timestamp.0.filter(|_| has_day).map(new_york_date);
    quote.previous_close = entry.prev_close.positive();
    Ok(quote)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::provider::stub::{any_damage, asked, assert_whole, decimal, parses_anything, refusal, time};
    use super::*;

    const NOW: &str = "2026-11-23T15:02:36Z";
    const IEX: &str = include_str!("tiingo/iex.json");

    fn read(symbols: &[&str]) -> Vec<Answer> {
        Tiingo.read(&asked(&Tiingo, symbols), IEX.as_bytes(), time(NOW)).unwrap()
    }

    #[test]
    fn every_column_comes_from_the_field_that_means_it() {
        let answers = read(&["BRK.B"]);
        let base = Quote::new("BRK.B", "USD", "504.25".parse().unwrap(), time("2026-11-23T15:02:30.5Z"), time(NOW), "tiingo");
        let expected = Quote {
            last_size: decimal("25"),
            bid: decimal("504.2"),
            ask: decimal("504.4"),
            bid_size: decimal("100"),
            ask_size: decimal("200"),
            quote_time: Some(time("2026-11-23T15:02:34Z")),
            day_date: "2026-11-23".parse().ok(),
            day_open: decimal("502"),
            day_high: decimal("505"),
            day_low: decimal("501.5"),
            day_volume: decimal("40123"),
            previous_close: decimal("503.1"),
            feed: Some("iex".into()),
            ..base
        };
        assert_eq!(answers[0].quote, Ok(expected));
    }

    #[test]
    fn tiingos_own_price_is_told_from_a_trade() {
        let answers = read(&["AAPL"]);
        let quote = answers[0].quote.as_ref().unwrap();
        assert_eq!((quote.price.to_string().as_str(), quote.event_time), ("312.27", time("2026-11-23T15:02:35Z")));
        assert_eq!(
            (quote.feed.as_deref(), quote.last_size, quote.bid, quote.ask, quote.quote_time),
            (Some("tngo"), None, None, None, None)
        );
    }

    #[test]
    fn misses_and_symbol_forms() {
        let symbols = ["AAPL", "GONE", "NULL", "ZERO", "TIME", "BAC.PR.K"];
        let answers = read(&symbols);
        let reasons: Vec<_> = answers.iter().map(|answer| answer.quote.as_ref().map_err(|miss| miss.reason().as_str()).err()).collect();
        assert_eq!(reasons, [None, Some("unknown_symbol"), Some("no_trade"), Some("zero_price"), Some("malformed"), None]);
        assert_whole(&answers, &symbols);
        let request = Tiingo.request(&asked(&Tiingo, &["BRK.B", "BAC.PR.K"]), ApiKey::parse("s3cr3t").as_ref());
        assert_eq!((request.query[0].1.as_str(), request.headers[0].1.expose()), ("BRK-B,BAC-P-K", "Token s3cr3t"));
    }

    #[test]
    fn refusals_are_read_in_the_body_whatever_the_status() {
        let asked = asked(&Tiingo, &["AAPL"]);
        let hourly = r#"{"detail":"Error: You have run over your hourly request allocation."}"#;
        assert!(matches!(Tiingo.read(&asked, hourly.as_bytes(), time(NOW)), Err(Fault::RateLimited { .. })));
        let fault = |status, body| Tiingo.fault(&asked, &refusal(status, body));
        assert!(matches!(fault(429, hourly), Fault::RateLimited { .. }));
        assert!(matches!(fault(401, r#"{"detail":"Invalid token."}"#), Fault::Unauthorized { .. }));
        assert!(matches!(fault(403, r#"{"detail":"Authentication credentials were not provided."}"#), Fault::Unauthorized { .. }));
        assert!(matches!(fault(404, r#"{"detail":"Not found."}"#), Fault::NotFound));
        assert!(matches!(fault(500, "<html>"), Fault::Unavailable { .. }));
        assert!(matches!(Tiingo.read(&asked, b"[{\"ticker\":\"AA", time(NOW)), Err(Fault::Unreadable { cut_off: true, .. })));
    }

    proptest! {
        #[test]
        fn no_body_panics_or_makes_a_quote_that_is_none(damage in any_damage()) {
            parses_anything(&Tiingo, &["AAPL", "BRK.B", "ZERO"], IEX, &damage);
        }
    }
}
