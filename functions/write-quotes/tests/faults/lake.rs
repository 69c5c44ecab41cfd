//! What is stored, from the objects alone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use quotes::keys;
use write_quotes::watermark::Watermark;

use crate::records::{ARRIVAL, Record, log, price};

/// Partition and offset.
type Place = (i32, i64);

/// A bucket's folder: the local S3 keeps objects as plain files.
pub(crate) struct Lake(pub(crate) PathBuf);

/// How the records fared.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Records that are nowhere.
    pub(crate) lost: Vec<Place>,
    /// Records that are there more than once.
    pub(crate) doubled: Vec<Place>,
    /// Whatever else should not be as it is.
    pub(crate) wrong: Vec<String>,
}

impl Lake {
    /// Compares what is stored with all the records that there are.
    pub(crate) fn tally(&self, records: &[Record]) -> Tally {
        let mut tally = Tally::default();
        let mut stored: BTreeMap<Place, Vec<String>> = BTreeMap::new();
        for (key, place, content) in self.rows().into_iter().chain(self.quarantined()) {
            stored.entry(place).or_default().push(key.clone());
            let expected = records.iter().find(|record| (record.partition, record.offset) == place);
            if expected.map(content_of).as_ref() != Some(&content) {
                tally.wrong.push(format!("{key} has {content:?} for {place:?}"));
            }
        }
        for record in records {
            let place = (record.partition, record.offset);
            match stored.get(&place).map_or(0, Vec::len) {
                0 => tally.lost.push(place),
                1 => {}
                _ => tally.doubled.push(place),
            }
        }
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        for record in records {
            next.entry(record.partition).and_modify(|next| *next = (*next).max(record.offset + 1)).or_insert(record.offset + 1);
        }
        for (partition, next) in next {
            match self.watermark(partition) {
                Some(watermark) if watermark.next == next && watermark.writing.is_none() && watermark.missing == 0 => {}
                other => tally.wrong.push(format!("the watermark of {partition} is {other:?}")),
            }
        }
        tally
    }

    /// How many files there are under a prefix.
    pub(crate) fn count(&self, prefix: &str) -> usize {
        files(&self.0.join(prefix)).len()
    }

    /// A partition's watermark.
    pub(crate) fn watermark(&self, partition: i32) -> Option<Watermark> {
        let json = fs::read(self.0.join(keys::state(&log(partition)))).ok()?;
        Some(Watermark::from_json(&log(partition), &json).unwrap())
    }

    fn rows(&self) -> Vec<(String, Place, (String, Vec<u8>))> {
        let mut rows = Vec::new();
        for path in files(&self.0.join(keys::QUOTES_PREFIX)) {
            let key = path.strip_prefix(&self.0).unwrap().to_str().unwrap().to_owned();
            let name = keys::parse(&key).unwrap_or_else(|| panic!("{key} is no key of the contract"));
            for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap().build().unwrap() {
                let batch = batch.unwrap();
                let column = |name: &str| batch.column_by_name(name).unwrap().clone();
                let clusters = column("kafka_cluster");
                let partitions = column("kafka_partition");
                let offsets = column("kafka_offset");
                let prices = column("price");
                for row in 0..batch.num_rows() {
                    let partition = partitions.as_primitive::<Int32Type>().value(row);
                    assert_eq!((clusters.as_string::<i32>().value(row), partition), (log(partition).cluster.as_str(), name.log.partition));
                    let place = (partition, offsets.as_primitive::<Int64Type>().value(row));
                    let price = prices.as_primitive::<Decimal128Type>().value(row);
                    rows.push((key.clone(), place, (name.date.to_string(), price.to_string().into_bytes())));
                }
            }
        }
        rows
    }

    fn quarantined(&self) -> Vec<(String, Place, (String, Vec<u8>))> {
        let mut quarantined = Vec::new();
        for path in files(&self.0.join(keys::QUARANTINE_PREFIX)) {
            let key = path.strip_prefix(&self.0).unwrap().to_str().unwrap().to_owned();
            let name = keys::parse(&key).unwrap_or_else(|| panic!("{key} is no key of the contract"));
            let object: write_quotes::quarantine::Object = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let value = STANDARD.decode(object.value.unwrap()).unwrap();
            quarantined.push((key, (object.partition, object.offset), (name.date.to_string(), value)));
        }
        quarantined
    }
}

/// The day that a record must lie under, and what tells it from all others: a row's price, or poison's bytes.
fn content_of(record: &Record) -> (String, Vec<u8>) {
    match record.day {
        Some(day) => (day.to_owned(), (price(record.partition, record.offset) * 1_000_000).to_string().into_bytes()),
        None => (ARRIVAL.to_owned(), record.value.clone()),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
