//! What a provider of quotes is: a few pure functions from symbols to a request and from an answer
//! to quotes. Everything that waits, tries again or keeps count is in [`polled`].

pub(crate) mod bar;
pub(crate) mod currency;
pub(crate) mod fault;
pub(crate) mod http;
pub(crate) mod key;
pub(crate) mod limit;
pub(crate) mod number;
pub(crate) mod polled;
#[cfg(test)]
pub(crate) mod stub;

use std::borrow::Cow;
use std::collections::HashMap;

use quotes::{Decimal, Quote, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use self::fault::{Fault, Miss};
use self::http::{Request, Response};
use self::key::ApiKey;
use self::number::Number;

/// A provider's HTTP interface. One file under `sources/` implements it for one provider.
///
/// Nothing in it does I/O or reads a clock, so that any body at all can be tried on it.
pub(crate) trait Provider: Send + Sync {
    /// The name in `QUOTE_SOURCE` and in the column `source`.
    fn name(&self) -> &'static str;

    /// The most symbols that one request names.
    fn batch(&self) -> usize;

    /// What a request for `symbols` symbols takes from the rate limit.
    fn cost(&self, symbols: usize) -> u32 {
        let _ = symbols;
        1
    }

    /// The provider's own form of a canonical symbol.
    fn symbol(&self, canonical: &str) -> String {
        canonical.to_owned()
    }

    /// How far behind the market the feed is, in seconds, where that is declared.
    fn delay_seconds(&self) -> Option<i32> {
        None
    }

    /// The request for these symbols. The key goes into a header, never into the URL.
    fn request(&self, asked: &Asked, key: Option<&ApiKey>) -> Request;

    /// Reads an answer with status 200: one result for each symbol that was asked for.
    ///
    /// A fault is one of the whole answer, such as an error that came with status 200.
    fn read(&self, asked: &Asked, body: &[u8], fetched_at: Timestamp) -> Result<Vec<Answer>, Fault>;

    /// What an answer with another status says. The default goes by the status alone.
    fn fault(&self, asked: &Asked, response: &Response) -> Fault {
        let _ = asked;
        Fault::of_status(response)
    }
}

/// The symbols of one request, in both forms.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The provider's form and the canonical one.
    symbols: Vec<(String, String)>,
}

impl Asked {
    /// Translates canonical symbols.
    pub(crate) fn new<'a>(provider: &dyn Provider, canonical: impl IntoIterator<Item = &'a str>) -> Self {
        Self { symbols: canonical.into_iter().map(|symbol| (provider.symbol(symbol), symbol.to_owned())).collect() }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// In the provider's form, separated by commas.
    pub(crate) fn list(&self) -> String {
        self.symbols.iter().map(|(theirs, _)| theirs.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Each in the provider's form and the canonical one.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.symbols.iter().map(|(theirs, canonical)| (theirs.as_str(), canonical.as_str()))
    }

    /// The canonical forms.
    pub(crate) fn canonical(&self) -> impl Iterator<Item = &str> {
        self.symbols.iter().map(|(_, canonical)| canonical.as_str())
    }

    /// The canonical form of a symbol that the provider names.
    pub(crate) fn canonical_of(&self, theirs: &str) -> Option<&str> {
        self.symbols.iter().find(|(found, _)| found.eq_ignore_ascii_case(theirs)).map(|(_, canonical)| canonical.as_str())
    }

    /// The same without `canonical`.
    pub(crate) fn without(&self, canonical: &str) -> Self {
        Self { symbols: self.symbols.iter().filter(|(_, found)| found != canonical).cloned().collect() }
    }

    /// The two halves.
    pub(crate) fn halves(&self) -> [Self; 2] {
        let (left, right) = self.symbols.split_at(self.symbols.len() / 2);
        [Self { symbols: left.to_vec() }, Self { symbols: right.to_vec() }]
    }
}

/// What a provider says about one symbol.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its canonical form.
    pub(crate) symbol: String,
    /// The quote, or why there is none.
    pub(crate) quote: Result<Quote<'static>, Miss>,
}

/// One answer for each symbol that was asked for, out of the entries that came, by the provider's
/// symbols: entries that nobody asked for are passed over, symbols without an entry are unknown.
pub(crate) fn answers<'a>(
    asked: &Asked,
    entries: impl IntoIterator<Item = (Cow<'a, str>, &'a RawValue)>,
    mut read: impl FnMut(&str, &RawValue) -> Result<Quote<'static>, Miss>,
) -> Vec<Answer> {
    let entries: HashMap<String, &RawValue> = entries.into_iter().map(|(theirs, entry)| (theirs.to_ascii_uppercase(), entry)).collect();
    let answer = |(theirs, canonical): (&str, &str)| {
        let quote = match entries.get(&theirs.to_ascii_uppercase()) {
            Some(entry) => read(canonical, entry).and_then(checked),
            None => Err(Miss::UnknownSymbol),
        };
        Answer { symbol: canonical.to_owned(), quote }
    };
    asked.pairs().map(answer).collect()
}

/// The entries of a list by the symbol that each names as its `ticker`; one that names none is passed over.
pub(crate) fn by_ticker<'a>(entries: Vec<&'a RawValue>) -> impl Iterator<Item = (Cow<'a, str>, &'a RawValue)> {
    #[derive(Deserialize)]
    struct Name<'a> {
        #[serde(borrow)]
        ticker: Cow<'a, str>,
    }
    entries.into_iter().filter_map(|entry| Some((serde_json::from_str::<Name<'_>>(entry.get()).ok()?.ticker, entry)))
}

/// The quote, where it is one that Kafka's readers take.
pub(crate) fn checked(quote: Quote<'static>) -> Result<Quote<'static>, Miss> {
    quotes::json::check(&quote).map(|()| quote).map_err(|poison| Miss::Malformed(poison.to_string()))
}

/// The price of a trade: where it is absent there was no trade, and 0 is no price.
pub(crate) fn traded_at(price: Number) -> Result<Decimal, Miss> {
    match price.0.ok_or(Miss::NoTrade)? {
        Decimal::ZERO => Err(Miss::ZeroPrice),
        price => Ok(price),
    }
}

/// The newest of the dated closes that belong to a day before `trade_date`: the previous close.
pub(crate) fn previous_close(
    trade_date: Option<chrono::NaiveDate>,
    closes: impl IntoIterator<Item = (Option<chrono::NaiveDate>, Option<Decimal>)>,
) -> Option<Decimal> {
    let trade_date = trade_date?;
    let before = closes.into_iter().filter_map(|(date, close)| Some((date.filter(|date| *date < trade_date)?, close?)));
    before.max_by_key(|(date, _)| *date).map(|(_, close)| close)
}
