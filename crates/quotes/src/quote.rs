//! The quote itself.

use std::borrow::Cow;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::decimal::Decimal;
use crate::text;
use crate::time::Timestamp;

/// What a source said about one symbol at one moment.
///
/// Fields are in the table's order and groups. A group that the source did not give is `None`,
/// never 0 and never guessed. Prices are raw (splits unadjusted) and in the currency's major unit,
/// sizes in shares. Texts borrow from the bytes that the quote was read from.
///
/// The columns `session`, `trade_date`, `dt` and the lineage are not here: they are worked out
/// from a quote and its Kafka record when it becomes a row ([`crate::columns`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote<'a> {
    /// Canonical ticker, share class after a dot: `BRK.B`.
    #[serde(borrow, deserialize_with = "text::required")]
    pub symbol: Cow<'a, str>,
    /// ISO 4217 code of the major unit: `USD`, `GBP` (never pence).
    #[serde(borrow, deserialize_with = "text::required")]
    pub currency: Cow<'a, str>,

    /// Price of the last trade; above 0.
    pub price: Decimal,
    /// Shares in the last trade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_size: Option<Decimal>,
    /// When the last trade happened, to the digit that the source gave.
    pub event_time: Timestamp,
    /// The source's raw trade conditions, comma-separated.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Cow<'a, str>>,
    /// The source's code of the exchange of the last trade.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Cow<'a, str>>,

    /// Best bid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid: Option<Decimal>,
    /// Best ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<Decimal>,
    /// Shares at the best bid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid_size: Option<Decimal>,
    /// Shares at the best ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask_size: Option<Decimal>,
    /// When bid and ask were set: perhaps hours after the last trade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote_time: Option<Timestamp>,

    /// The New York date of the day's numbers: before the open it may still be yesterday's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_date: Option<NaiveDate>,
    /// The day's first price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_open: Option<Decimal>,
    /// The day's highest price so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_high: Option<Decimal>,
    /// The day's lowest price so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_low: Option<Decimal>,
    /// The day's latest price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_close: Option<Decimal>,
    /// Shares traded in the day so far: cumulative, so sums of it mean nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_volume: Option<Decimal>,
    /// The day's volume-weighted average price so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_vwap: Option<Decimal>,
    /// Trades in the day so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_trades: Option<i64>,
    /// The close of the session before the trade date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_close: Option<Decimal>,

    /// When the latest complete bar began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar_start: Option<Timestamp>,
    /// How long that bar is, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar_seconds: Option<i32>,
    /// The bar's first price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar_open: Option<Decimal>,
    /// The bar's highest price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar_high: Option<Decimal>,
    /// The bar's lowest price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar_low: Option<Decimal>,
    /// The bar's last price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar_close: Option<Decimal>,
    /// Shares traded in the bar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar_volume: Option<Decimal>,
    /// The bar's volume-weighted average price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar_vwap: Option<Decimal>,
    /// Trades in the bar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar_trades: Option<i64>,

    /// When the source's answer arrived; a replay keeps the recorded time.
    pub fetched_at: Timestamp,
    /// Who said it: `alpaca`, `simulated`, `replay`, …
    #[serde(borrow, deserialize_with = "text::required")]
    pub source: Cow<'a, str>,
    /// The source's feed: `iex`, `sip`, `delayed_sip`.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub feed: Option<Cow<'a, str>>,
    /// The feed's declared delay in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_seconds: Option<i32>,
}

impl<'a> Quote<'a> {
    /// A quote with what every quote has; the other groups are unknown until set.
    pub fn new(
        symbol: impl Into<Cow<'a, str>>,
        currency: impl Into<Cow<'a, str>>,
        price: Decimal,
        event_time: Timestamp,
        fetched_at: Timestamp,
        source: impl Into<Cow<'a, str>>,
    ) -> Self {
        Self {
            symbol: symbol.into(),
            currency: currency.into(),
            price,
            last_size: None,
            event_time,
            conditions: None,
            exchange: None,
            bid: None,
            ask: None,
            bid_size: None,
            ask_size: None,
            quote_time: None,
            day_date: None,
            day_open: None,
            day_high: None,
            day_low: None,
            day_close: None,
            day_volume: None,
            day_vwap: None,
            day_trades: None,
            previous_close: None,
            bar_start: None,
            bar_seconds: None,
            bar_open: None,
            bar_high: None,
            bar_low: None,
            bar_close: None,
            bar_volume: None,
            bar_vwap: None,
            bar_trades: None,
            fetched_at,
            source: source.into(),
            feed: None,
            delay_seconds: None,
        }
    }
}
