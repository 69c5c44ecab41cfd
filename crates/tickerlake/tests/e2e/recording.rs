//! Replay files made by the tests, and the rows that they must become.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::lake::{COLUMNS, Cell, Kind, Row};

/// Canonical tickers of every form, spread over the topic's partitions.
pub(crate) const SYMBOLS: [&str; 7] = ["AIG", "BRK.B", "0700.HK", "BTC-USD", "A", "SPY", "BAC.PR.K"];

/// Worked out when a quote is stored, or where its record was: not read from a file.
const NOT_READ: [&str; 7] = ["event_time_ns", "session", "trade_date", "source", "kafka_cluster", "kafka_partition", "kafka_offset"];

/// Decimals that a binary float, a rounding or a trimming would change.
const AWKWARD: [&str; 12] = [
    "0.000001",
    "999999999999.999999",
    "49.1800",
    "0.1",
    "12.",
    ".5",
    "1.0000000000",
    "100",
    "123456789012.000001",
    "9007199254.740993",
    "+7.25",
    "0",
];

/// A moment and what the calendar says about it: event_time, fetched_at (empty: the same), dt, session, trade_date.
type Moment = (&'static str, &'static str, &'static str, Option<&'static str>, Option<&'static str>);

/// New York is 4 hours behind UTC in October 2013. The answers are from the NYSE's calendar, by hand.
const MOMENTS: [Moment; 26] = [
    ("2013-10-07T07:59:59.999999999Z", "2013-10-07T08:00:00Z", "2013-10-07", Some("overnight"), Some("2013-10-07")),
    ("2013-10-07T08:00:00Z", "2013-10-07T08:00:01Z", "2013-10-07", Some("pre"), Some("2013-10-07")),
    // Rounded to milliseconds it would be in the regular session.
    ("2013-10-07T13:29:59.9996Z", "2013-10-07T13:30:00.001Z", "2013-10-07", Some("pre"), Some("2013-10-07")),
    ("2013-10-07T13:30:00Z", "", "2013-10-07", Some("regular"), Some("2013-10-07")),
    ("2013-10-07T09:30:00.5-04:00", "2013-10-07T09:30:01-04:00", "2013-10-07", Some("regular"), Some("2013-10-07")),
    ("2013-10-07T19:59:59.999999999Z", "", "2013-10-07", Some("regular"), Some("2013-10-07")),
    ("2013-10-07T20:00:00Z", "2013-10-07T20:00:00.999999Z", "2013-10-07", Some("post"), Some("2013-10-07")),
    ("2013-10-07T23:59:59.999999Z", "2013-10-07T23:59:59.9999999Z", "2013-10-07", Some("post"), Some("2013-10-07")),
    // After midnight in UTC, before midnight in New York: the next trade date, but the old partition.
    ("2013-10-08T00:00:00Z", "2013-10-08T00:00:00.5Z", "2013-10-07", Some("overnight"), Some("2013-10-08")),
    ("2013-10-08T03:59:59.999Z", "2013-10-08T03:59:59.999999999Z", "2013-10-07", Some("overnight"), Some("2013-10-08")),
    ("2013-10-08T04:00:00Z", "2013-10-08T04:00:00Z", "2013-10-08", Some("overnight"), Some("2013-10-08")),
    // Asked for on Monday, last traded before: Friday, its evening, the weekend, Sunday's evening.
    ("2013-10-04T23:59:59.999Z", "2013-10-07T12:00:00Z", "2013-10-07", Some("post"), Some("2013-10-04")),
    ("2013-10-05T00:00:00Z", "2013-10-07T12:00:00Z", "2013-10-07", Some("closed"), Some("2013-10-07")),
    ("2013-10-05T16:00:00Z", "2013-10-07T12:00:00Z", "2013-10-07", Some("closed"), Some("2013-10-07")),
    ("2013-10-07T00:00:00Z", "2013-10-07T12:00:00Z", "2013-10-07", Some("overnight"), Some("2013-10-07")),
    // The half-day before Independence Day: 13:00 to 17:00 is its post session.
    ("2013-07-03T16:59:59.999999Z", "2013-10-07T12:00:00Z", "2013-10-07", Some("regular"), Some("2013-07-03")),
    ("2013-07-03T17:00:00Z", "2013-10-07T12:00:00Z", "2013-10-07", Some("post"), Some("2013-07-03")),
    ("2013-07-03T21:00:00Z", "2013-10-07T12:00:00Z", "2013-10-07", Some("closed"), Some("2013-07-03")),
    ("2013-07-04T00:00:00Z", "2013-10-07T12:00:00Z", "2013-10-07", Some("closed"), Some("2013-07-05")),
    ("2013-07-04T15:00:00Z", "2013-10-07T12:00:00Z", "2013-10-07", Some("closed"), Some("2013-07-05")),
    ("2013-07-05T00:00:00Z", "2013-10-07T12:00:00Z", "2013-10-07", Some("overnight"), Some("2013-07-05")),
    // Around the change to summer time on 2013-03-10.
    ("2013-03-08T14:29:59.999Z", "2013-10-07T12:00:00Z", "2013-10-07", Some("pre"), Some("2013-03-08")),
    ("2013-03-08T14:30:00Z", "2013-10-07T12:00:00Z", "2013-10-07", Some("regular"), Some("2013-03-08")),
    ("2013-03-11T13:29:59.999Z", "2013-10-07T12:00:00Z", "2013-10-07", Some("pre"), Some("2013-03-11")),
    ("2013-03-11T13:30:00Z", "2013-10-07T12:00:00Z", "2013-10-07", Some("regular"), Some("2013-03-11")),
    // Before the years that the calendar knows.
    ("1999-12-31T15:00:00Z", "2013-10-07T12:00:00Z", "2013-10-07", None, None),
];

/// A replay file.
pub(crate) struct Recording {
    header: Vec<&'static str>,
    lines: Vec<Vec<String>>,
    /// What each line must become, without its lineage.
    pub(crate) rows: Vec<Row>,
}

impl Recording {
    /// Every column that is read, on two New York days by `fetched_at` which take turns.
    pub(crate) fn whole() -> Self {
        let header = COLUMNS.iter().map(|(name, ..)| *name).filter(|name| !NOT_READ.contains(name)).collect();
        let mut recording = Self { header, lines: Vec::new(), rows: Vec::new() };
        for (event, fetched, dt, session, trade_date) in MOMENTS {
            recording.add(event, fetched, dt, session, trade_date);
        }
        for i in 0..274 {
            let day = if i / 50 % 2 == 0 { "2013-10-07" } else { "2013-10-08" };
            recording.add_regular(day, i);
        }
        recording
    }

    /// As it would be exported from the table: other columns, another order, `event_time` cut to milliseconds with the
    /// exact time beside it, and columns that must not be believed. A third day, and more of the second.
    pub(crate) fn exported() -> Self {
        let mut header = vec!["dt", "kafka_offset", "kafka_cluster", "kafka_partition", "source", "trade_date", "session", "event_time_ns"];
        header.extend(["price", "fetched_at", "bid", "conditions", "event_time", "day_trades", "symbol", "currency", "feed"]);
        let mut recording = Self { header, lines: Vec::new(), rows: Vec::new() };
        for i in 1_000..1_060 {
            recording.add_regular(if i % 3 == 0 { "2013-10-08" } else { "2013-10-09" }, i);
        }
        recording
    }

    /// As many plain quotes, a second apart.
    pub(crate) fn plain(count: usize) -> Self {
        let mut recording = Self { header: vec!["symbol", "event_time", "price"], lines: Vec::new(), rows: Vec::new() };
        let start: DateTime<Utc> = "2013-10-07T13:30:00Z".parse().unwrap();
        for i in 0..count {
            let event = start + TimeDelta::seconds(i64::try_from(i).unwrap());
            recording.add(&shown(event, SecondsFormat::Secs), "", "2013-10-07", Some("regular"), Some("2013-10-07"));
        }
        recording
    }

    /// Writes it as it is.
    pub(crate) fn write_csv(&self, path: &Path) {
        fs::write(path, self.csv()).unwrap();
    }

    /// Writes it compressed.
    pub(crate) fn write_gz(&self, path: &Path) {
        let mut encoder = GzEncoder::new(File::create(path).unwrap(), Compression::default());
        encoder.write_all(&self.csv()).unwrap();
        encoder.finish().unwrap();
    }

    fn csv(&self) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.header).unwrap();
        self.lines.iter().for_each(|line| writer.write_record(line).unwrap());
        writer.into_inner().unwrap()
    }

    /// A line in the regular session of `day`, whose time has 0, 3, 6 or 9 digits after the point.
    fn add_regular(&mut self, day: &str, i: i64) {
        let open: DateTime<Utc> = format!("{day}T13:31:00Z").parse().unwrap();
        let event = open + TimeDelta::nanoseconds(i * 7_001_002_003);
        let form = [SecondsFormat::Nanos, SecondsFormat::Micros, SecondsFormat::Millis, SecondsFormat::Secs];
        let event = shown(event, form[usize::try_from(i).unwrap() % 4]);
        let fetched = shown(moment(&event) + TimeDelta::microseconds(1_500_001), SecondsFormat::Micros);
        self.add(&event, &fetched, day, Some("regular"), Some(day));
    }

    fn add(&mut self, event: &str, fetched: &str, dt: &str, session: Option<&str>, trade_date: Option<&str>) {
        let i = self.lines.len();
        let exact = moment(event);
        let fetched_at = if fetched.is_empty() { exact } else { moment(fetched) };
        let text = |text: &str| Some(Cell::Text(text.to_owned()));
        let mut row = Row::new();
        let mut set = |column: &str, cell: Option<Cell>| {
            cell.map(|cell| row.insert(column.to_owned(), cell));
        };
        set("dt", text(dt));
        set("session", session.and_then(text));
        set("trade_date", trade_date.and_then(text));
        set("source", text("replay"));
        set("currency", text("USD"));
        set("event_time", Some(Cell::Number(exact.timestamp_millis().into())));
        set("event_time_ns", Some(Cell::Number(exact.timestamp_nanos_opt().unwrap().into())));
        set("fetched_at", Some(Cell::Number(fetched_at.timestamp_millis().into())));

        let mut line = Vec::new();
        for (j, name) in self.header.iter().enumerate() {
            let kind = COLUMNS.iter().find(|(column, ..)| column == name).map_or(Kind::Text, |(_, kind, _)| *kind);
            let written = match *name {
                "symbol" => SYMBOLS[i % SYMBOLS.len()].to_owned(),
                "price" => AWKWARD[i % (AWKWARD.len() - 1)].to_owned(),
                "currency" => ["USD", "", "GBP", "EUR"][i % 4].to_owned(),
                "event_time" if self.header.contains(&"event_time_ns") => shown(exact, SecondsFormat::Millis),
                "event_time" => event.to_owned(),
                "fetched_at" => fetched.to_owned(),
                "event_time_ns" => exact.timestamp_nanos_opt().unwrap().to_string(),
                name if NOT_READ.contains(&name) || name == "dt" => "not to be believed".to_owned(),
                // The first line has everything, the second nothing, the others something else each.
                name if i == 0 || i > 1 && !(i * 7 + j * 3).is_multiple_of(5) => value(name, kind, i, j, fetched_at),
                _ => String::new(),
            };
            let is_read = !NOT_READ.contains(name) && !["dt", "event_time", "fetched_at"].contains(name);
            if is_read && !written.is_empty() {
                set(name, Some(read(kind, &written)));
            }
            line.push(written);
        }
        self.lines.push(line);
        self.rows.push(row);
    }
}

