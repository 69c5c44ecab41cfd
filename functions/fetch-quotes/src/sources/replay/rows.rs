//! The rows of a replay file, read one by one.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use csv::{ByteRecord, ReaderBuilder};
use flate2::bufread::MultiGzDecoder;
use quotes::{Decimal, Quote, Timestamp};

use super::NAME;
use super::columns::{self, Column};

/// Why a file cannot be replayed at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It does not exist or cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Its first line is not CSV.
    #[error("{}: the header cannot be read", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        #[source]
        source: csv::Error,
    },
    /// The header has names that no quote column has. Not ignored: it is probably a misspelt one,
    /// whose values would be missed later.
    #[error("{}: unknown columns in the header: {names}", path.display())]
    UnknownColumns {
        /// The file.
        path: PathBuf,
        /// The names, separated by commas.
        names: String,
    },
    /// The header lacks a needed column.
    #[error("{}: the header lacks the column {name}", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// Its name.
        name: &'static str,
    },
    /// The header has a column twice.
    #[error("{}: the header has the column {name} twice", path.display())]
    RepeatedColumn {
        /// The file.
        path: PathBuf,
        /// Its name.
        name: String,
    },
}

/// A row that is a quote.
#[derive(Debug)]
pub(super) struct Row {
    /// Its line; the header is line 1.
    pub(super) line: u64,
    /// The quote.
    pub(super) quote: Quote<'static>,
}

/// A row that is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadRow {
    /// Its line.
    pub(super) line: u64,
    /// What is wrong with it.
    pub(super) reason: String,
}

/// A file's rows in their order.
pub(super) struct Rows {
    reader: csv::Reader<Box<dyn Read + Send + Sync>>,
    /// The header: each column and its name.
    columns: Vec<(Column, String)>,
    record: ByteRecord,
    /// The line of the last row.
    line: u64,
    /// Whether the file ended, or broke off.
    is_over: bool,
}

impl Rows {
    /// Opens the file, gzipped or not (its first bytes tell), and reads its header.
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let read_error = |source| FileError::Read { path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(read_error)?);
        let is_gzip = file.fill_buf().map_err(read_error)?.starts_with(&[0x1f, 0x8b]);
        let bytes: Box<dyn Read + Send + Sync> = if is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        // Flexible, because a row of the wrong length is this code's to tell, not the reader's.
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
        let mut record = ByteRecord::new();
        reader.read_byte_record(&mut record).map_err(|source| FileError::Header { path: path.to_owned(), source })?;
        let columns = header(&record, path)?;
        Ok(Self { reader, columns, record, line: 1, is_over: false })
    }

    /// The next row whose line `is_stored` denies; `None` at the end. Stored rows are not looked into.
    ///
    /// A file that breaks off (a truncated gzip) ends with a bad row that says so: what came before
    /// it stands, and asking again would not bring more.
    pub(super) fn next(&mut self, is_stored: impl Fn(u64) -> bool) -> Option<Result<Row, BadRow>> {
        while !self.is_over {
            let read = self.reader.read_byte_record(&mut self.record);
            let start = self.record.position().map_or(0, csv::Position::line);
            match read {
                Ok(false) => {
                    self.is_over = true;
                }
                Ok(true) => {
                    // Greater each time, whatever ends this file's lines: rows are told apart by it.
                    self.line = start.max(self.line + 1);
                    if !is_stored(self.line) {
                        let (line, row) = (self.line, quote(&self.record, &self.columns));
                        return Some(match row {
                            Ok(quote) => Ok(Row { line, quote }),
                            Err(reason) => Err(BadRow { line, reason }),
                        });
                    }
                }
                Err(error) => {
                    self.is_over = true;
                    let reason = format!("the file cannot be read any further: {error}");
                    return Some(Err(BadRow { line: self.line + 1, reason }));
                }
            }
        }
        None
    }
}

