//! The columns of the table, as Parquet files hold them and as Glue and Athena name them.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::decimal::Decimal;

/// The Glue database.
pub const DATABASE: &str = "tickerlake";
/// The Glue table.
pub const TABLE: &str = "quotes";
/// The partition column: the New York date of `fetched_at` as `YYYY-MM-DD`. It is in the key of a
/// file, not in the file.
pub const PARTITION_COLUMN: &str = "dt";

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// `decimal(18,6)`.
    Decimal,
    /// INT64 milliseconds, UTC-adjusted. Athena has milliseconds, and rounds anything finer.
    Timestamp,
    /// 64-bit integer.
    BigInt,
    /// 32-bit integer.
    Int,
}

impl ColumnType {
    /// The type's name in Glue and Athena.
    pub const fn glue(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Decimal => "decimal(18,6)",
            Self::Timestamp => "timestamp",
            Self::BigInt => "bigint",
            Self::Int => "int",
        }
    }

    fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Decimal => DataType::Decimal128(Decimal::PRECISION, Decimal::SCALE),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            Self::BigInt => DataType::Int64,
            Self::Int => DataType::Int32,
        }
    }
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether it can be null.
    pub nullable: bool,
}

const fn always(name: &'static str, column_type: ColumnType) -> Column {
    Column { name, column_type, nullable: false }
}

const fn maybe(name: &'static str, column_type: ColumnType) -> Column {
    Column { name, column_type, nullable: true }
}

/// The table's columns in order, without the partition column.
pub const COLUMNS: [Column; 40] = {
    use ColumnType::{BigInt, Decimal, Int, Text, Timestamp};
    [
        // Who.
        always("symbol", Text),
        always("currency", Text),
        // Last trade.
        always("price", Decimal),
        maybe("last_size", Decimal),
        always("event_time", Timestamp),
        always("event_time_ns", BigInt),
        maybe("conditions", Text),
        maybe("exchange", Text),
        // Best quote.
        maybe("bid", Decimal),
        maybe("ask", Decimal),
        maybe("bid_size", Decimal),
        maybe("ask_size", Decimal),
        maybe("quote_time", Timestamp),
        // The day so far.
        maybe("day_date", Text),
        maybe("day_open", Decimal),
        maybe("day_high", Decimal),
        maybe("day_low", Decimal),
        maybe("day_close", Decimal),
        maybe("day_volume", Decimal),
        maybe("day_vwap", Decimal),
        maybe("day_trades", BigInt),
        maybe("previous_close", Decimal),
        // Latest complete bar.
        maybe("bar_start", Timestamp),
        maybe("bar_seconds", Int),
        maybe("bar_open", Decimal),
        maybe("bar_high", Decimal),
        maybe("bar_low", Decimal),
        maybe("bar_close", Decimal),
        maybe("bar_volume", Decimal),
        maybe("bar_vwap", Decimal),
        maybe("bar_trades", BigInt),
        // Calendar.
        maybe("session", Text),
        maybe("trade_date", Text),
        // Fetch.
        always("fetched_at", Timestamp),
        always("source", Text),
        maybe("feed", Text),
        maybe("delay_seconds", Int),
        // Lineage.
        always("kafka_cluster", Text),
        always("kafka_partition", Int),
        always("kafka_offset", BigInt),
    ]
};

/// The schema of the Parquet files.
pub fn file_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let fields: Vec<Field> =
            COLUMNS.iter().map(|column| Field::new(column.name, column.column_type.arrow(), column.nullable)).collect();
        Arc::new(Schema::new(fields))
    });
    Arc::clone(&SCHEMA)
}
