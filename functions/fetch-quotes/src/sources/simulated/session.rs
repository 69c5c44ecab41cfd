//! What trades come to: the day so far and the latest complete minute.

use chrono::NaiveDate;
use quotes::Timestamp;
use quotes::calendar::Calendar;

use super::tape::{Tape, Trade};

/// How long a bar is.
pub(super) const BAR_SECONDS: i64 = 60;

const SECOND: i64 = 1_000_000_000;

/// Longer than any stretch without trading days: a bound for the search of a day's beginning.
const MOST_HOURS: usize = 24 * 14;

/// Open, high, low, close, volume and value of some trades; at least one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Totals {
    /// The first price in cents.
    pub(super) open: i64,
    /// The highest.
    pub(super) high: i64,
    /// The lowest.
    pub(super) low: i64,
    /// The last.
    pub(super) close: i64,
    /// Shares.
    pub(super) volume: i64,
    /// How many trades.
    pub(super) trades: i64,
    /// Cents times shares: beyond 64 bits for a busy symbol over a long weekend.
    value: i128,
}

impl Totals {
    fn of(trade: &Trade) -> Self {
        let Trade { cents, size, .. } = *trade;
        let value = i128::from(cents) * i128::from(size);
        Self { open: cents, high: cents, low: cents, close: cents, volume: size, trades: 1, value }
    }

    fn add(&mut self, trade: &Trade) {
        self.high = self.high.max(trade.cents);
        self.low = self.low.min(trade.cents);
        self.close = trade.cents;
        self.volume += trade.size;
        self.trades += 1;
        self.value += i128::from(trade.cents) * i128::from(trade.size);
    }

    /// The volume-weighted average price in millionths of a dollar, truncated.
    pub(super) fn vwap_millionths(&self) -> i64 {
        let vwap = self.value * 10_000 / i128::from(self.volume.max(1));
        i64::try_from(vwap).unwrap_or(i64::MAX)
    }
}

/// One minute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar {
    /// Its first second since 1970.
    pub(super) start: i64,
    /// Its trades.
    pub(super) totals: Totals,
}

/// What is known at one moment.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) date: NaiveDate,
    pub(super) previous_close: Option<i64>,
    pub(super) last: Trade,
    pub(super) day: Totals,
    /// The latest complete minute; in a day's first minute that is the day before's last.
    pub(super) bar: Option<Bar>,
}

/// One trading day of one symbol, folded up to a second.
#[derive(Debug)]
pub(super) struct Session {
    date: NaiveDate,
    previous_close: Option<i64>,
    /// The first second that is not folded yet.
    next: i64,
    sums: Sums,
}

/// What is folded.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    last: Option<Trade>,
    day: Option<Totals>,
    /// The minute of the last trade, complete or not.
    minute: Option<Bar>,
    /// The minute with trades before that one.
    minute_before: Option<Bar>,
}

impl Session {
    /// The trading day of `now` at its beginning; `None` before the simulation's first day.
    ///
    /// A day of the simulation is a trade date of the calendar, and a date in New York in years
    /// that the calendar does not know.
    pub(super) fn begin(now: Timestamp, calendar: &mut Calendar, tape: &mut Tape) -> Option<Self> {
        let date = date(now, calendar);
        let start = first_second(now, date, calendar)?;
        let previous_close = tape.last_before(start).map(|trade| trade.cents);
        let mut sums = Sums::default();
        // The day's first minute reports the bar of the minute before it.
        for second in start - BAR_SECONDS..start {
            if let Some(trade) = tape.trade(second) {
                sums.add_to_minute(&trade);
            }
        }
        Some(Self { date, previous_close, next: start, sums })
    }

    /// Whether `now` lies in this day and not before what is folded.
    pub(super) fn covers(&self, now: Timestamp, calendar: &mut Calendar) -> bool {
        now.nanos() / SECOND >= self.next && date(now, calendar) == self.date
    }

    /// Folds the seconds that are over at `now`.
    pub(super) fn advance(&mut self, now: Timestamp, tape: &mut Tape) {
        while self.next < now.nanos() / SECOND {
            if let Some(trade) = tape.trade(self.next) {
                self.sums.add(&trade);
            }
            self.next += 1;
        }
    }

    /// What is known at `now`, which [`Session::advance`] has reached.
    pub(super) fn seen_at(&self, now: Timestamp, tape: &mut Tape) -> Option<Seen> {
        let mut sums = self.sums;
        if let Some(trade) = tape.trade(self.next).filter(|trade| trade.nanos <= now.nanos()) {
            sums.add(&trade);
        }
        let is_complete = |bar: &Bar| (bar.start + BAR_SECONDS) * SECOND <= now.nanos();
        Some(Seen {
            date: self.date,
            previous_close: self.previous_close,
            last: sums.last?,
            day: sums.day?,
            bar: sums.minute.filter(is_complete).or(sums.minute_before),
        })
    }
}

impl Sums {
    fn add(&mut self, trade: &Trade) {
        self.last = Some(*trade);
        match &mut self.day {
            Some(day) => day.add(trade),
            day => *day = Some(Totals::of(trade)),
        }
        self.add_to_minute(trade);
    }

    fn add_to_minute(&mut self, trade: &Trade) {
        let start = (trade.nanos / SECOND).div_euclid(BAR_SECONDS) * BAR_SECONDS;
        match &mut self.minute {
            Some(minute) if minute.start == start => minute.totals.add(trade),
            minute => self.minute_before = minute.replace(Bar { start, totals: Totals::of(trade) }),
        }
    }
}

/// The simulation's day at `moment`.
fn date(moment: Timestamp, calendar: &mut Calendar) -> NaiveDate {
    let place = calendar.place(moment);
    place.trade_date.unwrap_or(place.date)
}

/// The first second of the day `date` that `now` is in: New York's clock is whole hours off UTC,
/// so days begin on an hour.
fn first_second(now: Timestamp, date_now: NaiveDate, calendar: &mut Calendar) -> Option<i64> {
    let mut hour = now.nanos() / SECOND / 3_600;
    for _ in 0..MOST_HOURS {
        let before = Timestamp::from_nanos(hour * 3_600 * SECOND - 1)?;
        if date(before, calendar) != date_now {
            return Some(hour * 3_600);
        }
        hour -= 1;
    }
    None
}