/// Something for a column that may be empty.
fn value(name: &str, kind: Kind, i: usize, j: usize, fetched_at: DateTime<Utc>) -> String {
    let seconds = TimeDelta::seconds(i64::try_from(i * 61 + j).unwrap());
    match (name, kind) {
        ("conditions", _) => ["@,T", "F \"odd\"", "Ⅳ, é", "I"][i % 4].to_owned(),
        ("exchange", _) => ["Q", "N", "D"][i % 3].to_owned(),
        ("feed", _) => ["iex", "sip", "delayed_sip"][i % 3].to_owned(),
        ("day_date", _) => ["2013-10-04", "2013-10-07", "2013-10-08"][i % 3].to_owned(),
        // Perhaps hours younger than the trade, and than the fetch by a clock that is wrong.
        ("quote_time", _) => shown(fetched_at + TimeDelta::hours(3) + TimeDelta::nanoseconds(999_999_999), SecondsFormat::Nanos),
        (_, Kind::Timestamp) => shown(fetched_at - seconds, SecondsFormat::Secs),
        (_, Kind::BigInt) => [0, 1, i64::MAX, i64::try_from(i * j).unwrap()][i % 4].to_string(),
        (_, Kind::Int) => [60, 1, 0, i32::MAX][i % 4].to_string(),
        (_, Kind::Decimal) if i.is_multiple_of(2) => AWKWARD[(i / 2 + j) % AWKWARD.len()].to_owned(),
        (_, Kind::Decimal) => format!("{}.{:06}", i * 1_000 + j, i * j * 7_919 % 1_000_000),
        (name, Kind::Text) => unreachable!("{name}"),
    }
}

/// What a text of the file means, worked out by other means than the functions use.
fn read(kind: Kind, text: &str) -> Cell {
    match kind {
        Kind::Text => Cell::Text(text.to_owned()),
        Kind::Decimal => Cell::Number(millionths(text)),
        Kind::Timestamp => Cell::Number(moment(text).timestamp_millis().into()),
        Kind::BigInt | Kind::Int => Cell::Number(text.parse().unwrap()),
    }
}

fn millionths(text: &str) -> i128 {
    let (whole, fraction) = text.trim_start_matches('+').split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{:0<6}", fraction.trim_end_matches('0'));
    digits.parse().unwrap()
}

fn moment(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn shown(moment: DateTime<Utc>, form: SecondsFormat) -> String {
    moment.to_rfc3339_opts(form, true)
}

#[test]
fn decimals_are_counted_in_millionths() {
    for (text, count) in
        [("0.000001", 1), ("12.", 12_000_000), (".5", 500_000), ("1.0000000000", 1_000_000), ("+7.25", 7_250_000), ("100", 100_000_000)]
    {
        assert_eq!(millionths(text), count, "{text}");
    }
}
