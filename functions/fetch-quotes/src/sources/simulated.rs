//! Made-up quotes: a market that exists only as a function of a seed, a symbol and the time.
//!
//! There is no state to keep: a restart, a second process or another machine with the same seed
//! sees the same trades at the same moments. The market trades around the clock, weekends and
//! holidays too, so that there is something to see at any hour; its trading day is the New York
//! trade date, which rolls at 20:00 and over weekends, and `previous_close` is its last trade
//! before that. `source` says `simulated` on each quote.

mod hash;
mod listing;
mod path;
mod session;
mod tape;

use std::borrow::Cow;

use async_trait::async_trait;
use chrono::Utc;
use quotes::calendar::Calendar;
use quotes::{Decimal, Quote, Timestamp};

use self::session::{Session, Totals};
use self::tape::{Book, Tape, Trade};
use crate::producer::Delivered;
use crate::source::{Batch, Fetched, Invocation, Source, SourceError};
use crate::sources::provider::fault::Reason;
use crate::summary::{Failure, Subject};

const NAME: &str = "simulated";

/// A market of the configured symbols.
pub(crate) struct Simulated {
    symbols: Vec<Symbol>,
    seed: u64,
    calendar: Calendar,
}

impl Simulated {
    /// The market of `seed`.
    pub(crate) fn new(symbols: &[String], seed: u64) -> Self {
        let symbols = symbols.iter().map(|name| Symbol::new(name, seed)).collect();
        Self { symbols, seed, calendar: Calendar::new() }
    }
}

#[async_trait]
impl Source for Simulated {
    fn name(&self) -> &'static str {
        NAME
    }

    fn set_symbols(&mut self, symbols: &[String]) {
        *self = Self::new(symbols, self.seed);
    }

    async fn fetch(&mut self, _: &Invocation) -> Result<Batch, SourceError> {
        let now = Timestamp::from(Utc::now());
        let mut batch = Batch { rows: Vec::with_capacity(self.symbols.len()), ..Batch::default() };
        for symbol in &mut self.symbols {
            match symbol.quote_at(now, &mut self.calendar) {
                Some(quote) => batch.rows.push(Fetched { quote, mark: None }),
                None => batch.failures.push(Failure {
                    subject: Subject::Symbol(symbol.name.clone()),
                    kind: Reason::Unreadable,
                    reason: format!("the simulation has no quote at {now}"),
                }),
            }
        }
        Ok(batch)
    }

    async fn acknowledge(&mut self, _: &[Fetched], _: &Delivered, _: &Invocation) {}
}

/// One symbol's trades, and what they come to so far.
struct Symbol {
    name: String,
    tape: Tape,
    /// The trading day of the last poll, folded up to it: only a cache.
    session: Option<Session>,
}

impl Symbol {
    fn new(name: &str, seed: u64) -> Self {
        Self { name: name.to_owned(), tape: Tape::new(name, seed), session: None }
    }

    /// What a provider would answer at `now`; `None` at times that no clock shows.
    fn quote_at(&mut self, now: Timestamp, calendar: &mut Calendar) -> Option<Quote<'static>> {
        let session = match self.session.take() {
            Some(session) if session.covers(now, calendar) => session,
            _ => Session::begin(now, calendar, &mut self.tape)?,
        };
        let session = self.session.insert(session);
        session.advance(now, &mut self.tape);
        let seen = session.seen_at(now, &mut self.tape)?;

        let mut quote = Quote::new(self.name.clone(), "USD", dollars(seen.last.cents)?, Timestamp::from_nanos(seen.last.nanos)?, now, NAME);
        set_trade(&mut quote, &seen.last);
        set_book(&mut quote, &self.tape.book(now.nanos()));
        quote.day_date = Some(seen.date);
        set_day(&mut quote, &seen.day);
        quote.previous_close = seen.previous_close.and_then(dollars);
        if let Some(bar) = &seen.bar {
            quote.bar_start = Timestamp::from_millis(bar.start.checked_mul(1_000)?);
            quote.bar_seconds = Some(session::BAR_SECONDS as i32);
            set_bar(&mut quote, &bar.totals);
        }
        Some(quote)
    }
}

fn set_trade(quote: &mut Quote<'static>, trade: &Trade) {
    quote.last_size = shares(trade.size);
    quote.conditions = Some(Cow::Borrowed(trade.conditions));
    quote.exchange = Some(Cow::Borrowed(trade.exchange));
}

