//! The columns that every Trino table has without showing them: which file a row is in, how large it is and from when.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::ScalarValue;

use crate::s3::{S3Location, StoredFile};

/// Their names, as SQL quotes them, and their types.
fn columns() -> [(&'static str, DataType); 3] {
    [
        ("$path", DataType::Utf8),
        ("$file_size", DataType::Int64),
        ("$file_modified_time", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))),
    ]
}

/// The hidden columns that a statement names. A column that is there is shown by `SELECT *`, so the others are left out.
pub(super) fn named(sql: &str) -> Vec<FieldRef> {
    let named = columns().into_iter().filter(|(name, _)| sql.to_lowercase().contains(&format!("\"{name}\"")));
    named.map(|(name, data_type)| Arc::new(Field::new(name, data_type, true)) as FieldRef).collect()
}

/// A file's value of a hidden column; null for a name that is none.
pub(super) fn value(column: &str, folder: &S3Location, file: &StoredFile) -> ScalarValue {
    match column {
        "$path" => ScalarValue::Utf8(Some(format!("s3://{}/{}", folder.bucket(), file.key))),
        "$file_size" => ScalarValue::Int64(i64::try_from(file.size).ok()),
        "$file_modified_time" => {
            let since = file.modified.duration_since(std::time::UNIX_EPOCH).ok();
            let millis = since.and_then(|since| i64::try_from(since.as_millis()).ok());
            ScalarValue::TimestampMillisecond(millis, Some("UTC".into()))
        }
        _ => ScalarValue::Null,
    }
}
