//! An event's records, by log and in order, each read as a quote or known as poison.

use std::collections::BTreeMap;

use quotes::calendar::Calendar;
use quotes::columns::Row;
use quotes::json::{self, Poison};
use quotes::keys::LogId;
use quotes::quote::Quote;

use crate::event::{KafkaEvent, KafkaRecord, Payload};
use crate::protocol::Entry;

/// The records at hand of one log, by ascending offset.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The log.
    pub log: LogId,
    records: Vec<Record<'a>>,
}

/// A record and what it was read as.
#[derive(Debug)]
pub struct Record<'a> {
    /// The record as it came.
    pub raw: &'a KafkaRecord,
    /// The quote, or why it is none.
    pub quote: Result<Quote<'a>, Poison>,
}

/// Sorts the event's records into the logs that they came from.
///
/// A log is a topic's partition *of a cluster*: around a move to another cluster one batch may
/// hold records of both. `unknown_cluster` names the cluster of records that carry no believable id.
pub fn split<'a>(event: &'a KafkaEvent, unknown_cluster: &str) -> Vec<Batch<'a>> {
    let mut logs: BTreeMap<LogId, Vec<&KafkaRecord>> = BTreeMap::new();
    for records in event.records.values() {
        // Neighbours nearly always have the same headers, to the byte.
        for run in records.chunk_by(KafkaRecord::same_origin) {
            let Some(first) = run.first() else { continue };
            let cluster = first.cluster().unwrap_or_else(|| unknown_cluster.to_owned());
            let log = LogId { cluster, topic: first.topic.clone(), partition: first.partition };
            logs.entry(log).or_default().extend(run);
        }
    }
    logs.into_iter().map(|(log, records)| Batch::new(log, records)).collect()
}

impl<'a> Batch<'a> {
    fn new(log: LogId, mut records: Vec<&'a KafkaRecord>) -> Self {
        records.sort_by_key(|record| record.offset);
        records.dedup_by_key(|record| record.offset);
        let records = records.into_iter().map(|raw| Record { raw, quote: read(raw) }).collect();
        Self { log, records }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none; a batch made by [`split`] has at least one.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// What the protocol needs to know of the records.
    pub fn entries(&self, calendar: &mut Calendar) -> Vec<Entry> {
        let entry = |record: &Record<'_>| Entry {
            offset: record.raw.offset,
            timestamp: record.raw.timestamp,
            day: record.quote.as_ref().ok().map(|quote| calendar.place(quote.fetched_at).date),
        };
        self.records.iter().map(entry).collect()
    }

    /// The record at `offset`.
    pub fn record(&self, offset: i64) -> Option<&Record<'a>> {
        let index = self.records.binary_search_by_key(&offset, |record| record.raw.offset).ok()?;
        self.records.get(index)
    }

    /// The quotes at `offsets`, as rows.
    pub fn rows(&self, offsets: &[i64]) -> Vec<Row<'_>> {
        let row = |offset: &i64| {
            let quote = self.record(*offset)?.quote.as_ref().ok()?;
            Some(Row { quote, offset: *offset })
        };
        offsets.iter().filter_map(row).collect()
    }
}

fn read(raw: &KafkaRecord) -> Result<Quote<'_>, Poison> {
    match &raw.value {
        Some(Payload::NotBase64(_)) => Err(Poison::NotBase64),
        value => json::from_record(value.as_ref().map(Payload::bytes), raw.timestamp),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const QUOTE: &str = r#"{"symbol":"AAPL","currency":"USD","price":"1","event_time":"2026-11-23T20:00:00Z","fetched_at":"2026-11-24T05:00:00Z","source":"simulated"}"#;

    fn event(records: &[(i32, i64, &str, &str)]) -> KafkaEvent {
        let record = |(partition, offset, value, headers): &(i32, i64, &str, &str)| {
            let value = base64_simd::STANDARD.encode_to_string(value);
            format!(
                r#"{{"topic":"quotes","partition":{partition},"offset":{offset},"timestamp":1795500000000,"value":"{value}","headers":{headers}}}"#
            )
        };
        let records: Vec<_> = records.iter().map(record).collect();
        serde_json::from_str(&format!(r#"{{"records":{{"quotes-0":[{}]}}}}"#, records.join(","))).unwrap()
    }

    #[test]
    fn records_are_sorted_into_the_logs_of_their_clusters() {
        let old = format!(r#"[{{"kafka_cluster":{:?}}}]"#, b"AAAAAAAAAAAAAAAAAAAAAA");
        let event = event(&[(0, 9, QUOTE, &old), (0, 8, "poison", &old), (0, 0, QUOTE, "[]"), (1, 3, QUOTE, "[]"), (0, 9, QUOTE, &old)]);
        let batches = split(&event, "unknown");
        let names: Vec<_> = batches.iter().map(|batch| batch.log.to_string()).collect();
        assert_eq!(names, ["c-AAAAAAAAAAAAAAAAAAAAAA-quotes-00000", "c-unknown-quotes-00000", "c-unknown-quotes-00001"]);

        let entries = batches[0].entries(&mut Calendar::new());
        let days: Vec<_> = entries.iter().map(|entry| (entry.offset, entry.day.map(|day| day.to_string()))).collect();
        assert_eq!(days, [(8, None), (9, Some("2026-11-24".into()))], "sorted, without doubles, by the New York date of the fetch");
        assert_eq!(batches[0].rows(&[8, 9]).len(), 1, "poison is no row");
    }
}
