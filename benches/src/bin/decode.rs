//! Times write-quotes from an event's bytes to a Parquet file's, and its floor: `decode EVENT PARQUET ITERATIONS`.
//!
//! The floor is what nobody could leave out: base64 of the values, serde_json over the event and over
//! each quote, and zstd of the same pages that the file holds. Prints one line of JSON.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use base64_simd::STANDARD;
use parquet::file::reader::{FileReader, SerializedFileReader};
use quotes::Quote;
use quotes::calendar::Calendar;
use write_quotes::event::KafkaEvent;
use write_quotes::{batch, parquet as file};

/// parquet's default level, which the function keeps.
const ZSTD_LEVEL: i32 = 1;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, event, parquet, iterations] = &arguments[..] else { panic!("decode EVENT PARQUET ITERATIONS") };
    let event = std::fs::read(event).expect("the event cannot be read");
    let iterations = iterations.parse().expect("ITERATIONS is a number");

    let (decode, bytes) = shortest(iterations, || decode(&event));
    std::fs::write(parquet, &bytes).expect("the Parquet file cannot be written");

    let (base64, values) = shortest(iterations, || decode_base64(&texts(&event)));
    let (find, records) = shortest(iterations, || texts(&event).len());
    let (parse, _) = shortest(iterations, || parse(&values));
    let pages = pages(bytes.clone());
    let (zstd, _) = shortest(iterations, || compress(&pages));
    println!(
        "{}",
        serde_json::json!({
            "records": records,
            "bytes": bytes.len(),
            "decode_ms": millis(decode),
            "floor": {
                "event_ms": millis(find),
                "base64_ms": millis(base64.saturating_sub(find)),
                "parse_ms": millis(parse),
                "zstd_ms": millis(zstd),
            },
        })
    );
}

/// What the function does between the event and the PUT.
fn decode(event: &[u8]) -> Vec<u8> {
    let event: KafkaEvent = serde_json::from_slice(event).expect("not an event");
    let batches = batch::split(&event, "unknown");
    let [batch] = &batches[..] else { panic!("not an event of one log") };
    let mut calendar = Calendar::new();
    let offsets: Vec<i64> = batch.entries(&mut calendar).iter().map(|entry| entry.offset).collect();
    let rows = batch.rows(&offsets);
    assert_eq!(rows.len(), offsets.len(), "there is poison in the event");
    file::encode(&batch.log, rows, *offsets.last().unwrap(), &mut calendar).expect("not encoded")
}

/// The event's base64 texts, where they lie.
fn texts(event: &[u8]) -> Vec<&str> {
    #[derive(serde::Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        records: BTreeMap<&'a str, Vec<Record<'a>>>,
    }
    #[derive(serde::Deserialize)]
    struct Record<'a> {
        value: &'a str,
    }
    let event: Event<'_> = serde_json::from_slice(event).unwrap();
    event.records.into_values().flatten().map(|record| record.value).collect()
}

fn decode_base64(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| STANDARD.decode_to_vec(text).unwrap()).collect()
}

fn parse(values: &[Vec<u8>]) {
    for value in values {
        black_box(serde_json::from_str::<Quote<'_>>(str::from_utf8(value).unwrap()).unwrap());
    }
}

fn compress(pages: &[Vec<u8>]) {
    let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL).unwrap();
    for page in pages {
        black_box(compressor.compress(page).unwrap());
    }
}

/// The file's pages as they were before they were compressed.
fn pages(file: Vec<u8>) -> Vec<Vec<u8>> {
    let reader = SerializedFileReader::new(bytes::Bytes::from(file)).unwrap();
    let mut pages = Vec::new();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).unwrap();
        for column in 0..group.num_columns() {
            let mut column = group.get_column_page_reader(column).unwrap();
            while let Some(page) = column.get_next_page().unwrap() {
                pages.push(page.buffer().to_vec());
            }
        }
    }
    pages
}

/// The shortest of the runs, which is what the machine's other work has lengthened least.
fn shortest<T>(iterations: usize, mut run: impl FnMut() -> T) -> (Duration, T) {
    let mut result = run();
    let mut shortest = Duration::MAX;
    for _ in 0..iterations {
        let begin = Instant::now();
        result = black_box(run());
        shortest = shortest.min(begin.elapsed());
    }
    (shortest, result)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
