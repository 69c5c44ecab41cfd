//! Rows as the bytes of a Parquet file.

use std::sync::LazyLock;

use arrow::array::RecordBatch;
use lake_store::files;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use quotes::calendar::Calendar;
use quotes::columns::{self, Row};
use quotes::keys::LogId;

/// The key in the footer's metadata under which the last covered offset stands.
pub const LAST_OFFSET: &str = "last-offset";

/// Encodes `rows` of `log`, sorted by symbol and time; `last_offset` is the last offset that the file covers.
pub fn encode(log: &LogId, mut rows: Vec<Row<'_>>, last_offset: i64, calendar: &mut Calendar) -> Result<Vec<u8>, ParquetError> {
    columns::sort(&mut rows);
    let batch = columns::record_batch(log, &rows, calendar)?;
    drop(rows);
    write(&batch, last_offset)
}

fn write(batch: &RecordBatch, last_offset: i64) -> Result<Vec<u8>, ParquetError> {
    let mut writer = files::writer((**PROPERTIES).clone())?;
    writer.write(batch)?;
    writer.append_key_value_metadata(KeyValue::new(LAST_OFFSET.to_owned(), last_offset.to_string()));
    writer.into_inner()
}

static PROPERTIES: LazyLock<Box<WriterProperties>> =
    LazyLock::new(|| Box::new(files::properties(concat!("tickerlake write-quotes ", env!("CARGO_PKG_VERSION"))).build()));

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use parquet::basic::{Compression, LogicalType, Type};
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use quotes::Quote;

    #[test]
    fn the_file_has_the_contracts_types_and_says_where_it_ends() {
        let log = LogId { cluster: "unknown".into(), topic: "quotes".into(), partition: 0 };
        let time = "2026-11-23T15:00:00.1234Z".parse().unwrap();
        let quote = Quote::new("SPY", "USD", "1.5".parse().unwrap(), time, time, "simulated");
        let bytes = encode(&log, vec![Row { quote: &quote, offset: 5 }], 9, &mut Calendar::new()).unwrap();

        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let file = reader.metadata().file_metadata();
        let metadata: Vec<_> = file.key_value_metadata().unwrap().iter().map(|pair| (pair.key.as_str(), pair.value.as_deref())).collect();
        assert_eq!(metadata, [(LAST_OFFSET, Some("9"))]);
        let column = |name: &str| file.schema_descr().columns().iter().find(|column| column.name() == name).unwrap().clone();
        assert_eq!(column("price").physical_type(), Type::INT64);
        assert_eq!(column("price").logical_type_ref(), Some(&LogicalType::decimal(6, 18)));
        assert_eq!(column("event_time").physical_type(), Type::INT64);
        assert!(format!("{:?}", column("event_time").logical_type_ref()).contains("is_adjusted_to_u_t_c: true"));
        let compression = reader.metadata().row_group(0).columns().iter().map(|column| column.compression());
        assert!(compression.into_iter().all(|compression| matches!(compression, Compression::ZSTD(_))));
    }

    #[test]
    fn a_file_without_rows_is_a_file() {
        let log = LogId { cluster: "unknown".into(), topic: "quotes".into(), partition: 0 };
        let bytes = encode(&log, Vec::new(), 9, &mut Calendar::new()).unwrap();
        assert_eq!(SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap().metadata().file_metadata().num_rows(), 0);
    }
}