/// The header's columns, all of them known, none twice, the needed ones among them.
fn header(record: &ByteRecord, path: &Path) -> Result<Vec<(Column, String)>, FileError> {
    let names: Vec<_> = record.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
    for name in ["symbol", "event_time", "price"] {
        if !names.iter().any(|found| found == name) {
            return Err(FileError::MissingColumn { path: path.to_owned(), name });
        }
    }
    if let Some((_, name)) = names.iter().enumerate().find(|(at, name)| names.iter().take(*at).any(|other| other == *name)) {
        return Err(FileError::RepeatedColumn { path: path.to_owned(), name: name.clone() });
    }
    let unknown: Vec<_> = names.iter().filter(|name| columns::find(name).is_none()).map(String::as_str).collect();
    if !unknown.is_empty() {
        return Err(FileError::UnknownColumns { path: path.to_owned(), names: unknown.join(", ") });
    }
    Ok(names.into_iter().filter_map(|name| Some((columns::find(&name)?, name))).collect())
}

/// The quote in a record, checked by the rule that decides at the other end of the topic what is
/// poison: what would be quarantined there is told here, with its line.
fn quote(record: &ByteRecord, columns: &[(Column, String)]) -> Result<Quote<'static>, String> {
    if record.len() != columns.len() {
        return Err(format!("{} fields, the header has {}", record.len(), columns.len()));
    }
    let mut needed = Needed::default();
    let fields = || columns.iter().zip(record.iter()).map(|((column, name), bytes)| (*column, name.as_str(), bytes));
    for (column, name, bytes) in fields() {
        needed.read(column, bytes).map_err(|reason| format!("{name}: {reason}"))?;
    }
    let mut quote = needed.into_quote()?;
    for (column, name, bytes) in fields() {
        set(&mut quote, column, bytes).map_err(|reason| format!("{name}: {reason}"))?;
    }
    quotes::json::check(&quote).map_err(|poison| poison.to_string())?;
    Ok(quote)
}

/// What every quote has.
#[derive(Default)]
struct Needed {
    symbol: Option<String>,
    currency: Option<String>,
    price: Option<Decimal>,
    event_time: Option<Timestamp>,
    event_time_ns: Option<i64>,
    fetched_at: Option<Timestamp>,
}

impl Needed {
    fn read(&mut self, column: Column, bytes: &[u8]) -> Result<(), String> {
        match column {
            Column::Symbol => self.symbol = text(bytes)?.map(str::to_owned),
            Column::Currency => self.currency = text(bytes)?.map(str::to_owned),
            Column::Price => self.price = value(bytes)?,
            Column::EventTime => self.event_time = value(bytes)?,
            Column::EventTimeNs => self.event_time_ns = value(bytes)?,
            Column::FetchedAt => self.fetched_at = value(bytes)?,
            _ => {}
        }
        Ok(())
    }

    fn into_quote(self) -> Result<Quote<'static>, String> {
        let symbol = self.symbol.ok_or("symbol: empty")?;
        let price = self.price.ok_or("price: empty")?;
        let shown = self.event_time.ok_or("event_time: empty")?;
        // The table's event_time is truncated to milliseconds; event_time_ns says the rest.
        let event_time = match self.event_time_ns {
            None => shown,
            Some(nanos) => Timestamp::from_nanos(nanos)
                .filter(|exact| exact.millis() == shown.millis())
                .ok_or_else(|| format!("event_time_ns: {nanos} is not {shown}"))?,
        };
        let fetched_at = self.fetched_at.unwrap_or(event_time);
        let currency = self.currency.map_or(Cow::Borrowed("USD"), Cow::Owned);
        Ok(Quote::new(symbol, currency, price, event_time, fetched_at, NAME))
    }
}

/// Fills one of the columns that may be empty.
fn set(quote: &mut Quote<'static>, column: Column, bytes: &[u8]) -> Result<(), String> {
    match column {
        Column::Decimal(slot) => *slot(quote) = value(bytes)?,
        Column::Time(slot) => *slot(quote) = value(bytes)?,
        Column::Text(slot) => *slot(quote) = text(bytes)?.map(|text| Cow::Owned(text.to_owned())),
        Column::Count(slot) => *slot(quote) = value(bytes)?,
        Column::Seconds(slot) => *slot(quote) = value(bytes)?,
        Column::Date(slot) => *slot(quote) = value(bytes)?,
        Column::Symbol
        | Column::Currency
        | Column::Price
        | Column::EventTime
        | Column::EventTimeNs
        | Column::FetchedAt
        | Column::NotRead => {}
    }
    Ok(())
}

