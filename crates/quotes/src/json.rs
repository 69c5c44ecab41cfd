//! The JSON form: what a record of the Kafka topic holds.
//!
//! Prices and sizes are strings, so that no reader turns them into binary floats; times are
//! RFC 3339; dates `YYYY-MM-DD`; counts are numbers. Unknown fields are ignored, missing nullable
//! ones are null.

use chrono::Datelike;
use serde::de::Error;

use crate::decimal::Decimal;
use crate::quote::Quote;
use crate::symbol;
use crate::time::Timestamp;

/// Why a Kafka record is not a quote. Its text is kept with the record in quarantine.
#[derive(Debug, thiserror::Error)]
pub enum Poison {
    /// The record has no value: a deletion marker, which this topic gives no meaning.
    #[error("tombstone: the record has no value")]
    Tombstone,
    /// The event carried a text that is not base64 in place of the value.
    #[error("the value did not arrive as base64")]
    NotBase64,
    /// Not JSON, or JSON of other fields and types.
    #[error("not a quote: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A symbol that could not be a ticker.
    #[error("symbol: not a canonical ticker: {0:?}")]
    Symbol(String),
    /// A currency that is not three upper-case letters.
    #[error("currency: not an ISO 4217 code: {0:?}")]
    Currency(String),
    /// A price that is 0 or below.
    #[error("price: {0} is not above 0")]
    Price(Decimal),
    /// A number below 0 where none can be.
    #[error("{field}: {value} is below 0")]
    Negative {
        /// The field's name.
        field: &'static str,
        /// What it said.
        value: String,
    },
    /// A text that is longer than any source's.
    #[error("{field}: {len} bytes, at most {most} are kept")]
    TooLong {
        /// The field's name.
        field: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        most: usize,
    },
    /// An empty text where one is needed.
    #[error("{0}: empty")]
    Empty(&'static str),
    /// A date that no market had.
    #[error("day_date: {0} is not a market's date")]
    Date(chrono::NaiveDate),
    /// A time more than a day after the one that bounds it.
    #[error("{field}: {time} is more than a day after {bound}")]
    Future {
        /// The field's name.
        field: &'static str,
        /// What it said.
        time: Timestamp,
        /// What it was compared with: `fetched_at` or the time of arrival in Kafka.
        bound: &'static str,
    },
}

/// The longest text that is kept in a column, in bytes.
pub const MAX_TEXT: usize = 256;

/// A day: more than clocks and time zones can be wrong by.
const TOLERANCE_NANOS: i64 = 86_400_000_000_000;

/// Reads the value of a Kafka record that arrived at `kafka_millis` (below 0: unknown).
///
/// What this refuses is poison: it goes to quarantine. The rule is a pure function of the record
/// and frozen (see the crate's documentation).
pub fn from_record(value: Option<&[u8]>, kafka_millis: i64) -> Result<Quote<'_>, Poison> {
    let value = value.ok_or(Poison::Tombstone)?;
    // Where the whole is UTF-8, serde_json need not look at each string of it.
    let quote: Quote<'_> = match str::from_utf8(value) {
        Ok(text) => serde_json::from_str(text)?,
        Err(_) => serde_json::from_slice(value)?,
    };
    // serde reads a struct from an array of its fields' values too: a quote only as long as nobody moves a field.
    if value.trim_ascii_start().first() == Some(&b'[') {
        return Err(Poison::Malformed(serde_json::Error::custom("an array, not an object")));
    }
    check(&quote)?;
    let arrival = Timestamp::from_millis(kafka_millis).map(Timestamp::nanos);
    if arrival.is_some_and(|arrival| quote.fetched_at.nanos() > arrival.saturating_add(TOLERANCE_NANOS)) {
        return Err(Poison::Future { field: "fetched_at", time: quote.fetched_at, bound: "its arrival in Kafka" });
    }
    Ok(quote)
}

