//! The lake as it lies on the disk, read by Arrow and Parquet alone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Field, Int32Type, Int64Type, TimeUnit, TimestampMillisecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The lake's bucket on one machine.
pub(crate) const BUCKET: &str = "tickerlake-lake-000000000000-us-east-1";

/// The contract's columns in their order, with their types and whether they can be null; `dt` is in the path, not in the file.
pub(crate) const COLUMNS: [(&str, Kind, bool); 40] = {
    use Kind::{BigInt, Decimal, Int, Text, Timestamp};
    [
        ("symbol", Text, false),
        ("currency", Text, false),
        ("price", Decimal, false),
        ("last_size", Decimal, true),
        ("event_time", Timestamp, false),
        ("event_time_ns", BigInt, false),
        ("conditions", Text, true),
        ("exchange", Text, true),
        ("bid", Decimal, true),
        ("ask", Decimal, true),
        ("bid_size", Decimal, true),
        ("ask_size", Decimal, true),
        ("quote_time", Timestamp, true),
        ("day_date", Text, true),
        ("day_open", Decimal, true),
        ("day_high", Decimal, true),
        ("day_low", Decimal, true),
        ("day_close", Decimal, true),
        ("day_volume", Decimal, true),
        ("day_vwap", Decimal, true),
        ("day_trades", BigInt, true),
        ("previous_close", Decimal, true),
        ("bar_start", Timestamp, true),
        ("bar_seconds", Int, true),
        ("bar_open", Decimal, true),
        ("bar_high", Decimal, true),
        ("bar_low", Decimal, true),
        ("bar_close", Decimal, true),
        ("bar_volume", Decimal, true),
        ("bar_vwap", Decimal, true),
        ("bar_trades", BigInt, true),
        ("session", Text, true),
        ("trade_date", Text, true),
        ("fetched_at", Timestamp, false),
        ("source", Text, false),
        ("feed", Text, true),
        ("delay_seconds", Int, true),
        ("kafka_cluster", Text, false),
        ("kafka_partition", Int, false),
        ("kafka_offset", BigInt, false),
    ]
};

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Decimal,
    Timestamp,
    BigInt,
    Int,
}

/// A cell: a text, or a number in the column's smallest unit (millionths, milliseconds, ones).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cell {
    Text(String),
    Number(i128),
}

/// The cells of a row by column, `dt` among them; a null is left out.
pub(crate) type Row = BTreeMap<String, Cell>;

/// The lake's files of quotes, sorted.
pub(crate) fn parquet_files(data: &Path) -> Vec<PathBuf> {
    below(&data.join("s3").join(BUCKET).join("quotes"))
}

/// The lake's objects in quarantine, sorted.
pub(crate) fn quarantine_files(data: &Path) -> Vec<PathBuf> {
    below(&data.join("s3").join(BUCKET).join("quarantine"))
}

/// The finished files `<folder>/dt=…/*`.
fn below(folder: &Path) -> Vec<PathBuf> {
    let list =
        |folder: &Path| fs::read_dir(folder).map_or_else(|_| Vec::new(), |entries| entries.map(|entry| entry.unwrap().path()).collect());
    let mut files: Vec<PathBuf> = list(folder).iter().flat_map(|day| list(day)).collect();
    files.retain(|file| !file.file_name().unwrap().to_str().unwrap().starts_with('.'));
    files.sort();
    files
}

/// The key of a file of the lake.
pub(crate) fn key(data: &Path, file: &Path) -> String {
    file.strip_prefix(data.join("s3").join(BUCKET)).unwrap().to_str().unwrap().to_owned()
}

/// All rows of all files, after checking that each file has the contract's schema.
pub(crate) fn rows(data: &Path) -> Vec<Row> {
    parquet_files(data).iter().flat_map(|file| rows_of(file)).collect()
}

/// The rows of one file, in its order.
pub(crate) fn rows_of(file: &Path) -> Vec<Row> {
    // A compacted file lies one folder deeper.
    let day = file.ancestors().find_map(|folder| folder.file_name()?.to_str()?.strip_prefix("dt=")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
    let expected: Vec<Field> = COLUMNS.iter().map(|(name, kind, nullable)| Field::new(*name, kind.arrow(), *nullable)).collect();
    let found: Vec<Field> = reader.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    assert_eq!(found, expected, "{}", file.display());
    let batches = reader.build().unwrap().map(Result::unwrap);
    batches.flat_map(|batch| (0..batch.num_rows()).map(|row| cells(&batch, row, day)).collect::<Vec<_>>()).collect()
}

fn cells(batch: &RecordBatch, row: usize, day: &str) -> Row {
    let mut cells = Row::from([("dt".to_owned(), Cell::Text(day.to_owned()))]);
    for ((name, kind, _), column) in COLUMNS.iter().zip(batch.columns()) {
        if column.is_null(row) {
            continue;
        }
        let cell = match kind {
            Kind::Text => Cell::Text(column.as_string::<i32>().value(row).to_owned()),
            Kind::Decimal => Cell::Number(column.as_primitive::<Decimal128Type>().value(row)),
            Kind::Timestamp => Cell::Number(column.as_primitive::<TimestampMillisecondType>().value(row).into()),
            Kind::BigInt => Cell::Number(column.as_primitive::<Int64Type>().value(row).into()),
            Kind::Int => Cell::Number(column.as_primitive::<Int32Type>().value(row).into()),
        };
        cells.insert((*name).to_owned(), cell);
    }
    cells
}

impl Kind {
    fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Decimal => DataType::Decimal128(18, 6),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            Self::BigInt => DataType::Int64,
            Self::Int => DataType::Int32,
        }
    }

    /// A cell of such a column as Athena writes it.
    pub(crate) fn athena(self, cell: &Cell) -> String {
        match (self, cell) {
            (_, Cell::Text(text)) => text.clone(),
            (Self::Decimal, Cell::Number(millionths)) => format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000),
            (Self::Timestamp, Cell::Number(millis)) => {
                let moment = chrono::DateTime::from_timestamp_millis(i64::try_from(*millis).unwrap()).unwrap();
                moment.format("%Y-%m-%d %H:%M:%S%.3f").to_string()
            }
            (_, Cell::Number(number)) => number.to_string(),
        }
    }
}

/// A number of a row.
pub(crate) fn number(row: &Row, column: &str) -> i128 {
    match row.get(column) {
        Some(Cell::Number(number)) => *number,
        other => panic!("{column} is {other:?} in {row:?}"),
    }
}

/// A text of a row.
pub(crate) fn text<'r>(row: &'r Row, column: &str) -> &'r str {
    match row.get(column) {
        Some(Cell::Text(text)) => text,
        other => panic!("{column} is {other:?} in {row:?}"),
    }
}