/// An empty field is null.
fn text(bytes: &[u8]) -> Result<Option<&str>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?.trim();
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn value<T: FromStr<Err: std::fmt::Display>>(bytes: &[u8]) -> Result<Option<T>, String> {
    let Some(text) = text(bytes)? else {
        return Ok(None);
    };
    // Enough of a wrong value to find it by; it may be the rest of a file after a stray quote.
    text.parse().map(Some).map_err(|error| format!("{:?}: {error}", text.chars().take(40).collect::<String>()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn open(bytes: &[u8]) -> Result<Rows, FileError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        Rows::open(file.path())
    }

    fn read(bytes: &[u8]) -> Vec<Result<Row, BadRow>> {
        let mut rows = open(bytes).unwrap();
        std::iter::from_fn(|| rows.next(|_| false)).collect()
    }

    fn refused(bytes: &[u8]) -> String {
        let message = open(bytes).err().unwrap().to_string();
        message.split_once(": ").unwrap().1.to_owned()
    }

    const BARS: &str = "\
symbol,event_time,fetched_at,price,last_size,bid,ask,bid_size,bar_start,bar_seconds,bar_open,bar_volume,conditions
AIG,2013-10-07T08:00:59.999Z,2013-10-07T08:01:00.000Z,49.1800,,48.8700,49.2000,2000,2013-10-07T08:00:00.000Z,60,49.1800,300,\"@,I\"
SPY,2013-10-07T08:00:59.999999999Z,,167.42,1.5,,,,,,,,
";

    #[test]
    fn every_column_is_read_to_the_last_digit() {
        let rows: Vec<_> = read(BARS.as_bytes()).into_iter().map(Result::unwrap).collect();
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3]);
        let json = |row: &Row| serde_json::to_value(&row.quote).unwrap();
        assert_eq!(
            json(&rows[0]),
            serde_json::json!({
                "symbol": "AIG", "currency": "USD", "price": "49.18", "event_time": "2013-10-07T08:00:59.999Z",
                "conditions": "@,I", "bid": "48.87", "ask": "49.2", "bid_size": "2000",
                "bar_start": "2013-10-07T08:00:00Z", "bar_seconds": 60, "bar_open": "49.18", "bar_volume": "300",
                "fetched_at": "2013-10-07T08:01:00Z", "source": "replay",
            })
        );
        assert_eq!(
            json(&rows[1]),
            serde_json::json!({
                "symbol": "SPY", "currency": "USD", "price": "167.42", "last_size": "1.5",
                "event_time": "2013-10-07T08:00:59.999999999Z", "fetched_at": "2013-10-07T08:00:59.999999999Z",
                "source": "replay",
            })
        );
    }

    #[test]
    fn gzip_is_told_by_its_bytes_also_in_several_members() {
        let (head, tail) = BARS.as_bytes().split_at(200);
        let members = [gzip(head), gzip(tail)].concat();
        let plain: Vec<_> = read(BARS.as_bytes()).into_iter().map(|row| row.unwrap().quote).collect();
        let packed: Vec<_> = read(&members).into_iter().map(|row| row.unwrap().quote).collect();
        assert_eq!(plain, packed);
    }

    #[test]
    fn columns_of_the_table_that_are_worked_out_anew_are_not_read() {
        let exported = "\
dt,kafka_offset,kafka_cluster,session,source,price,event_time_ns,event_time,symbol,day_date,day_trades,currency
2013-10-07,x,y,regular,alpaca,1,1381132859999123456,2013-10-07T08:00:59.999Z,RR,2013-10-07,7,GBP
";
        let quote = read(exported.as_bytes()).remove(0).unwrap().quote;
        assert_eq!((quote.source.as_ref(), quote.currency.as_ref(), quote.day_trades), ("replay", "GBP", Some(7)));
        assert_eq!(quote.event_time.to_string(), "2013-10-07T08:00:59.999123456Z");
        assert_eq!(quote.day_date.unwrap().to_string(), "2013-10-07");
    }

    #[test]
    fn a_bad_row_is_told_with_its_line_and_the_rest_goes_on() {
        let file = b"symbol,event_time,price,bid,bar_seconds,event_time_ns\n\
            AAPL,2013-10-07T08:00:00Z,1,,,\n\
            AAPL,2013-10-07T08:00:00Z,1\n\
            AAPL,2013-10-07T08:00:00Z,0,,,\n\
            AAPL,2013-10-07T08:00:00Z,1.5e3,,,\n\
            ,2013-10-07T08:00:00Z,1,,,\n\
            AAPL,,1,,,\n\
            AAPL,yesterday,1,,,\n\
            AAPL,2013-10-07T08:00:00Z,,,,\n\
            <b>,2013-10-07T08:00:00Z,1,,,\n\
            AAPL,2013-10-07T08:00:00Z,1,-2,,\n\
            AAPL,2013-10-07T08:00:00Z,1,,half,\n\
            AAPL,2013-10-07T08:00:00Z,1,,,1381132800001000000\n\
            AA\xff,2013-10-07T08:00:00Z,1,,,\n\
            MSFT,2013-10-07T08:00:00Z,2,,,\n";
        let (good, bad): (Vec<_>, Vec<_>) = read(file).into_iter().partition(Result::is_ok);
        assert_eq!(good.into_iter().map(|row| row.unwrap().line).collect::<Vec<_>>(), [2, 15]);
        let told: Vec<_> = bad.into_iter().map(|row| row.unwrap_err()).map(|row| (row.line, row.reason)).collect();
        for ((line, reason), (expected_line, start)) in told.iter().zip([
            (3, "3 fields, the header has 6"),
            (4, "price: 0 is not above 0"),
            (5, "price: \"1.5e3\": not a decimal number"),
            (6, "symbol: empty"),
            (7, "event_time: empty"),
            (8, "event_time: \"yesterday\": not an RFC 3339 time"),
            (9, "price: empty"),
            (10, "symbol: not a canonical ticker"),
            (11, "bid: -2 is below 0"),
            (12, "bar_seconds: \"half\": invalid digit"),
            (13, "event_time_ns: 1381132800001000000 is not 2013-10-07T08:00:00Z"),
            (14, "symbol: not UTF-8"),
        ]) {
            assert!(*line == expected_line && reason.starts_with(start), "line {line}: {reason}");
        }
        assert_eq!(told.len(), 12);
    }

    #[test]
    fn a_file_that_breaks_off_keeps_what_came_before() {
        let whole = gzip(BARS.as_bytes());
        let rows = read(&whole[..whole.len() - 4]);
        let last = rows.last().unwrap().as_ref().unwrap_err();
        assert!(last.reason.starts_with("the file cannot be read any further"), "{last:?}");
        assert_eq!((rows.len(), last.line), (3, 4));
    }

    #[test]
    fn a_header_that_cannot_be_right_is_refused() {
        assert_eq!(refused(b"symbol,price\nAAPL,1\n"), "the header lacks the column event_time");
        assert_eq!(refused(b""), "the header lacks the column symbol");
        assert_eq!(refused(b"symbol,event_time,price,close,Volume\n"), "unknown columns in the header: close, Volume");
        assert_eq!(refused(b"symbol,event_time,price,price\n"), "the header has the column price twice");
        assert!(Rows::open(Path::new("/no/such/file.csv")).err().unwrap().to_string().starts_with("/no/such/file.csv"));
    }

    #[test]
    fn stored_lines_are_passed_over() {
        let mut rows = open(BARS.as_bytes()).unwrap();
        assert_eq!(rows.next(|line| line <= 2).unwrap().unwrap().line, 3);
        assert!(rows.next(|_| false).is_none());
        assert!(rows.next(|_| false).is_none());
    }

    proptest! {
        /// Whatever a file holds after a good header: rows or reasons, in rising lines, and no quote
        /// that the other end of the topic would call poison.
        #[test]
        fn any_bytes_are_rows_or_reasons(rest in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut last = 1;
            for row in read(&[&b"symbol,event_time,price,conditions\n"[..], &rest].concat()) {
                let line = match row {
                    Ok(row) => {
                        let json = quotes::json::to_json(&row.quote).unwrap();
                        prop_assert!(quotes::json::from_record(Some(&json), -1).is_ok());
                        row.line
                    }
                    Err(bad) => bad.line,
                };
                prop_assert!(line > last);
                last = line;
            }
        }
    }
}