fn set_book(quote: &mut Quote<'static>, book: &Book) {
    quote.bid = dollars(book.bid);
    quote.ask = dollars(book.ask);
    quote.bid_size = shares(book.bid_size);
    quote.ask_size = shares(book.ask_size);
    quote.quote_time = Timestamp::from_nanos(book.nanos);
}

fn set_day(quote: &mut Quote<'static>, day: &Totals) {
    quote.day_open = dollars(day.open);
    quote.day_high = dollars(day.high);
    quote.day_low = dollars(day.low);
    quote.day_close = dollars(day.close);
    quote.day_volume = shares(day.volume);
    quote.day_vwap = Decimal::from_millionths(day.vwap_millionths());
    quote.day_trades = Some(day.trades);
}

fn set_bar(quote: &mut Quote<'static>, bar: &Totals) {
    quote.bar_open = dollars(bar.open);
    quote.bar_high = dollars(bar.high);
    quote.bar_low = dollars(bar.low);
    quote.bar_close = dollars(bar.close);
    quote.bar_volume = shares(bar.volume);
    quote.bar_vwap = Decimal::from_millionths(bar.vwap_millionths());
    quote.bar_trades = Some(bar.trades);
}

fn dollars(cents: i64) -> Option<Decimal> {
    Decimal::from_millionths(cents.checked_mul(10_000)?)
}

