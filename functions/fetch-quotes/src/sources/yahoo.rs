//! Yahoo Finance's chart: one symbol a request, of any exchange.
//!
//! Not an API that Yahoo offers: it serves its own pages, may change or refuse without notice, and
//! the terms of use allow personal use only. So it must be asked for (`YAHOO_TERMS=accepted`).

use quotes::{Decimal, Quote, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::provider::currency::Unit;
use super::provider::fault::{Fault, Miss, said};
use super::provider::http::{Request, Response};
use super::provider::key::ApiKey;
use super::provider::number::{Lenient, Number, Text, Whole, without_noise};
use super::provider::{Answer, Asked, Provider, checked, traded_at};

/// The base URL.
pub(crate) const URL: &str = "https://query1.finance.yahoo.com";

/// Share classes that stand behind a dot here and a dash at Yahoo, whose dots name exchanges
/// (`.L` London, `.F` Frankfurt, `.T` Tokyo, `.V` Toronto's Venture): American classes end at K.
const CLASSES: std::ops::RangeInclusive<u8> = b'A'..=b'E';

/// Yahoo.
#[derive(Debug)]
pub(crate) struct Yahoo;

impl Provider for Yahoo {
    fn name(&self) -> &'static str {
        "yahoo"
    }

    fn batch(&self) -> usize {
        1
    }

    /// `BRK-B` and `BAC-PK`; what names an exchange (`0700.HK`) stays.
    fn symbol(&self, canonical: &str) -> String {
        if canonical.contains(".PR.") {
            return canonical.replace(".PR.", "-P");
        }
        match canonical.rsplit_once('.') {
            Some((stem, class)) if matches!(class.as_bytes(), [class] if CLASSES.contains(class) || *class == b'K') => {
                format!("{stem}-{class}")
            }
            _ => canonical.to_owned(),
        }
    }

    fn request(&self, asked: &Asked, _: Option<&ApiKey>) -> Request {
        Request::new("v8/finance/chart").segment(&asked.list()).query("range", "1d").query("interval", "1d")
    }

    fn read(&self, asked: &Asked, body: &[u8], fetched_at: Timestamp) -> Result<Vec<Answer>, Fault> {
        let Body { chart } = serde_json::from_slice(body).map_err(|error| Fault::unreadable(&error, body))?;
        if let Some(error) = chart.error {
            return Err(refusal(200, &error, None));
        }
        let entry = chart.result.unwrap_or_default().into_iter().next();
        let answer = |symbol: &str| {
            let read = |entry: &RawValue| quote(symbol, entry, fetched_at).and_then(checked);
            Answer { symbol: symbol.to_owned(), quote: entry.map_or(Err(Miss::UnknownSymbol), read) }
        };
        Ok(asked.canonical().map(answer).collect())
    }

    fn fault(&self, _: &Asked, response: &Response) -> Fault {
        // `finance` holds what was refused before the chart was looked for, such as a crumb.
        match serde_json::from_slice(&response.body) {
            Ok(Body { chart: Chart { error: Some(error), .. } }) => refusal(response.status, &error, response.limits.retry_after),
            _ => Fault::of_status(response),
        }
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, alias = "finance")]
    chart: Chart<'a>,
}

#[derive(Deserialize)]
struct Chart<'a> {
    #[serde(borrow)]
    result: Option<Vec<&'a RawValue>>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: Text,
    #[serde(default)]
    description: Text,
}

fn refusal(status: u16, error: &Refusal, retry_after: Option<std::time::Duration>) -> Fault {
    let code = error.code.0.as_deref().unwrap_or_default();
    let said = said(format!("{code}: {}", error.description.0.as_deref().unwrap_or_default()).as_bytes());
    match (status, code) {
        // "No data found, symbol may be delisted": a guess, so that the symbol is asked for again.
        (_, "Not Found") => Fault::NotFound,
        (429, _) => Fault::RateLimited { retry_after, said },
        (500.., _) => Fault::Unavailable { status, retry_after, said },
        // There is no key that could be wrong.
        _ => Fault::Refused { status, said },
    }
}

