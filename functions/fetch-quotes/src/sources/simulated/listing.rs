//! What a symbol trades around.

/// A symbol's usual price, trading and home.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listing {
    /// The price that its path wanders around, in cents.
    pub(super) base_cents: i64,
    /// In how many of 256 seconds it trades.
    pub(super) activity: u64,
    /// Shares in an ordinary lot's trade, in lots of 100.
    pub(super) lots: i64,
    /// The code of the exchange that lists it.
    pub(super) exchange: &'static str,
}

/// Well-known symbols, at prices of their order of magnitude.
const KNOWN: [(&str, Listing); 12] = [
    ("AAPL", listing(27_000, 230, 4, "Q")),
    ("AMZN", listing(23_000, 220, 4, "Q")),
    ("BAC", listing(5_200, 200, 8, "N")),
    ("BRK.B", listing(50_000, 110, 1, "N")),
    ("GOOGL", listing(28_000, 215, 3, "Q")),
    ("IBM", listing(30_000, 130, 1, "N")),
    ("JPM", listing(30_500, 160, 2, "N")),
    ("META", listing(64_000, 190, 2, "Q")),
    ("MSFT", listing(50_000, 215, 3, "Q")),
    ("NVDA", listing(18_500, 245, 10, "Q")),
    ("SPY", listing(66_000, 250, 6, "P")),
    ("TSLA", listing(42_000, 240, 6, "Q")),
];

const fn listing(base_cents: i64, activity: u64, lots: i64, exchange: &'static str) -> Listing {
    Listing { base_cents, activity, lots, exchange }
}

/// The listing of `symbol`; an unknown one's follows from its seed: 10 to 500 dollars, quieter.
pub(super) fn of(symbol: &str, seed: u64) -> Listing {
    let known = KNOWN.iter().find(|(name, _)| *name == symbol);
    known.map_or_else(
        || {
            let base_cents = 1_000 + (seed % 49_000).cast_signed();
            let exchange = if seed & 1 == 0 { "N" } else { "Q" };
            listing(base_cents, 60 + (seed >> 32) % 100, 1, exchange)
        },
        |(_, listing)| *listing,
    )
}
