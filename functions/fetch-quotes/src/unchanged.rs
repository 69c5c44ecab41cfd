//! Leaving out what has not changed since it was produced last.

use std::collections::HashMap;
use std::time::Duration;

use quotes::{Quote, Timestamp};

/// Remembers each symbol's quote that Kafka has.
#[derive(Debug)]
pub(crate) struct Unchanged {
    heartbeat: Duration,
    known: HashMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    quote: Quote<'static>,
    produced: Timestamp,
}

impl Unchanged {
    /// Leaves out what has not changed, except once in `heartbeat`: a symbol that is calm goes on
    /// being heard of, one that is not heard of has a fault.
    pub(crate) fn new(heartbeat: Duration) -> Self {
        Self { heartbeat, known: HashMap::new() }
    }

    /// Whether `quote` says nothing new.
    pub(crate) fn is_news_less(&self, quote: &Quote<'static>) -> bool {
        self.known.get(quote.symbol.as_ref()).is_some_and(|known| {
            let age = quote.fetched_at.nanos().saturating_sub(known.produced.nanos());
            (0..i64::try_from(self.heartbeat.as_nanos()).unwrap_or(i64::MAX)).contains(&age) && known.quote == without_times(quote)
        })
    }

    /// Kafka has `quote`.
    pub(crate) fn produced(&mut self, quote: &Quote<'static>) {
        let known = Known { quote: without_times(quote), produced: quote.fetched_at };
        self.known.insert(quote.symbol.clone().into_owned(), known);
    }
}

/// What is compared: every column but when it was fetched and when an otherwise equal book was set.
/// A recomputed minute bar, a corrected volume and a trade at the same time and price as the one
/// before (whose volume counts) all differ.
fn without_times(quote: &Quote<'static>) -> Quote<'static> {
    Quote { fetched_at: quote.event_time, quote_time: None, ..quote.clone() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn quote(fetched_at: &str) -> Quote<'static> {
        let (price, event_time) = ("10".parse().unwrap(), "2026-11-23T15:00:00Z".parse().unwrap());
        Quote::new("AAPL", "USD", price, event_time, fetched_at.parse().unwrap(), "alpaca")
    }

    #[test]
    fn calm_is_heard_of_once_in_a_heartbeat() {
        let mut unchanged = Unchanged::new(Duration::from_secs(60));
        let first = quote("2026-11-23T15:00:05Z");
        assert!(!unchanged.is_news_less(&first));
        unchanged.produced(&first);
        assert!(unchanged.is_news_less(&quote("2026-11-23T15:00:10Z")));
        assert!(unchanged.is_news_less(&Quote { quote_time: Some(first.event_time), ..quote("2026-11-23T15:01:04Z") }));
        assert!(!unchanged.is_news_less(&quote("2026-11-23T15:01:05Z")));
        assert!(!unchanged.is_news_less(&quote("2026-11-23T14:59:00Z")), "the clock was set back");
    }

    #[test]
    fn a_trade_a_book_a_volume_or_a_bar_is_news() {
        let mut unchanged = Unchanged::new(Duration::from_secs(60));
        unchanged.produced(&quote("2026-11-23T15:00:05Z"));
        let one = Some("1".parse().unwrap());
        let same = || quote("2026-11-23T15:00:10Z");
        for news in [
            Quote { price: "10.01".parse().unwrap(), ..same() },
            Quote { last_size: one, ..same() },
            Quote { bid: one, ..same() },
            Quote { ask_size: one, ..same() },
            Quote { day_volume: one, ..same() },
            Quote { bar_close: one, ..same() },
            Quote { symbol: "MSFT".into(), ..same() },
        ] {
            assert!(!unchanged.is_news_less(&news), "{news:?}");
        }
    }
}
