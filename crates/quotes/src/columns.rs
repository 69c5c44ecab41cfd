//! From quotes to columns: the rows of one Parquet file.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, StringBuilder, TimestampMillisecondArray};
use arrow::error::ArrowError;
use chrono::NaiveDate;

use crate::calendar::Calendar;
use crate::decimal::Decimal;
use crate::keys::LogId;
use crate::quote::Quote;
use crate::schema;
use crate::time::Timestamp;

/// A quote and where in its log it came from.
///
/// Borrowed, because sorting moves rows about, and a quote has some 700 bytes.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The quote.
    pub quote: &'a Quote<'a>,
    /// Its record's offset.
    pub offset: i64,
}

/// Makes the rows of `log` into columns of [`schema::file_schema`], in the order of the rows.
///
/// Fails only where Arrow does: when the texts of one column exceed 2 GB.
pub fn record_batch(log: &LogId, rows: &[Row<'_>], calendar: &mut Calendar) -> Result<RecordBatch, ArrowError> {
    let places: Vec<_> = rows.iter().map(|row| calendar.place(row.quote.event_time)).collect();
    let text = |value: for<'r> fn(&'r Quote<'_>) -> Option<&'r str>| -> ArrayRef {
        Arc::new(rows.iter().map(|row| value(row.quote)).collect::<StringArray>())
    };
    let decimal = |value: fn(&Quote<'_>) -> Option<Decimal>| -> Result<ArrayRef, ArrowError> {
        let millionths = rows.iter().map(|row| value(row.quote).map(|decimal| i128::from(decimal.millionths())));
        let array = millionths.collect::<Decimal128Array>();
        Ok(Arc::new(array.with_precision_and_scale(Decimal::PRECISION, Decimal::SCALE)?))
    };
    let timestamp = |value: fn(&Quote<'_>) -> Option<Timestamp>| -> ArrayRef {
        let millis = rows.iter().map(|row| value(row.quote).map(Timestamp::millis));
        Arc::new(millis.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
    };
    let bigint =
        |value: fn(&Quote<'_>) -> Option<i64>| -> ArrayRef { Arc::new(rows.iter().map(|row| value(row.quote)).collect::<Int64Array>()) };
    let int =
        |value: fn(&Quote<'_>) -> Option<i32>| -> ArrayRef { Arc::new(rows.iter().map(|row| value(row.quote)).collect::<Int32Array>()) };

    // In the order of `schema::COLUMNS`.
    let columns = vec![
        text(|q| Some(&q.symbol)),
        text(|q| Some(&q.currency)),
        decimal(|q| Some(q.price))?,
        decimal(|q| q.last_size)?,
        timestamp(|q| Some(q.event_time)),
        bigint(|q| Some(q.event_time.nanos())),
        text(|q| q.conditions.as_deref()),
        text(|q| q.exchange.as_deref()),
        decimal(|q| q.bid)?,
        decimal(|q| q.ask)?,
        decimal(|q| q.bid_size)?,
        decimal(|q| q.ask_size)?,
        timestamp(|q| q.quote_time),
        dates(rows.iter().map(|row| row.quote.day_date)),
        decimal(|q| q.day_open)?,
        decimal(|q| q.day_high)?,
        decimal(|q| q.day_low)?,
        decimal(|q| q.day_close)?,
        decimal(|q| q.day_volume)?,
        decimal(|q| q.day_vwap)?,
        bigint(|q| q.day_trades),
        decimal(|q| q.previous_close)?,
        timestamp(|q| q.bar_start),
        int(|q| q.bar_seconds),
        decimal(|q| q.bar_open)?,
        decimal(|q| q.bar_high)?,
        decimal(|q| q.bar_low)?,
        decimal(|q| q.bar_close)?,
        decimal(|q| q.bar_volume)?,
        decimal(|q| q.bar_vwap)?,
        bigint(|q| q.bar_trades),
        Arc::new(places.iter().map(|place| place.session.map(|session| session.as_str())).collect::<StringArray>()),
        dates(places.iter().map(|place| place.trade_date)),
        timestamp(|q| Some(q.fetched_at)),
        text(|q| Some(&q.source)),
        text(|q| q.feed.as_deref()),
        int(|q| q.delay_seconds),
        Arc::new(rows.iter().map(|_| Some(log.cluster.as_str())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|_| Some(log.partition)).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| Some(row.offset)).collect::<Int64Array>()),
    ];
    RecordBatch::try_new(schema::file_schema(), columns)
}

/// Dates as `YYYY-MM-DD`. Rows of one file have few, so each is written out once for a run of rows.
fn dates(dates: impl Iterator<Item = Option<NaiveDate>>) -> ArrayRef {
    let mut column = StringBuilder::new();
    let mut latest = (NaiveDate::default(), NaiveDate::default().to_string());
    for date in dates {
        if let Some(date) = date.filter(|date| *date != latest.0) {
            latest = (date, date.to_string());
        }
        column.append_option(date.map(|_| &latest.1));
    }
    Arc::new(column.finish())
}

/// Sorts rows by symbol and time, and by offset where both are equal: the order within a file.
pub fn sort(rows: &mut [Row<'_>]) {
    rows.sort_unstable_by(|a, b| {
        let key = |row: &Row<'_>| (row.quote.event_time, row.offset);
        a.quote.symbol.cmp(&b.quote.symbol).then_with(|| key(a).cmp(&key(b)))
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Decimal128Type, Int64Type, TimestampMillisecondType};

    fn quote(symbol: &'static str, event_time: &str) -> Quote<'static> {
        let event_time: Timestamp = event_time.parse().unwrap();
        Quote::new(symbol, "USD", "49.18".parse().unwrap(), event_time, event_time, "replay")
    }

    #[test]
    fn rows_become_columns_of_the_schema() {
        let log = LogId { cluster: "unknown".into(), topic: "quotes".into(), partition: 2 };
        let mut quotes =
            [quote("SPY", "2026-11-23T20:59:59.999999999Z"), quote("AIG", "2026-11-24T01:00:00Z"), quote("SPY", "2026-11-23T15:00:00Z")];
        quotes[0].bid = Some("0.000001".parse().unwrap());
        let mut rows: Vec<_> = quotes.iter().zip(7..).map(|(quote, offset)| Row { quote, offset }).collect();
        sort(&mut rows);
        let batch = record_batch(&log, &rows, &mut Calendar::new()).unwrap();

        let texts = |name| batch.column_by_name(name).unwrap().as_string::<i32>().iter().map(Option::unwrap).collect::<Vec<_>>();
        assert_eq!(texts("symbol"), ["AIG", "SPY", "SPY"]);
        assert_eq!(texts("session"), ["overnight", "regular", "regular"]);
        assert_eq!(texts("trade_date"), ["2026-11-24", "2026-11-23", "2026-11-23"]);
        assert_eq!(batch["kafka_offset"].as_primitive::<Int64Type>().values(), &[8, 9, 7]);
        assert_eq!(batch["price"].as_primitive::<Decimal128Type>().value(0), 49_180_000);
        assert_eq!(batch["bid"].as_primitive::<Decimal128Type>().value(2), 1);
        assert_eq!(batch["bid"].null_count(), 2, "what is unknown is null");
        // One nanosecond before the close stays before the close.
        assert_eq!(batch["event_time"].as_primitive::<TimestampMillisecondType>().value(2) % 1000, 999);
        assert_eq!(batch["event_time_ns"].as_primitive::<Int64Type>().value(2) % 1_000_000_000, 999_999_999);
    }
}
