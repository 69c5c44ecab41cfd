//! Records on their way into one event, whose size is known at every moment.

use super::record::Record;
use bytes::Bytes;
use std::collections::BTreeMap;

/// The records of one event.
#[derive(Debug)]
pub(super) struct Batch {
    topic: String,
    envelope: String,
    limit: usize,
    size: usize,
    len: usize,
    partitions: BTreeMap<i32, Vec<String>>,
    /// The offset after the last one of each partition that the batch covers, records that were dropped included.
    next: BTreeMap<i32, i64>,
}

const END: &str = "}}";

impl Batch {
    pub(super) fn new(topic: &str, bootstrap_servers: &str, limit: usize) -> Self {
        let servers = serde_json::Value::from(bootstrap_servers);
        let envelope = format!(r#"{{"eventSource":"aws:SelfManagedKafka","bootstrapServers":{servers},"records":{{"#);
        let size = envelope.len() + END.len();
        Self { topic: topic.to_owned(), envelope, limit, size, len: 0, partitions: BTreeMap::new(), next: BTreeMap::new() }
    }

    /// How many records the event has.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to deliver.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is to be committed when the batch is done.
    pub(super) fn next(&self) -> &BTreeMap<i32, i64> {
        &self.next
    }

    /// Whether the event stays within its limit with this record in it.
    pub(super) fn fits(&self, record: &Record) -> bool {
        self.size.saturating_add(self.growth(record)) <= self.limit
    }

    pub(super) fn push(&mut self, record: Record) {
        self.size = self.size.saturating_add(self.growth(&record));
        self.len = self.len.saturating_add(1);
        self.skip(&record);
        self.partitions.entry(record.partition).or_default().push(record.json);
    }

    /// Covers a record without delivering it.
    pub(super) fn skip(&mut self, record: &Record) {
        self.next.insert(record.partition, record.offset.saturating_add(1));
    }

    /// The event.
    pub(super) fn payload(&self) -> Bytes {
        let mut payload = String::with_capacity(self.size);
        payload.push_str(&self.envelope);
        for (index, (partition, records)) in self.partitions.iter().enumerate() {
            if index > 0 {
                payload.push(',');
            }
            payload.push_str(&self.key(*partition));
            payload.push_str(":[");
            for (index, record) in records.iter().enumerate() {
                if index > 0 {
                    payload.push(',');
                }
                payload.push_str(record);
            }
            payload.push(']');
        }
        payload.push_str(END);
        Bytes::from(payload)
    }

    fn growth(&self, record: &Record) -> usize {
        let comma = 1;
        match self.partitions.get(&record.partition) {
            Some(_) => record.json.len() + comma,
            None => {
                let brackets_and_colon = 3;
                let before = if self.partitions.is_empty() { 0 } else { comma };
                self.key(record.partition).len() + brackets_and_colon + before + record.json.len()
            }
        }
    }

    /// Topic names have no characters that JSON would escape.
    fn key(&self, partition: i32) -> String {
        format!("\"{}-{partition}\"", self.topic)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Batch, Record};
    use serde_json::Value;

    fn record(partition: i32, offset: i64) -> Record {
        Record { partition, offset, json: format!(r#"{{"offset":{offset}}}"#) }
    }

    #[test]
    fn records_stand_under_their_partitions_in_order() {
        let mut batch = Batch::new("quotes", "127.0.0.1:9092", 10_000);
        for (partition, offset) in [(1, 7), (0, 3), (1, 8), (0, 5)] {
            batch.push(record(partition, offset));
        }
        let event: Value = serde_json::from_slice(&batch.payload()).unwrap();
        assert_eq!(
            event,
            serde_json::json!({
                "eventSource": "aws:SelfManagedKafka",
                "bootstrapServers": "127.0.0.1:9092",
                "records": {
                    "quotes-0": [{"offset": 3}, {"offset": 5}],
                    "quotes-1": [{"offset": 7}, {"offset": 8}],
                },
            })
        );
        assert_eq!(batch.next().iter().map(|(p, n)| (*p, *n)).collect::<Vec<_>>(), [(0, 6), (1, 9)]);
    }

    #[test]
    fn the_size_is_exact_at_every_step() {
        let mut batch = Batch::new("quotes", "a:1,b:2", usize::MAX);
        assert_eq!(batch.size, batch.payload().len());
        for offset in 0..25 {
            batch.push(record(i32::try_from(offset).unwrap() % 12, offset));
            assert_eq!(batch.size, batch.payload().len(), "after offset {offset}");
        }
    }

    #[test]
    fn a_batch_fills_up_to_the_last_byte() {
        let mut sized = Batch::new("quotes", "a:1", usize::MAX);
        sized.push(record(0, 1));
        sized.push(record(0, 2));
        let mut exact = Batch::new("quotes", "a:1", sized.size);
        exact.push(record(0, 1));
        assert!(exact.fits(&record(0, 2)));
        let mut short = Batch::new("quotes", "a:1", sized.size - 1);
        short.push(record(0, 1));
        assert!(!short.fits(&record(0, 2)));
    }
}
