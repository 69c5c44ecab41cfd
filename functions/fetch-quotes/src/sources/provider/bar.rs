//! Bars as the American feeds write them: `o`, `h`, `l`, `c`, `v`, `vw`, `n`.

use chrono::NaiveDate;
use quotes::{Decimal, Quote, Timestamp};
use serde::Deserialize;

use super::number::{Number, Whole};

/// How long a minute bar is.
const SECONDS: i32 = 60;

/// A bar of a minute or of a day, whose start the provider writes as a `T`.
#[derive(Deserialize)]
pub(crate) struct Bar<T> {
    /// Its start, where it has one.
    #[serde(default)]
    pub(crate) t: T,
    #[serde(default)]
    o: Number,
    #[serde(default)]
    h: Number,
    #[serde(default)]
    l: Number,
    #[serde(default)]
    c: Number,
    #[serde(default)]
    v: Number,
    #[serde(default)]
    n: Whole,
    #[serde(default)]
    vw: Number,
}

impl<T> Bar<T> {
    /// Its last price; `None` where nothing was traded, which some providers write as zeros.
    pub(crate) fn close(&self) -> Option<Decimal> {
        self.c.positive()
    }

    /// Fills the columns of the latest complete bar with this minute, which began at `start`. A minute that was not over
    /// when it was fetched is still being made: it fills none.
    pub(crate) fn set_minute(&self, quote: &mut Quote<'static>, start: Option<Timestamp>) {
        let Some(start) = start else { return };
        if start.nanos().saturating_add(i64::from(SECONDS) * 1_000_000_000) > quote.fetched_at.nanos() {
            return;
        }
        quote.bar_start = Some(start);
        quote.bar_seconds = Some(SECONDS);
        quote.bar_open = self.o.positive();
        quote.bar_high = self.h.positive();
        quote.bar_low = self.l.positive();
        quote.bar_close = self.close();
        quote.bar_volume = self.v.not_negative();
        quote.bar_vwap = self.vw.positive();
        quote.bar_trades = self.n.not_negative();
    }

    /// Fills the columns of the day so far with this day, which is that of `date`.
    pub(crate) fn set_day(&self, quote: &mut Quote<'static>, date: Option<NaiveDate>) {
        quote.day_date = date;
        quote.day_open = self.o.positive();
        quote.day_high = self.h.positive();
        quote.day_low = self.l.positive();
        quote.day_close = self.close();
        quote.day_volume = self.v.not_negative();
        quote.day_vwap = self.vw.positive();
        quote.day_trades = self.n.not_negative();
    }
}