#[derive(Deserialize)]
struct Entry {
    meta: Meta,
    #[serde(default)]
    timestamp: Lenient<Vec<Whole>>,
    #[serde(default)]
    indicators: Lenient<Indicators>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    #[serde(default)]
    currency: Text,
    #[serde(default)]
    regular_market_time: Whole,
    #[serde(default)]
    regular_market_price: Number,
    #[serde(default)]
    regular_market_day_high: Number,
    #[serde(default)]
    regular_market_day_low: Number,
    #[serde(default)]
    regular_market_volume: Number,
    #[serde(default)]
    previous_close: Number,
    #[serde(default)]
    chart_previous_close: Number,
    /// How many digits its prices have.
    #[serde(default)]
    price_hint: Whole,
    /// The exchange's seconds ahead of UTC.
    #[serde(default)]
    gmtoffset: Whole,
}

/// Lists beside `timestamp`; with a range and an interval of one day, of one bar.
#[derive(Deserialize)]
struct Indicators {
    #[serde(default)]
    quote: Lenient<Vec<Bars>>,
}

#[derive(Deserialize)]
struct Bars {
    #[serde(default)]
    open: Lenient<Vec<Number>>,
}

fn quote(symbol: &str, entry: &RawValue, fetched_at: Timestamp) -> Result<Quote<'static>, Miss> {
    let Entry { meta, timestamp, indicators } = serde_json::from_str(entry.get())?;
    let found = traded_at(meta.regular_market_price)?;
    let unit = meta.currency.0.as_deref().and_then(Unit::of).ok_or_else(|| Miss::Malformed("currency is none".to_owned()))?;
    let event_time = meta.regular_market_time.seconds().ok_or_else(|| Miss::Malformed("regularMarketTime is no time".to_owned()))?;
    let digits = meta.price_hint.0.and_then(|digits| u32::try_from(digits).ok()).unwrap_or(u32::MAX);
    // The noise is in the price as it was sent, before pence become pounds.
    let clean = |number: Decimal| unit.major(without_noise(number, digits));
    let price = clean(found).ok_or_else(|| Miss::Malformed("regularMarketPrice is no price".to_owned()))?;
    let column = |number: Number| number.positive().and_then(clean);

    let mut quote = Quote::new(symbol.to_owned(), unit.currency.clone(), price, event_time, fetched_at, "yahoo");
    // The day is the exchange's own, whose offset is known.
    let offset = meta.gmtoffset.0.and_then(|offset| chrono::FixedOffset::east_opt(i32::try_from(offset).ok()?));
    quote.day_date = local_date(offset, event_time);
    quote.day_high = column(meta.regular_market_day_high);
    quote.day_low = column(meta.regular_market_day_low);
    quote.day_volume = meta.regular_market_volume.not_negative();
    quote.previous_close = column(meta.previous_close).or_else(|| column(meta.chart_previous_close));
    // The bar's open is the day's only if the bar is of that day.
    let bar_start = timestamp.0.and_then(|times| times.last().copied()).and_then(Whole::seconds);
    let bar_date = bar_start.and_then(|start| local_date(offset, start));
    if bar_date.is_some() && bar_date == quote.day_date {
        let opens =
            indicators.0.and_then(|indicators| indicators.quote.0).and_then(|bars| bars.into_iter().next()).and_then(|bars| bars.open.0);
        quote.day_open = opens.and_then(|opens| opens.last().copied()).and_then(column);
    }
    Ok(quote)
}

