//! Finnhub: one US symbol a request, regular session only.
//!
//! <https://finnhub.io/docs/api/quote>

use quotes::calendar::new_york_date;
use quotes::{Decimal, Quote, Timestamp};
use serde::Deserialize;

use super::provider::fault::{Fault, Miss, said};
use super::provider::http::{Request, Response};
use super::provider::key::ApiKey;
use super::provider::number::{Number, Whole};
use super::provider::{Answer, Asked, Provider, checked};

/// The base URL.
pub(crate) const URL: &str = "https://finnhub.io";

/// Finnhub.
#[derive(Debug)]
pub(crate) struct Finnhub;

/// The answer; for an unknown symbol everything in it is 0 or null.
#[derive(Deserialize)]
struct Body {
    /// The current price.
    c: Option<Number>,
    /// The day's highest price; with `l` and `o` of the day of `t`.
    #[serde(default)]
    h: Number,
    #[serde(default)]
    l: Number,
    #[serde(default)]
    o: Number,
    /// The previous close.
    #[serde(default)]
    pc: Number,
    /// Seconds since 1970.
    #[serde(default)]
    t: Whole,
    /// What is wrong, with a status of 200.
    error: Option<String>,
}

impl Provider for Finnhub {
    fn name(&self) -> &'static str {
        "finnhub"
    }

    fn batch(&self) -> usize {
        1
    }

    fn request(&self, asked: &Asked, key: Option<&ApiKey>) -> Request {
        let request = Request::new("api/v1/quote").query("symbol", asked.list());
        match key {
            // Finnhub takes it as a parameter too; URLs end up in logs.
            Some(key) => request.header("x-finnhub-token", key.expose()),
            None => request,
        }
    }

    fn read(&self, asked: &Asked, body: &[u8], fetched_at: Timestamp) -> Result<Vec<Answer>, Fault> {
        let parsed: Body = serde_json::from_slice(body).map_err(|error| Fault::unreadable(&error, body))?;
        if let Some(error) = &parsed.error {
            return Err(fault_of(200, error, None));
        }
        let answer = |symbol: &str| Answer { symbol: symbol.to_owned(), quote: quote(symbol, &parsed, fetched_at).and_then(checked) };
        Ok(asked.canonical().map(answer).collect())
    }

    fn fault(&self, _: &Asked, response: &Response) -> Fault {
        match serde_json::from_slice::<Body>(&response.body) {
            Ok(Body { error: Some(error), .. }) => {
                fault_of(response.status, &error, response.limits.retry_after.or(response.limits.reset_in))
            }
            _ => Fault::of_status(response),
        }
    }
}

/// Finnhub's words decide where the status says nothing.
fn fault_of(status: u16, error: &str, retry_after: Option<std::time::Duration>) -> Fault {
    let (words, said) = (error.to_ascii_lowercase(), said(error.as_bytes()));
    if status == 429 || words.contains("limit reached") {
        Fault::RateLimited { retry_after, said }
    } else if status == 401 || words.contains("api key") {
        Fault::Unauthorized { status, said }
    } else if status >= 500 {
        Fault::Unavailable { status, retry_after, said }
    } else {
        Fault::Refused { status, said }
    }
}