/// Checks what the types alone do not: the rule that [`from_record`] applies, for a source to apply first.
pub fn check(quote: &Quote<'_>) -> Result<(), Poison> {
    if !symbol::is_canonical(&quote.symbol) {
        return Err(Poison::Symbol(quote.symbol.chars().take(64).collect()));
    }
    if quote.currency.len() != 3 || !quote.currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(Poison::Currency(quote.currency.chars().take(64).collect()));
    }
    if !quote.price.is_positive() {
        return Err(Poison::Price(quote.price));
    }
    for (field, value) in [
        ("last_size", quote.last_size),
        ("bid", quote.bid),
        ("ask", quote.ask),
        ("bid_size", quote.bid_size),
        ("ask_size", quote.ask_size),
        ("day_open", quote.day_open),
        ("day_high", quote.day_high),
        ("day_low", quote.day_low),
        ("day_close", quote.day_close),
        ("day_volume", quote.day_volume),
        ("day_vwap", quote.day_vwap),
        ("previous_close", quote.previous_close),
        ("bar_open", quote.bar_open),
        ("bar_high", quote.bar_high),
        ("bar_low", quote.bar_low),
        ("bar_close", quote.bar_close),
        ("bar_volume", quote.bar_volume),
        ("bar_vwap", quote.bar_vwap),
    ] {
        if let Some(value) = value.filter(|value| value.is_negative()) {
            return Err(Poison::Negative { field, value: value.to_string() });
        }
    }
    for (field, value) in [
        ("day_trades", quote.day_trades),
        ("bar_trades", quote.bar_trades),
        ("bar_seconds", quote.bar_seconds.map(i64::from)),
        ("delay_seconds", quote.delay_seconds.map(i64::from)),
    ] {
        if let Some(value) = value.filter(|value| *value < 0) {
            return Err(Poison::Negative { field, value: value.to_string() });
        }
    }
    if quote.source.is_empty() {
        return Err(Poison::Empty("source"));
    }
    for (field, value) in [
        ("source", Some(&quote.source)),
        ("feed", quote.feed.as_ref()),
        ("conditions", quote.conditions.as_ref()),
        ("exchange", quote.exchange.as_ref()),
    ] {
        if let Some(value) = value.filter(|value| value.len() > MAX_TEXT) {
            return Err(Poison::TooLong { field, len: value.len(), most: MAX_TEXT });
        }
    }
    if let Some(date) = quote.day_date.filter(|date| !(1970..2262).contains(&date.year())) {
        return Err(Poison::Date(date));
    }
    for (field, time) in [("event_time", Some(quote.event_time)), ("quote_time", quote.quote_time), ("bar_start", quote.bar_start)] {
        if let Some(time) = time.filter(|time| time.nanos() > quote.fetched_at.nanos().saturating_add(TOLERANCE_NANOS)) {
            return Err(Poison::Future { field, time, bound: "fetched_at" });
        }
    }
    Ok(())
}

