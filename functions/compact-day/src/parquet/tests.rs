//! From many files to few, without S3.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{Field, Int64Type, Schema};
use bytes::Bytes;
use lake_store::files;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use quotes::calendar::Calendar;
use quotes::columns::{Row, record_batch, sort};
use quotes::keys::LogId;
use quotes::{Quote, Timestamp, schema};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::lineage::Lineage;
use super::merge::Merge;
use super::parts::{Part, Parts};
use super::runs::Runs;
use crate::error::Error;

/// 2013-10-07T13:30:00Z.
const OPEN: i64 = 1_381_152_600_000_000_000;

fn log(partition: i32) -> LogId {
    LogId { cluster: "unknown".into(), topic: "quotes".into(), partition }
}

/// A file as `write-quotes` writes it: some rows of one log, in order.
fn batch(random: &mut StdRng, partition: i32, offsets: std::ops::Range<i64>) -> RecordBatch {
    let quotes: Vec<Quote<'static>> = offsets
        .clone()
        .map(|_| {
            let time = Timestamp::from_nanos(OPEN + random.random_range(0..2_000) * 1_000_003).unwrap();
            let symbol = ["AIG", "BAC", "BRK.B", "SPY"][random.random_range(0..4)];
            let mut quote = Quote::new(symbol, "USD", "0.000001".parse().unwrap(), time, time, "replay");
            quote.bid = random.random_bool(0.5).then(|| "999999999999.999999".parse().unwrap());
            quote.conditions = random.random_bool(0.5).then(|| "F \"odd\"".into());
            quote.day_trades = random.random_bool(0.5).then_some(i64::MAX);
            quote
        })
        .collect();
    let mut rows: Vec<Row<'_>> = quotes.iter().zip(offsets).map(|(quote, offset)| Row { quote, offset }).collect();
    sort(&mut rows);
    record_batch(&log(partition), &rows, &mut Calendar::new()).unwrap()
}

fn file(batch: &RecordBatch) -> Bytes {
    let mut writer = files::writer(files::properties("a test").build()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap().into()
}

/// The rows in the order of a day.
fn in_order(batches: &[RecordBatch]) -> RecordBatch {
    let all = concat_batches(&schema::file_schema(), batches).unwrap();
    let column = |name| SortColumn { values: all[name].clone(), options: None };
    let order = ["symbol", "event_time_ns", "kafka_cluster", "kafka_partition", "kafka_offset"].map(column);
    take_record_batch(&all, &lexsort_to_indices(&order, None).unwrap()).unwrap()
}

fn merged(files: &[(String, Bytes, bool)]) -> Result<(RecordBatch, u64), Error> {
    let mut runs = Runs::default();
    for (key, bytes, is_sorted) in files {
        runs.add(key, bytes.clone(), *is_sorted)?;
    }
    let (runs, rows) = runs.finish()?;
    let mut merge = Merge::of(runs)?;
    let mut batches = Vec::new();
    while let Some(batch) = merge.next_batch()? {
        batches.push(batch);
    }
    Ok((concat_batches(&schema::file_schema(), &batches).unwrap(), rows))
}

fn rows_of(part: &Part) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(part.bytes.clone())).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> =
        reader.map(|batch| RecordBatch::try_new(schema::file_schema(), batch.unwrap().columns().to_vec()).unwrap()).collect();
    concat_batches(&schema::file_schema(), &batches).unwrap()
}

#[test]
fn many_files_come_out_in_order_and_unchanged() {
    let mut random = StdRng::seed_from_u64(1);
    let mut next = [0; 3];
    let (mut batches, mut files) = (Vec::new(), Vec::new());
    // More than one group of small ones, some without rows, and a part of an earlier generation.
    for n in 0..200 {
        let partition = random.random_range(0..3_usize);
        let rows = if n % 17 == 0 { 0 } else { random.random_range(1..40) };
        let batch = batch(&mut random, partition as i32, next[partition]..next[partition] + rows);
        next[partition] += rows;
        files.push((format!("file {n}"), file(&batch), false));
        batches.push(batch);
    }
    let earlier = in_order(&[batch(&mut random, 7, 0..3_000)]);
    files.insert(100, ("part".to_owned(), file(&earlier), true));
    batches.push(earlier);

    let (merged, rows) = merged(&files).unwrap();
    assert_eq!(merged, in_order(&batches));
    assert_eq!(rows, merged.num_rows() as u64);

    let mut parts = Parts::with_sizes("quotes", 2_500, 300);
    let mut finished = Vec::new();
    for start in (0..merged.num_rows()).step_by(777) {
        finished.extend(parts.add(&merged.slice(start, 777.min(merged.num_rows() - start))).unwrap());
    }
    finished.extend(parts.finish().unwrap());
    assert!(finished.len() > 2);
    for (n, part) in finished.iter().enumerate() {
        assert_eq!(part.name, format!("part-quotes-{n:05}.parquet"));
        let expected = merged.slice(n * 2_500, 2_500.min(merged.num_rows() - n * 2_500));
        assert_eq!((rows_of(part), part.rows), (expected.clone(), expected.num_rows() as u64));
    }
}