fn quote(symbol: &str, body: &Body, fetched_at: Timestamp) -> Result<Quote<'static>, Miss> {
    let price = body.c.and_then(|price| price.0).ok_or(Miss::NoTrade)?;
    let time = body.t.seconds();
    if price == Decimal::ZERO {
        return Err(if time.is_none() { Miss::UnknownSymbol } else { Miss::ZeroPrice });
    }
    let event_time = time.ok_or_else(|| Miss::Malformed("t is no time".to_owned()))?;
    // There is no currency in the answer, and no market but the American on the plans that this serves.
    let mut quote = Quote::new(symbol.to_owned(), "USD", price, event_time, fetched_at, "finnhub");
    quote.day_date = Some(new_york_date(event_time));
    quote.day_open = body.o.positive();
    quote.day_high = body.h.positive();
    quote.day_low = body.l.positive();
    quote.previous_close = body.pc.positive();
    Ok(quote)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::provider::stub::{any_damage, asked, decimal, parses_anything, refusal, time};
    use super::*;

    const NOW: &str = "2026-11-23T15:02:36Z";
    const QUOTE: &str = include_str!("finnhub/quote.json");

    fn read(body: &str) -> Result<Quote<'static>, Miss> {
        Finnhub.read(&asked(&Finnhub, &["BRK.B"]), body.as_bytes(), time(NOW)).unwrap().remove(0).quote
    }

    #[test]
    fn every_column_comes_from_the_field_that_means_it() {
        let base = Quote::new("BRK.B", "USD", "153.04".parse().unwrap(), time("2026-11-23T15:02:27Z"), time(NOW), "finnhub");
        let expected = Quote {
            day_date: "2026-11-23".parse().ok(),
            day_open: decimal("151.12"),
            day_high: decimal("153.72"),
            day_low: decimal("150.37"),
            previous_close: decimal("151"),
            ..base
        };
        assert_eq!(read(QUOTE), Ok(expected));
    }

    #[test]
    fn zeros_are_an_unknown_symbol_and_null_is_no_trade() {
        assert_eq!(read(r#"{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}"#), Err(Miss::UnknownSymbol));
        assert_eq!(read(r#"{"c":0,"h":0,"l":0,"o":0,"pc":3,"t":1795446147}"#), Err(Miss::ZeroPrice));
        assert_eq!(read(r#"{"c":null,"t":1795446147}"#), Err(Miss::NoTrade));
        assert_eq!(read("{}"), Err(Miss::NoTrade));
        assert_eq!(read(r#"{"c":3,"t":0}"#), Err(Miss::Malformed("t is no time".to_owned())));
    }

    #[test]
    fn refusals_are_told_apart() {
        let asked = asked(&Finnhub, &["AAPL"]);
        let fault = |status, body| Finnhub.fault(&asked, &refusal(status, body));
        let limit = r#"{"error":"API limit reached. Please try again later. Remaining Limit: 0"}"#;
        assert!(matches!(fault(429, limit), Fault::RateLimited { .. }));
        assert!(matches!(fault(429, "<html>Too Many Requests"), Fault::RateLimited { .. }));
        assert!(matches!(Finnhub.read(&asked, limit.as_bytes(), time(NOW)), Err(Fault::RateLimited { .. })));
        assert!(matches!(fault(401, r#"{"error":"Invalid API key."}"#), Fault::Unauthorized { .. }));
        assert!(matches!(fault(403, r#"{"error":"You don't have access to this resource."}"#), Fault::Refused { status: 403, .. }));
        assert!(matches!(fault(502, "Bad Gateway"), Fault::Unavailable { .. }));
        assert!(matches!(Finnhub.read(&asked, b"<!DOCTYPE html><p>", time(NOW)), Err(Fault::Unreadable { cut_off: false, .. })));
        assert!(matches!(Finnhub.read(&asked, br#"{"c":153.04,"d"#, time(NOW)), Err(Fault::Unreadable { cut_off: true, .. })));
    }

    #[test]
    fn the_key_is_only_in_the_header() {
        let request = Finnhub.request(&asked(&Finnhub, &["BRK.B"]), ApiKey::parse("s3cr3t").as_ref());
        assert_eq!(request.query, [("symbol", "BRK.B".to_owned())]);
        assert_eq!(
            request.headers.iter().map(|(name, value)| (*name, value.expose())).collect::<Vec<_>>(),
            [("x-finnhub-token", "s3cr3t")]
        );
    }

    proptest! {
        #[test]
        fn no_body_panics_or_makes_a_quote_that_is_none(damage in any_damage()) {
            parses_anything(&Finnhub, &["AAPL"], QUOTE, &damage);
        }
    }
}