/// The JSON form of `quote`, without the fields that are null.
pub fn to_json(quote: &Quote<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let mut json = Vec::with_capacity(1024);
    serde_json::to_writer(&mut json, quote)?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::borrow::Cow;

    const ARRIVAL: i64 = 1_700_000_000_000;

    fn record(change: &str) -> String {
        let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(
            r#"{"symbol":"AAPL","currency":"USD","price":"172.61","event_time":"2022-08-17T10:18:24.114694956Z",
                "fetched_at":"2022-08-17T10:18:25Z","source":"alpaca"}"#,
        )
        .unwrap();
        let changes: serde_json::Map<String, serde_json::Value> = serde_json::from_str(change).unwrap();
        fields.extend(changes);
        serde_json::Value::Object(fields).to_string()
    }

    #[test]
    fn a_full_quote_survives_the_way_there_and_back() {
        let text = record(
            r#"{"last_size":"160","conditions":"@,T","exchange":"Q","bid":"172.6","ask":"172.7","bid_size":"200","ask_size":"500.25",
                "quote_time":"2022-08-17T10:18:24.5Z","day_date":"2022-08-16","day_open":"172.62","day_high":"173.71","day_low":"171.66",
                "day_close":"173.03","day_volume":"56457696","day_vwap":"172.74","day_trades":515139,"previous_close":"173.19",
                "bar_start":"2022-08-17T10:17:00Z","bar_seconds":60,"bar_open":"172.6","bar_high":"172.7","bar_low":"172.5","bar_close":"172.61",
                "bar_volume":"1000","bar_vwap":"172.6","bar_trades":12,"feed":"iex","delay_seconds":0}"#,
        );
        let quote = from_record(Some(text.as_bytes()), ARRIVAL).unwrap();
        assert!(matches!(quote.symbol, Cow::Borrowed("AAPL")), "texts are borrowed");
        assert_eq!(quote.event_time.nanos() % 1_000_000_000, 114_694_956);
        let again = to_json(&quote).unwrap();
        assert_eq!(from_record(Some(&again), ARRIVAL).unwrap(), quote);
        let fields = serde_json::from_slice::<serde_json::Map<_, _>>(&again).unwrap();
        assert_eq!(fields.len(), crate::schema::COLUMNS.len() - 6, "a field for every column but the six that are worked out: {fields:?}");
    }

    #[test]
    fn unknown_fields_are_ignored_and_missing_ones_null() {
        let text = record(r#"{"mood":["calm",{"deep":1}],"bid":null,"conditions":null}"#);
        let quote = from_record(Some(text.as_bytes()), ARRIVAL).unwrap();
        assert_eq!((quote.bid, quote.conditions, quote.day_volume), (None, None, None));
    }

    #[test]
    fn poison_is_told_apart() {
        let told = |value: &[u8]| from_record(Some(value), ARRIVAL).unwrap_err().to_string();
        assert_eq!(from_record(None, ARRIVAL).unwrap_err().to_string(), "tombstone: the record has no value");
        for (change, reason) in [
            (r#"{"price":"0"}"#, "price: 0 is not above 0"),
            (r#"{"price":"-1.5"}"#, "price: -1.5 is not above 0"),
            (r#"{"price":"NaN"}"#, "not a decimal number"),
            (r#"{"price":1.5}"#, "expected a decimal number as a string"),
            (r#"{"price":null}"#, "expected a decimal number as a string"),
            (r#"{"price":"1234567890123456789012345678901234567890"}"#, "more than 12 digits before the point"),
            (r#"{"symbol":""}"#, "symbol: not a canonical ticker"),
            (r#"{"symbol":"../x"}"#, "symbol: not a canonical ticker"),
            (r#"{"currency":"GBp"}"#, "currency: not an ISO 4217 code"),
            (r#"{"bid_size":"-1"}"#, "bid_size: -1 is below 0"),
            (r#"{"day_trades":-1}"#, "day_trades: -1 is below 0"),
            (r#"{"source":""}"#, "source: empty"),
            (r#"{"event_time":"0001-01-01T00:00:00Z"}"#, "outside of 1970 to 2262"),
            (r#"{"event_time":"2022-08-19T10:18:24Z"}"#, "event_time: 2022-08-19T10:18:24Z is more than a day after fetched_at"),
            (r#"{"fetched_at":"2260-01-01T00:00:00Z"}"#, "fetched_at: 2260-01-01T00:00:00Z is more than a day after its arrival"),
            (r#"{"day_date":"9999-12-31"}"#, "day_date: 9999-12-31 is not a market's date"),
        ] {
            let found = told(record(change).as_bytes());
            assert!(found.contains(reason), "{change}: {found}");
        }
        let long = format!(r#"{{"conditions":"{}"}}"#, "@".repeat(257));
        assert!(told(record(&long).as_bytes()).contains("conditions: 257 bytes"));
    }

    #[test]
    fn bytes_that_are_not_a_record_of_ours_are_poison() {
        let nested = format!(r#"{{"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let half = &record("{}").into_bytes()[..40];
        for value in [
            &b""[..],
            b"{}",
            b"null",
            b"[]",
            b"hello",
            b"\xff\xfe",
            b"{\"symbol\":\"\xff\"}",
            half,
            nested.as_bytes(),
            &vec![b'x'; 1_000_000],
        ] {
            assert!(matches!(from_record(Some(value), ARRIVAL), Err(Poison::Malformed(_))));
        }
        let twice = record("{}").replacen('{', r#"{"symbol":"MSFT","#, 1);
        assert!(matches!(from_record(Some(twice.as_bytes()), ARRIVAL), Err(Poison::Malformed(_))), "which symbol would it be?");
    }

    #[test]
    fn values_without_names_are_poison() {
        let nulls = "null,".repeat(25);
        let time = "\"2022-08-17T10:18:24Z\"";
        let values = format!(r#" ["AAPL","USD","172.61",null,{time},{nulls}{time},"alpaca",null,null]"#);
        assert!(serde_json::from_str::<Quote<'_>>(&values).is_ok(), "serde alone would take it");
        let told = from_record(Some(values.as_bytes()), ARRIVAL).unwrap_err().to_string();
        assert_eq!(told, "not a quote: an array, not an object");
    }
}
