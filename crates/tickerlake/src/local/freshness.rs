//! How old the newest quote in the lake is.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;

/// The newest `fetched_at` among the files written since the start, in milliseconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct Freshness(AtomicI64);

impl Freshness {
    /// Looks into a file that was just written. A file that cannot be read tells nothing.
    pub(crate) fn look_into(&self, file: &Path) {
        if let Some(newest) = newest_fetch(file) {
            self.0.fetch_max(newest, Ordering::Relaxed);
        }
    }

    /// The newest `fetched_at`; `None` before the first file.
    pub(crate) fn newest(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|millis| *millis > 0)
    }
}

/// The largest `fetched_at` by the statistics in the file's footer.
fn newest_fetch(file: &Path) -> Option<i64> {
    let reader = SerializedFileReader::new(std::fs::File::open(file).ok()?).ok()?;
    let columns = reader.metadata().row_groups().iter().flat_map(|group| group.columns());
    let statistics = columns.filter(|column| column.column_descr().name() == "fetched_at").filter_map(|column| column.statistics());
    statistics.filter_map(|statistics| if let Statistics::Int64(values) = statistics { values.max_opt().copied() } else { None }).max()
}

/// How long ago, in words; the moment itself where that is more than a day.
pub(crate) fn age(millis: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    let seconds = (now - millis).max(0) as f64 / 1000.0;
    match seconds {
        ..120.0 => format!("{seconds:.1} s"),
        ..7_200.0 => format!("{:.0} min", seconds / 60.0),
        ..86_400.0 => format!("{:.0} h", seconds / 3_600.0),
        _ => chrono::DateTime::from_timestamp_millis(millis)
            .map_or_else(String::new, |moment| moment.format("%Y-%m-%d %H:%M:%SZ").to_string()),
    }
}
