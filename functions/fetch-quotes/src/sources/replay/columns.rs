//! The columns of a replay file.

use std::borrow::Cow;

use chrono::NaiveDate;
use quotes::{Decimal, Quote, Timestamp};

/// What a column's text becomes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    /// `symbol`.
    Symbol,
    /// `currency`; empty: USD.
    Currency,
    /// `price`.
    Price,
    /// `event_time`.
    EventTime,
    /// `event_time_ns`: the same moment to the nanosecond.
    EventTimeNs,
    /// `fetched_at`; empty: `event_time`.
    FetchedAt,
    /// A price or size that may be empty.
    Decimal(Slot<Decimal>),
    /// A time that may be empty.
    Time(Slot<Timestamp>),
    /// A text that may be empty.
    Text(Slot<Cow<'static, str>>),
    /// A count that may be empty.
    Count(Slot<i64>),
    /// Seconds that may be empty.
    Seconds(Slot<i32>),
    /// A date that may be empty.
    Date(Slot<NaiveDate>),
    /// A column of the table that is worked out anew when the quote is stored.
    NotRead,
}

/// Where in a quote the value goes.
pub(super) type Slot<T> = for<'a> fn(&'a mut Quote<'static>) -> &'a mut Option<T>;

/// The column called `name`; `None`: no quote has it.
pub(super) fn find(name: &str) -> Option<Column> {
    use Column::{Count, Currency, Date, Decimal, EventTime, EventTimeNs, FetchedAt, NotRead, Price, Seconds, Symbol, Text, Time};
    Some(match name {
        "symbol" => Symbol,
        "currency" => Currency,
        "price" => Price,
        "last_size" => Decimal(|quote| &mut quote.last_size),
        "event_time" => EventTime,
        "event_time_ns" => EventTimeNs,
        "conditions" => Text(|quote| &mut quote.conditions),
        "exchange" => Text(|quote| &mut quote.exchange),
        "bid" => Decimal(|quote| &mut quote.bid),
        "ask" => Decimal(|quote| &mut quote.ask),
        "bid_size" => Decimal(|quote| &mut quote.bid_size),
        "ask_size" => Decimal(|quote| &mut quote.ask_size),
        "quote_time" => Time(|quote| &mut quote.quote_time),
        "day_date" => Date(|quote| &mut quote.day_date),
        "day_open" => Decimal(|quote| &mut quote.day_open),
        "day_high" => Decimal(|quote| &mut quote.day_high),
        "day_low" => Decimal(|quote| &mut quote.day_low),
        "day_close" => Decimal(|quote| &mut quote.day_close),
        "day_volume" => Decimal(|quote| &mut quote.day_volume),
        "day_vwap" => Decimal(|quote| &mut quote.day_vwap),
        "day_trades" => Count(|quote| &mut quote.day_trades),
        "previous_close" => Decimal(|quote| &mut quote.previous_close),
        "bar_start" => Time(|quote| &mut quote.bar_start),
        "bar_seconds" => Seconds(|quote| &mut quote.bar_seconds),
        "bar_open" => Decimal(|quote| &mut quote.bar_open),
        "bar_high" => Decimal(|quote| &mut quote.bar_high),
        "bar_low" => Decimal(|quote| &mut quote.bar_low),
        "bar_close" => Decimal(|quote| &mut quote.bar_close),
        "bar_volume" => Decimal(|quote| &mut quote.bar_volume),
        "bar_vwap" => Decimal(|quote| &mut quote.bar_vwap),
        "bar_trades" => Count(|quote| &mut quote.bar_trades),
        "fetched_at" => FetchedAt,
        "feed" => Text(|quote| &mut quote.feed),
        "delay_seconds" => Seconds(|quote| &mut quote.delay_seconds),
        "session" | "trade_date" | "source" | "dt" | "kafka_cluster" | "kafka_partition" | "kafka_offset" => NotRead,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A column that is added to the table must be thought of here.
    #[test]
    fn every_column_of_the_table_is_known() {
        for field in quotes::schema::file_schema().fields() {
            assert!(find(field.name()).is_some(), "{}", field.name());
        }
        assert!(find("dt").is_some());
        assert!(find("close").is_none());
    }
}