fn shares(count: i64) -> Option<Decimal> {
    Decimal::from_millionths(count.checked_mul(1_000_000)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn later(moment: Timestamp, millis: i64) -> Timestamp {
        Timestamp::from_nanos(moment.nanos() + millis * 1_000_000).unwrap()
    }

    /// The quote of a process that was started just now.
    fn cold(name: &str, seed: u64, now: Timestamp) -> Quote<'static> {
        Symbol::new(name, seed).quote_at(now, &mut Calendar::new()).unwrap()
    }

    /// What holds for each single quote.
    fn assert_plausible(quote: &Quote<'_>) {
        quotes::json::check(quote).unwrap();
        assert_eq!((quote.source.as_ref(), quote.currency.as_ref(), &quote.feed), ("simulated", "USD", &None));
        assert!(quote.event_time <= quote.fetched_at);
        assert!(quote.quote_time.unwrap() <= quote.fetched_at);
        assert!(quote.bid.unwrap().is_positive() && quote.bid < quote.ask);
        assert!(quote.bid_size.unwrap().is_positive() && quote.ask_size.unwrap().is_positive());

        let inside = |low: Option<Decimal>, high: Option<Decimal>, price: Option<Decimal>| low <= price && price <= high;
        for price in [quote.day_open, quote.day_close, quote.day_vwap, Some(quote.price)] {
            assert!(inside(quote.day_low, quote.day_high, price), "{quote:?}");
        }
        assert_eq!(quote.day_close, Some(quote.price));
        assert!(quote.day_volume >= quote.last_size);
        assert!(quote.day_trades.unwrap() > 0 && quote.previous_close.unwrap().is_positive());

        let bar_start = quote.bar_start.unwrap();
        assert_eq!(bar_start.nanos() % 60_000_000_000, 0);
        let age = quote.fetched_at.nanos() - bar_start.nanos();
        assert!((60_000_000_000..120_000_000_000).contains(&age), "the latest complete minute: {quote:?}");
        for price in [quote.bar_open, quote.bar_close, quote.bar_vwap] {
            assert!(inside(quote.bar_low, quote.bar_high, price), "{quote:?}");
        }
        assert!(quote.bar_volume.unwrap().is_positive() && quote.bar_trades.unwrap() > 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        /// Any market, any moment: a process that goes on and one that was just started see the
        /// same, and what they see fits together.
        #[test]
        fn polls_agree_with_each_other_and_with_a_restart(
            seed: u64,
            name in "[A-Z]{1,5}",
            start in 1_577_836_800_000_i64..1_830_297_600_000,
            steps in prop::collection::vec(1_i64..90_000, 1..12),
        ) {
            let mut calendar = Calendar::new();
            let mut symbol = Symbol::new(&name, seed);
            let mut now = Timestamp::from_millis(start).unwrap();
            let mut before: Option<Quote<'static>> = None;
            for step in steps {
                now = later(now, step);
                let quote = symbol.quote_at(now, &mut calendar).unwrap();
                assert_plausible(&quote);
                prop_assert_eq!(&quote, &cold(&name, seed, now));
                prop_assert_eq!(quote.day_date, calendar.place(now).trade_date);
                if let Some(before) = before {
                    prop_assert!(before.event_time <= quote.event_time);
                    if before.day_date == quote.day_date {
                        prop_assert!(before.day_volume <= quote.day_volume);
                        prop_assert!(before.day_trades <= quote.day_trades);
                        prop_assert!(before.day_high <= quote.day_high && before.day_low >= quote.day_low);
                        prop_assert_eq!(before.day_open, quote.day_open);
                        prop_assert_eq!(before.previous_close, quote.previous_close);
                    }
                }
                before = Some(quote);
            }
        }
    }

    #[test]
    fn the_days_numbers_are_those_of_its_minutes() {
        let mut calendar = Calendar::new();
        let mut symbol = Symbol::new("AAPL", 1);
        // 20:00 New York on a Monday, when the trade date rolls.
        let open = at("2026-11-24T01:00:00Z");
        let mut bars = Vec::new();
        let mut quote = symbol.quote_at(open, &mut calendar).unwrap();
        assert!(quote.bar_start.unwrap() < open, "the first minute's latest bar is yesterday's");
        for minute in 1..=180 {
            quote = symbol.quote_at(later(open, minute * 60_000), &mut calendar).unwrap();
            assert_eq!(quote.bar_start, Some(later(open, (minute - 1) * 60_000)));
            bars.push(quote.clone());
        }
        let sum = |value: fn(&Quote<'_>) -> i64| bars.iter().map(value).sum::<i64>();
        let volume = sum(|bar| bar.bar_volume.unwrap().millionths());
        let trades = sum(|bar| bar.bar_trades.unwrap());
        // The last poll is on the hour, at which a trade happens that is in no complete bar yet.
        assert_eq!(quote.day_volume.unwrap().millionths(), volume + quote.last_size.unwrap().millionths());
        assert_eq!(quote.day_trades, Some(trades + 1));
        assert_eq!(quote.day_open, bars[0].bar_open);
        assert_eq!(quote.day_high, bars.iter().map(|bar| bar.bar_high).max().unwrap().max(Some(quote.price)));
        assert_eq!(quote.day_low, bars.iter().map(|bar| bar.bar_low).min().unwrap().min(Some(quote.price)));
    }

    #[test]
    fn the_previous_close_is_the_last_price_before_the_day() {
        // A weekday, a Friday, and the Mondays after both clock changes.
        for roll in ["2026-11-24T01:00:00Z", "2026-11-21T01:00:00Z", "2026-11-03T01:00:00Z", "2026-03-10T00:00:00Z"] {
            let last = cold("MSFT", 3, later(at(roll), -1));
            let first = cold("MSFT", 3, at(roll));
            assert_eq!(first.previous_close, Some(last.price), "{roll}");
            assert!(first.day_date > last.day_date, "{roll}");
            assert_eq!((first.day_trades, first.event_time), (Some(1), at(roll)), "{roll}");
        }
    }

    #[test]
    fn a_weekend_belongs_to_mondays_trade_date() {
        let saturday = cold("SPY", 1, at("2026-11-21T12:00:00Z"));
        assert_eq!(saturday.day_date.unwrap().to_string(), "2026-11-23");
        assert_plausible(&saturday);
    }

    #[test]
    fn seeds_and_symbols_have_prices_of_their_own_near_the_known() {
        let now = at("2026-11-23T15:00:00.123456789Z");
        for (name, from, to) in [("AAPL", 190, 350), ("BRK.B", 350, 650), ("SPY", 450, 850)] {
            let cents = cold(name, 1, now).price.millionths() / 1_000_000;
            assert!((from..to).contains(&cents), "{name} at {cents}");
        }
        assert_ne!(cold("AAPL", 1, now).price, cold("AAPL", 2, now).price);
        assert_ne!(cold("XYZ", 1, now).price, cold("XYY", 1, now).price);
    }

    #[test]
    fn a_clock_that_is_set_back_sees_what_it_saw() {
        let (early, late) = (at("2026-11-23T15:00:00Z"), at("2026-11-23T15:10:00Z"));
        let mut calendar = Calendar::new();
        let mut symbol = Symbol::new("AAPL", 1);
        let seen = symbol.quote_at(early, &mut calendar).unwrap();
        symbol.quote_at(late, &mut calendar).unwrap();
        assert_eq!(symbol.quote_at(early, &mut calendar).unwrap(), seen);
    }
}
