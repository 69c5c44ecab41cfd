//! Twelve Data: many symbols a request, each at the price of one credit.
//!
//! <https://twelvedata.com/docs#quote>

use std::borrow::Cow;
use std::collections::HashMap;

use quotes::{Quote, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::provider::currency::Unit;
use super::provider::fault::{Fault, Miss, said};
use super::provider::http::{Request, Response};
use super::provider::key::ApiKey;
use super::provider::number::{Number, Text, Whole};
use super::provider::{Answer, Asked, Provider, answers, checked, traded_at};

/// The base URL.
pub(crate) const URL: &str = "https://api.twelvedata.com";

/// Twelve Data.
#[derive(Debug)]
pub(crate) struct TwelveData;

/// A refusal, of a request or of one symbol of it; it comes with any status, 200 too.
#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: Whole,
    #[serde(default)]
    message: Text,
    status: String,
}

impl Refusal {
    fn of(json: &str) -> Option<Self> {
        serde_json::from_str::<Self>(json).ok().filter(|refusal| refusal.status == "error")
    }

    fn fault(self, status: u16, retry_after: Option<std::time::Duration>) -> Fault {
        let said = said(self.message.0.unwrap_or_default().as_bytes());
        match self.code.0.and_then(|code| u16::try_from(code).ok()).unwrap_or(status) {
            404 => Fault::NotFound,
            401 => Fault::Unauthorized { status: 401, said },
            // Without a time in it: the credits are of the clock's minute, or of the day.
            429 => Fault::RateLimited { retry_after, said },
            code @ 500..=599 => Fault::Unavailable { status: code, retry_after, said },
            // One symbol's, where several are asked for, comes as that symbol's entry; this is of them all.
            code => Fault::Refused { status: code, said },
        }
    }
}

impl Provider for TwelveData {
    fn name(&self) -> &'static str {
        "twelvedata"
    }

    /// The documented limit of a batch; what the plan's credits allow is usually less.
    fn batch(&self) -> usize {
        120
    }

    fn cost(&self, symbols: usize) -> u32 {
        u32::try_from(symbols).unwrap_or(u32::MAX)
    }

    fn request(&self, asked: &Asked, key: Option<&ApiKey>) -> Request {
        let request = Request::new("quote").query("symbol", asked.list());
        match key {
            Some(key) => request.header("authorization", format!("apikey {}", key.expose())),
            None => request,
        }
    }

    fn read(&self, asked: &Asked, body: &[u8], fetched_at: Timestamp) -> Result<Vec<Answer>, Fault> {
        let whole: &RawValue = serde_json::from_slice(body).map_err(|error| Fault::unreadable(&error, body))?;
        if let Some(refusal) = Refusal::of(whole.get()) {
            return Err(refusal.fault(200, None));
        }
        // One symbol is answered with its entry, several with an object of entries.
        if let (1, Some(symbol)) = (asked.len(), asked.canonical().next()) {
            let is_object = whole.get().starts_with('{');
            let unreadable = || Fault::Unreadable { said: said(body), cut_off: false };
            let quote = is_object.then(|| read(symbol, whole, fetched_at).and_then(checked)).ok_or_else(unreadable)?;
            return Ok(vec![Answer { symbol: symbol.to_owned(), quote }]);
        }
        let entries: HashMap<Cow<'_, str>, &RawValue> =
            serde_json::from_str(whole.get()).map_err(|error| Fault::unreadable(&error, body))?;
        Ok(answers(asked, entries, |symbol, entry| read(symbol, entry, fetched_at)))
    }

    fn fault(&self, _: &Asked, response: &Response) -> Fault {
        let refusal = std::str::from_utf8(&response.body).ok().and_then(Refusal::of);
        let retry_after = response.limits.retry_after.or(response.limits.reset_in);
        refusal.map_or_else(|| Fault::of_status(response), |refusal| refusal.fault(response.status, retry_after))
    }
}

/// One symbol's entry. Numbers are texts.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    currency: Text,
    /// The date of the day's numbers in the exchange's time zone, perhaps with a time behind it.
    #[serde(default)]
    datetime: Text,
    /// The latest minute with a trade, in seconds since 1970. (`timestamp` is the session's open.)
    #[serde(default)]
    last_quote_at: Whole,
    #[serde(default)]
    open: Number,
    #[serde(default)]
    high: Number,
    #[serde(default)]
    low: Number,
    /// The latest price: the day's close so far.
    #[serde(default)]
    close: Number,
    #[serde(default)]
    volume: Number,
    #[serde(default)]
    previous_close: Number,
}