#[test]
fn a_row_group_ends_with_its_symbol() {
    let mut random = StdRng::seed_from_u64(2);
    let rows = in_order(&[batch(&mut random, 0, 0..6_000)]);
    let mut parts = Parts::with_sizes("quotes", 100_000, 1_000);
    for start in (0..6_000).step_by(512) {
        assert!(parts.add(&rows.slice(start, 512.min(6_000 - start))).unwrap().is_empty());
    }
    let part = parts.finish().unwrap().unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(part.bytes.clone())).unwrap();
    let symbol = |group: usize| {
        let statistics = reader.metadata().row_group(group).column(0).statistics().unwrap();
        [statistics.min_bytes_opt().unwrap().to_vec(), statistics.max_bytes_opt().unwrap().to_vec()]
            .map(|text| String::from_utf8(text).unwrap())
    };
    let symbols: Vec<_> = (0..reader.metadata().num_row_groups()).map(symbol).collect();
    assert_eq!(symbols, ["AIG", "BAC", "BRK.B", "SPY"].map(|symbol| [symbol.to_owned(), symbol.to_owned()]));
    assert!(reader.metadata().offset_index().is_none() || reader.metadata().column_index().is_some());
    assert_eq!(rows_of(&part), rows);
}

#[test]
fn nothing_comes_of_files_without_rows() {
    let mut random = StdRng::seed_from_u64(3);
    let empty = file(&batch(&mut random, 0, 0..0));
    let (merged, rows) = merged(&[("a".into(), empty.clone(), false), ("b".into(), empty, true)]).unwrap();
    assert_eq!((merged.num_rows(), rows), (0, 0));
    assert!(Parts::with_sizes("quotes", 10, 10).finish().unwrap().is_none());
}

#[test]
fn a_damaged_file_is_named() {
    let mut random = StdRng::seed_from_u64(4);
    let whole = file(&batch(&mut random, 0, 0..500));
    let mut flipped = whole.to_vec();
    flipped[100..200].fill(0xff);
    for bytes in [whole.slice(..whole.len() / 2), Bytes::from_static(b"PAR1, not"), flipped.into()] {
        let error = merged(&[("good".into(), whole.clone(), false), ("bad".into(), bytes, false)]).unwrap_err();
        assert!(matches!(&error, Error::Damaged { key, .. } if key == "bad"), "{}", error.chain());
        assert!(!error.is_retryable());
    }
}

#[test]
fn a_file_of_an_older_table_has_nulls_and_one_of_another_is_refused() {
    let mut random = StdRng::seed_from_u64(5);
    let batch = batch(&mut random, 0, 0..9);
    let write = |batch: &RecordBatch| {
        let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        Bytes::from(writer.into_inner().unwrap())
    };
    let without = |name: &str| {
        batch.project(&(0..batch.num_columns()).filter(|i| batch.schema().field(*i).name() != name).collect::<Vec<_>>()).unwrap()
    };
    let (older, _) = merged(&[("older".into(), write(&without("bid")), false)]).unwrap();
    assert_eq!((older["bid"].null_count(), &older["price"]), (9, &batch["price"]));

    let mut fields = batch.schema().fields().to_vec();
    fields.push(Field::new("note", arrow::datatypes::DataType::Utf8, true).into());
    let notes = std::sync::Arc::new(StringArray::from(vec!["kept nowhere"; 9])) as _;
    let wider = RecordBatch::try_new(Schema::new(fields).into(), [batch.columns(), &[notes]].concat()).unwrap();
    for (bytes, reason) in [(write(&wider), "a column \"note\""), (write(&without("kafka_offset")), "no column \"kafka_offset\"")] {
        let error = merged(&[("other".into(), bytes, false)]).unwrap_err().chain();
        assert!(error.starts_with("other cannot be read: ") && error.contains(reason), "{error}");
    }
}

#[test]
fn a_row_that_is_there_twice_is_refused() {
    let mut random = StdRng::seed_from_u64(6);
    let mut lineage = Lineage::default();
    for (partition, offsets) in [(0, 0..40), (1, 0..40), (0, 40..60)] {
        lineage.add(&batch(&mut random, partition, offsets)).unwrap();
    }
    let more = batch(&mut random, 0, 59..70);
    assert_eq!(more["kafka_offset"].as_primitive::<Int64Type>().len(), 11);
    lineage.add(&more).unwrap();
    let error = lineage.check().unwrap_err();
    assert!(matches!(error, Error::Doubled { partition: 0, offset: 59, .. }), "{error}");
}