fn local_date(offset: Option<chrono::FixedOffset>, moment: Timestamp) -> Option<chrono::NaiveDate> {
    Some(moment.to_utc().with_timezone(&offset?).date_naive())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::provider::stub::{any_damage, asked, decimal, parses_anything, refusal, time};
    use super::*;

    const NOW: &str = "2026-11-23T15:02:36Z";
    const CHART: &str = include_str!("yahoo/chart.json");

    fn read(body: &str) -> Result<Quote<'static>, Miss> {
        Yahoo.read(&asked(&Yahoo, &["BRK.B"]), body.as_bytes(), time(NOW)).unwrap().remove(0).quote
    }

    #[test]
    fn every_column_comes_from_the_field_that_means_it_without_a_floats_noise() {
        let base = Quote::new("BRK.B", "USD", "333.69".parse().unwrap(), time("2026-11-23T15:02:27Z"), time(NOW), "yahoo");
        let expected = Quote {
            day_date: "2026-11-23".parse().ok(),
            day_open: decimal("332.1"),
            day_high: decimal("334.2"),
            day_low: decimal("331.055"),
            day_volume: decimal("1234567"),
            previous_close: decimal("331.5"),
            ..base
        };
        assert_eq!(read(CHART), Ok(expected));
    }

    #[test]
    fn pence_become_pounds() {
        let quote = read(&CHART.replacen("\"USD\"", "\"GBp\"", 1)).unwrap();
        assert_eq!((quote.currency.as_ref(), quote.price.to_string().as_str(), quote.day_high), ("GBP", "3.3369", decimal("3.342")));
        assert_eq!((quote.day_open, quote.day_volume, quote.previous_close), (decimal("3.321"), decimal("1234567"), decimal("3.315")));
    }

    #[test]
    fn misses_have_their_reasons() {
        let meta = |meta: &str| read(&format!(r#"{{"chart":{{"result":[{{"meta":{{{meta}}}}}],"error":null}}}}"#));
        assert_eq!(meta(""), Err(Miss::NoTrade));
        assert_eq!(meta(r#""regularMarketPrice":0"#), Err(Miss::ZeroPrice));
        let malformed = |miss| matches!(miss, Err(Miss::Malformed(_)));
        assert!(malformed(meta(r#""regularMarketPrice":3,"currency":null,"regularMarketTime":1795446147"#)));
        assert!(malformed(meta(r#""regularMarketPrice":3,"currency":"USD""#)));
        assert_eq!(read(r#"{"chart":{"result":[],"error":null}}"#), Err(Miss::UnknownSymbol));
        assert_eq!(read(r#"{"chart":{"result":null,"error":null}}"#), Err(Miss::UnknownSymbol));
        assert!(malformed(read(r#"{"chart":{"result":[7],"error":null}}"#)));
    }

    #[test]
    fn a_class_has_a_dash_and_an_exchange_its_dot() {
        for (canonical, yahoo) in [
            ("AAPL", "AAPL"),
            ("BRK.B", "BRK-B"),
            ("BAC.PR.K", "BAC-PK"),
            ("VOD.L", "VOD.L"),
            ("0700.HK", "0700.HK"),
            ("BTC-USD", "BTC-USD"),
        ] {
            assert_eq!(Yahoo.symbol(canonical), yahoo);
            assert_eq!(asked(&Yahoo, &[canonical]).canonical_of(yahoo), Some(canonical));
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        let asked = asked(&Yahoo, &["AAPL"]);
        let fault = |status, body| Yahoo.fault(&asked, &refusal(status, body));
        let gone = r#"{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found, symbol may be delisted"}}}"#;
        assert_eq!(fault(404, gone), Fault::NotFound);
        assert_eq!(Yahoo.read(&asked, gone.as_bytes(), time(NOW)).unwrap_err(), Fault::NotFound);
        let crumb = r#"{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}"#;
        assert!(matches!(fault(401, crumb), Fault::Refused { status: 401, .. }));
        assert!(matches!(fault(429, "Too Many Requests\r\n"), Fault::RateLimited { .. }));
        assert!(matches!(fault(429, "<html><body>"), Fault::RateLimited { .. }));
        assert!(matches!(fault(503, "Will be right back"), Fault::Unavailable { .. }));
        assert!(matches!(Yahoo.read(&asked, b"Edge: Too Many Requests", time(NOW)), Err(Fault::Unreadable { cut_off: false, .. })));
    }

    proptest! {
        #[test]
        fn no_body_panics_or_makes_a_quote_that_is_none(damage in any_damage()) {
            parses_anything(&Yahoo, &["AAPL"], CHART, &damage);
        }
    }
}