fn read(symbol: &str, entry: &RawValue, fetched_at: Timestamp) -> Result<Quote<'static>, Miss> {
    if let Some(refusal) = Refusal::of(entry.get()) {
        return Err(match refusal.fault(200, None) {
            Fault::NotFound => Miss::UnknownSymbol,
            fault => Miss::Fault(fault),
        });
    }
    let entry: Entry = serde_json::from_str(entry.get())?;
    let price = traded_at(entry.close)?;
    let event_time = entry.last_quote_at.seconds().ok_or_else(|| Miss::Malformed("last_quote_at is no time".to_owned()))?;
    let unit = entry.currency.0.as_deref().and_then(Unit::of).ok_or_else(|| Miss::Malformed("currency is none".to_owned()))?;
    let major = |number: Number| number.positive().and_then(|number| unit.major(number));
    let price = unit.major(price).ok_or_else(|| Miss::Malformed("close is no price".to_owned()))?;

    let mut quote = Quote::new(symbol.to_owned(), unit.currency.clone(), price, event_time, fetched_at, "twelvedata");
    quote.day_date = entry.datetime.0.and_then(|text| text.get(..10)?.parse().ok());
    quote.day_open = major(entry.open);
    quote.day_high = major(entry.high);
    quote.day_low = major(entry.low);
    quote.day_close = Some(price);
    quote.day_volume = entry.volume.not_negative();
    quote.previous_close = major(entry.previous_close);
    Ok(quote)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::provider::stub::{any_damage, asked, assert_whole, decimal, parses_anything, refusal, time};
    use super::*;

    const NOW: &str = "2026-11-23T15:02:36Z";
    const SEVERAL: &str = include_str!("twelvedata/several.json");
    const ONE: &str = include_str!("twelvedata/one.json");

    #[test]
    fn every_column_comes_from_the_field_that_means_it() {
        let answers = TwelveData.read(&asked(&TwelveData, &["AAPL"]), ONE.as_bytes(), time(NOW)).unwrap();
        let base = Quote::new("AAPL", "USD", "335.59".parse().unwrap(), time("2026-11-23T15:01:00Z"), time(NOW), "twelvedata");
        let expected = Quote {
            day_date: "2026-11-23".parse().ok(),
            day_open: decimal("337.98999"),
            day_high: decimal("338.5"),
            day_low: decimal("334.12"),
            day_close: decimal("335.59"),
            day_volume: decimal("35660958"),
            previous_close: decimal("337"),
            ..base
        };
        assert_eq!(answers[0].quote, Ok(expected));
    }

    #[test]
    fn each_symbol_of_several_has_its_own_answer() {
        let symbols = ["AAPL", "VOD", "NOPE", "ZERO", "TIME", "COIN", "GONE"];
        let answers = TwelveData.read(&asked(&TwelveData, &symbols), SEVERAL.as_bytes(), time(NOW)).unwrap();
        let reasons: Vec<_> = answers.iter().map(|answer| answer.quote.as_ref().map_err(|miss| miss.reason().as_str()).err()).collect();
        let unknown = Some("unknown_symbol");
        assert_eq!(reasons, [None, None, unknown, Some("zero_price"), Some("malformed"), Some("malformed"), unknown]);
        let pence = answers[1].quote.as_ref().unwrap();
        assert_eq!((pence.currency.as_ref(), pence.price.to_string().as_str()), ("GBP", "0.742"));
        assert_eq!((pence.day_open, pence.previous_close), (decimal("0.741"), decimal("0.7395")));
        assert_whole(&answers, &symbols);
    }

    #[test]
    fn refusals_are_read_in_the_body_whatever_the_status() {
        let asked = asked(&TwelveData, &["AAPL", "MSFT"]);
        let credits = r#"{"code":429,"message":"You have run out of API credits for the current minute.","status":"error"}"#;
        assert!(matches!(TwelveData.read(&asked, credits.as_bytes(), time(NOW)), Err(Fault::RateLimited { .. })));
        let fault = |status, body| TwelveData.fault(&asked, &refusal(status, body));
        assert!(matches!(fault(429, credits), Fault::RateLimited { .. }));
        assert!(matches!(fault(404, r#"{"code":404,"message":"**symbol** not found: X","status":"error"}"#), Fault::NotFound));
        assert!(matches!(
            fault(401, r#"{"code":401,"message":"**apikey** parameter is incorrect","status":"error"}"#),
            Fault::Unauthorized { .. }
        ));
        assert!(matches!(fault(400, r#"{"code":400,"message":"bad","status":"error"}"#), Fault::Refused { status: 400, .. }));
        assert!(matches!(fault(500, "oops"), Fault::Unavailable { .. }));
        assert!(matches!(TwelveData.read(&asked, b"[]", time(NOW)), Err(Fault::Unreadable { .. })));
    }

    #[test]
    fn a_symbol_costs_a_credit_and_the_key_is_only_in_the_header() {
        assert_eq!(TwelveData.cost(8), 8);
        let request = TwelveData.request(&asked(&TwelveData, &["AAPL", "BRK.B"]), ApiKey::parse("s3cr3t").as_ref());
        assert_eq!(request.query, [("symbol", "AAPL,BRK.B".to_owned())]);
        assert_eq!(request.headers[0].1.expose(), "apikey s3cr3t");
    }

    proptest! {
        #[test]
        fn no_body_panics_or_makes_a_quote_that_is_none(damage in any_damage()) {
            parses_anything(&TwelveData, &["AAPL", "VOD", "NOPE"], SEVERAL, &damage);
            parses_anything(&TwelveData, &["AAPL"], ONE, &damage);
        }
    }
}
