//! A replay, to the last digit: what the file says is what the lake holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::harness::{Counts, query, run, sound_audit};
use crate::lake::{self, COLUMNS, Cell, Row};
use crate::recording::{Recording, SYMBOLS};

const LINEAGE: [&str; 3] = ["kafka_cluster", "kafka_partition", "kafka_offset"];

#[test]
fn a_file_becomes_its_rows_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (first, second) = (Recording::whole(), Recording::exported());
    let (packed, plain) = (folder.path().join("first.csv.gz"), folder.path().join("second.csv"));
    first.write_gz(&packed);
    second.write_csv(&plain);

    let counts = replay(&data, &packed);
    assert_eq!((counts.fetched, counts.produced, counts.rows, counts.lag), (300, 300, 300, 0));
    assert_same_rows(&data, &first.rows);
    assert_lineage(&data, &first.rows);
    assert_queries(&data, &first.rows);

    let files = lake::parquet_files(&data);
    assert_eq!(replay(&data, &packed).rows, 0, "a file is stored once, however often it is replayed");
    assert_eq!(lake::parquet_files(&data), files);
    assert_same_rows(&data, &first.rows);

    assert_eq!(replay(&data, &plain).rows, 60);
    let both = [first.rows, second.rows].concat();
    assert_same_rows(&data, &both);
    assert_lineage(&data, &both);
    assert_queries(&data, &both);
    let report = sound_audit(&data);
    assert_eq!((report["rows"].as_u64(), report["quarantined"].as_u64()), (Some(360), Some(0)));
}

fn replay(data: &Path, file: &Path) -> Counts {
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    let flags = ["local", "--port", "0", "--kafka-port", "0", "--data", data, "--source", "replay", "--replay-file", file];
    let printed = run(&[&flags[..], &["--speed", "max", "--every", "100ms", "--until-drained"]].concat()).succeeded();
    // A run that has nothing to do has nothing to show.
    printed.lines().rev().find_map(Counts::of).unwrap_or_default()
}

/// Compares every column of every row, but where it came from.
fn assert_same_rows(data: &Path, expected: &[Row]) {
    let sorted = |mut rows: Vec<Row>| {
        rows.sort_by_key(|row| (lake::text(row, "symbol").to_owned(), lake::number(row, "event_time_ns")));
        rows
    };
    let mut found = lake::rows(data);
    for row in &mut found {
        LINEAGE.iter().for_each(|column| drop(row.remove(*column)));
    }
    let (found, expected) = (sorted(found), sorted(expected.to_vec()));
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

/// Each row has a place of its own in the log of its symbol's partition, in the file's order, and no place is empty.
fn assert_lineage(data: &Path, expected: &[Row]) {
    let cluster = std::fs::read_to_string(data.join("kafka/cluster-id")).unwrap();
    let mut offsets: BTreeMap<i128, Vec<i128>> = BTreeMap::new();
    let mut partitions: BTreeMap<String, BTreeSet<i128>> = BTreeMap::new();
    let mut by_symbol: BTreeMap<String, Vec<(i128, i128)>> = BTreeMap::new();
    for file in lake::parquet_files(data) {
        let rows = lake::rows_of(&file);
        let name = lake::key(data, &file);
        for row in &rows {
            let (symbol, partition, offset) =
                (lake::text(row, "symbol"), lake::number(row, "kafka_partition"), lake::number(row, "kafka_offset"));
            assert_eq!(lake::text(row, "kafka_cluster"), cluster.trim());
            offsets.entry(partition).or_default().push(offset);
            partitions.entry(symbol.to_owned()).or_default().insert(partition);
            by_symbol.entry(symbol.to_owned()).or_default().push((offset, lake::number(row, "event_time_ns")));
        }
        // No offset is skipped in these logs, so that a file with rows begins with its name's offset.
        if let Some(first) = rows.iter().min_by_key(|row| lake::number(row, "kafka_offset")) {
            let log = format!("c-{}-quotes-{:05}", cluster.trim(), lake::number(first, "kafka_partition"));
            let (day, offset) = (lake::text(first, "dt"), lake::number(first, "kafka_offset"));
            let last = rows.iter().map(|row| lake::number(row, "kafka_offset")).max().unwrap();
            assert_eq!(last - offset + 1, i128::try_from(rows.len()).unwrap(), "{name}: one run of offsets");
            assert_eq!(name, format!("quotes/dt={day}/{log}-{offset:020}.parquet"));
        }
        let order: Vec<_> = rows.iter().map(|row| (lake::text(row, "symbol"), lake::number(row, "event_time_ns"))).collect();
        assert!(order.is_sorted(), "{name}: by symbol and time");
    }
    for (partition, mut offsets) in offsets {
        offsets.sort_unstable();
        let expected: Vec<i128> = (0..i128::try_from(offsets.len()).unwrap()).collect();
        assert_eq!(offsets, expected, "partition {partition}");
    }
    for (symbol, partitions) in &partitions {
        assert_eq!(partitions.len(), 1, "{symbol} keeps its order in one partition");
    }
    assert_eq!(partitions.values().flatten().collect::<BTreeSet<_>>().len(), 3, "the symbols use all partitions");
    for symbol in SYMBOLS {
        let mut stored = by_symbol.remove(symbol).unwrap();
        stored.sort_unstable();
        let stored: Vec<_> = stored.into_iter().map(|(_, event)| event).collect();
        let recorded = expected.iter().filter(|row| lake::text(row, "symbol") == symbol);
        assert_eq!(stored, recorded.map(|row| lake::number(row, "event_time_ns")).collect::<Vec<_>>(), "{symbol}: the file's order");
    }
}

/// SQL sees the same: counts by day and symbol, and every cell.
fn assert_queries(data: &Path, expected: &[Row]) {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for row in expected {
        *counts.entry((lake::text(row, "dt").to_owned(), lake::text(row, "symbol").to_owned())).or_default() += 1;
    }
    let counted = query(data, "SELECT dt, symbol, count(*) AS quotes FROM quotes GROUP BY dt, symbol ORDER BY dt, symbol");
    let counted: Vec<_> = counted.iter().map(|row| ((row["dt"].clone(), row["symbol"].clone()), row["quotes"].parse().unwrap())).collect();
    assert_eq!(counted, counts.into_iter().collect::<Vec<_>>());

    let mut found = query(data, "SELECT * FROM quotes");
    let mut expected: Vec<BTreeMap<String, String>> = expected.iter().map(shown).collect();
    for row in &mut found {
        LINEAGE.iter().for_each(|column| drop(row.remove(*column).unwrap()));
    }
    let key = |row: &BTreeMap<String, String>| (row["symbol"].clone(), row["event_time_ns"].clone());
    found.sort_by_key(key);
    expected.sort_by_key(key);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

/// A row as a query prints it: every column, a null as nothing.
fn shown(row: &Row) -> BTreeMap<String, String> {
    let columns = COLUMNS.iter().filter(|(name, ..)| !LINEAGE.contains(name));
    let mut cells: BTreeMap<String, String> = columns
        .map(|(name, kind, _)| ((*name).to_owned(), row.get(*name).map_or_else(String::new, |cell: &Cell| kind.athena(cell))))
        .collect();
    cells.insert("dt".to_owned(), lake::text(row, "dt").to_owned());
    cells
}
