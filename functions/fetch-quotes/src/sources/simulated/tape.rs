//! The tape: a symbol's trades and best quotes, each at its own moment.

use super::hash::{Lane, hash, symbol_seed};
use super::listing::{self, Listing};
use super::path::Path;

const SECOND: i64 = 1_000_000_000;

/// The book changes at most once in each of these spans.
const BOOK_SPAN: i64 = 250_000_000;

/// One trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trade {
    /// When, in nanoseconds since 1970.
    pub(super) nanos: i64,
    /// The price in cents.
    pub(super) cents: i64,
    /// How many shares.
    pub(super) size: i64,
    /// The conditions as the consolidated tape codes them: `@` regular, `I` odd lot.
    pub(super) conditions: &'static str,
    /// The exchange's code on the consolidated tape.
    pub(super) exchange: &'static str,
}

/// The best bid and ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Book {
    /// When it last changed, in nanoseconds since 1970.
    pub(super) nanos: i64,
    /// The best bid in cents; below the ask.
    pub(super) bid: i64,
    /// The best ask in cents.
    pub(super) ask: i64,
    /// Shares at the bid.
    pub(super) bid_size: i64,
    /// Shares at the ask.
    pub(super) ask_size: i64,
}

/// One symbol's trades and quotes, from any moment to any other.
#[derive(Debug)]
pub(super) struct Tape {
    seed: u64,
    listing: Listing,
    path: Path,
}

impl Tape {
    pub(super) fn new(symbol: &str, market_seed: u64) -> Self {
        let seed = symbol_seed(market_seed, symbol);
        // A symbol's usual price does not hang on the market's seed.
        Self { seed, listing: listing::of(symbol, symbol_seed(0, symbol)), path: Path::new(seed) }
    }

    /// The trade in `second` since 1970, if there is one: at most one a second, and one on each
    /// full hour, so that each day, which begins on an hour, begins with a trade.
    pub(super) fn trade(&mut self, second: i64) -> Option<Trade> {
        let chance = hash(self.seed, Lane::Trade, second);
        let is_hour = second % 3_600 == 0;
        if !is_hour && chance & 0xff >= self.listing.activity {
            return None;
        }
        let into = if is_hour { 0 } else { ((chance >> 8) % SECOND.cast_unsigned()).cast_signed() };
        let nanos = second * SECOND + into;
        // Trades happen at the mid, a cent above or a cent below.
        let side = ((chance >> 40) % 3).cast_signed() - 1;
        let size = self.size(second);
        Some(Trade {
            nanos,
            cents: (self.mid(nanos) + side).max(1),
            size,
            conditions: if size < 100 { "@,I" } else { "@" },
            exchange: self.exchange(chance >> 44),
        })
    }

    /// The last trade before `second`; `None` if there was none within an hour, which cannot be.
    pub(super) fn last_before(&mut self, second: i64) -> Option<Trade> {
        (1..=3_600).find_map(|back| self.trade(second - back))
    }

    /// The book at `nanos`, as it has stood since its last change.
    pub(super) fn book(&mut self, nanos: i64) -> Book {
        let span = nanos.div_euclid(BOOK_SPAN);
        let changed = |span: i64| span * BOOK_SPAN + self.chance_in(span);
        let (span, nanos) = match changed(span) {
            moment if moment <= nanos => (span, moment),
            _ => (span - 1, changed(span - 1)),
        };
        let chance = hash(self.seed, Lane::Book, span);
        // A cent wide, or two or three where a cent is little.
        let width = 1 + ((chance >> 32) % (1 + self.listing.base_cents.cast_unsigned() / 20_000)).cast_signed();
        let bid = (self.mid(nanos) - width / 2).max(1);
        let size = |chance: u64| 100 * (1 + ((chance % 12).cast_signed()));
        Book {
            nanos,
            bid,
            ask: bid + width,
            bid_size: size(chance >> 40) * self.listing.lots,
            ask_size: size(chance >> 48) * self.listing.lots,
        }
    }

    /// When in its span the book changes, in nanoseconds from the span's start.
    fn chance_in(&self, span: i64) -> i64 {
        ((hash(self.seed, Lane::Book, span) & 0xffff_ffff) % BOOK_SPAN.cast_unsigned()).cast_signed()
    }

    /// The middle of the market in cents.
    fn mid(&mut self, nanos: i64) -> i64 {
        (self.listing.base_cents as f64 * (1.0 + self.path.at(nanos))).round() as i64
    }

    /// A third odd lots, else some lots, now and then a block.
    fn size(&self, second: i64) -> i64 {
        let chance = hash(self.seed, Lane::Size, second);
        let pick = |from: u32, choices: u64| ((chance >> from) % choices).cast_signed();
        match chance % 100 {
            0..33 => 1 + pick(8, 99),
            33..99 => 100 * (1 + pick(8, 3)) * self.listing.lots,
            _ => 1_000 * (1 + pick(8, 9)) * self.listing.lots,
        }
    }

    /// Half of the trades happen at home.
    fn exchange(&self, chance: u64) -> &'static str {
        match chance % 10 {
            0 => "P",
            1 => "Z",
            2 => "K",
            3 => "V",
            4 => "D",
            _ => self.listing.exchange,
        }
    }
}
