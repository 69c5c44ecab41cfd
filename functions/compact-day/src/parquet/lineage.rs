//! Which offsets went by: none may twice.

use std::collections::HashMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};

use crate::error::Error;

/// The offsets of a topic's rows, by cluster and partition: eight bytes a row.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    logs: HashMap<String, HashMap<i32, Vec<i64>>>,
}

impl Lineage {
    /// Notes a batch's rows.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let lacking = || Error::Encode { what: "the merged rows".to_owned(), source: "a batch without its lineage".into() };
        let column = |name| batch.column_by_name(name).ok_or_else(lacking);
        let clusters = column("kafka_cluster")?.as_string_opt::<i32>().ok_or_else(lacking)?;
        let partitions = column("kafka_partition")?.as_primitive_opt::<Int32Type>().ok_or_else(lacking)?;
        let offsets = column("kafka_offset")?.as_primitive_opt::<Int64Type>().ok_or_else(lacking)?;
        for row in 0..batch.num_rows() {
            let cluster = clusters.value(row);
            if !self.logs.contains_key(cluster) {
                self.logs.insert(cluster.to_owned(), HashMap::new());
            }
            if let Some(partitions_of) = self.logs.get_mut(cluster) {
                partitions_of.entry(partitions.value(row)).or_default().push(offsets.value(row));
            }
        }
        Ok(())
    }

    /// Refuses rows that were there twice.
    pub(super) fn check(self) -> Result<(), Error> {
        for (cluster, partitions) in self.logs {
            for (partition, mut offsets) in partitions {
                offsets.sort_unstable();
                let twice = offsets.windows(2).find_map(|pair| pair.first().copied().filter(|first| pair.last() == Some(first)));
                if let Some(offset) = twice {
                    return Err(Error::Doubled { cluster, partition, offset });
                }
            }
        }
        Ok(())
    }
}
