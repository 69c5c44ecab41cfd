//! The newest run of `fetch-quotes`, by the metrics in its log.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// How much of the log's end is read: many runs' worth.
const TAIL: u64 = 256 * 1024;

/// What one run of the function did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Fetch {
    /// When it ended.
    pub(super) at: DateTime<Utc>,
    /// Whom it asked.
    pub(super) source: String,
    /// Quotes that the source gave.
    pub(super) fetched: u64,
    /// Quotes that Kafka acknowledged.
    pub(super) produced: u64,
    /// What the source could not give or Kafka did not take.
    pub(super) failed: u64,
    /// Why the newest run failed as a whole, if it did. It may be a later one, which did not come as far as to count.
    pub(super) error: Option<String>,
}

/// The metrics of one run, as the function prints them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    #[serde(rename = "_aws")]
    aws: Aws,
    source: String,
    fetched: u64,
    produced: u64,
    failed: u64,
}

#[derive(Debug, Deserialize)]
struct Aws {
    #[serde(rename = "Timestamp")]
    timestamp: i64,
}

/// The newest run by the function's log in `folder`; `None` before the first.
pub(super) fn newest(folder: &Path) -> Result<Option<Fetch>, Failure> {
    let path = folder.join("fetch-quotes.log");
    match tail(&path) {
        Ok(text) => Ok(read(&text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(format_args!("cannot read {}", path.display()), error)),
    }
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read(log: &str) -> Option<Fetch> {
    let mut newest: Option<Fetch> = None;
    for line in log.lines() {
        if let Ok(Line { aws, source, fetched, produced, failed }) = serde_json::from_str(line) {
            let at = DateTime::from_timestamp_millis(aws.timestamp).unwrap_or_default();
            newest = Some(Fetch { at, source, fetched, produced, failed, error: None });
        } else if line.starts_with("REPORT ")
            && let Some(newest) = &mut newest
        {
            newest.error = line.split_once(" Error: ").map(|(_, error)| error.to_owned());
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LOG: &str = r#"{"timestamp":"2026-11-23T14:30:59Z","level":"INFO","fields":{"message":"The invocation is done."}}
{"_aws":{"Timestamp":1795444259000,"CloudWatchMetrics":[]},"FunctionName":"fetch-quotes","Source":"simulated","Fetched":8,"Produced":8,"Failed":0,"Stale":0}
REPORT RequestId: a Duration: 12.00 ms Max Memory Used: 20 MB
{"_aws":{"Timestamp":1795444260000,"CloudWatchMetrics":[]},"FunctionName":"fetch-quotes","Source":"simulated","Fetched":8,"Produced":6,"Failed":2,"Stale":0}
{"_aws":{"Timestamp":1795444260000,"CloudWatchMetrics":[]},"FunctionName":"fetch-quotes","Source":"simulated","Symbol":"OLD","Misses":1}
REPORT RequestId: b Duration: 12.00 ms Max Memory Used: 20 MB
"#;

    #[test]
    fn the_last_run_counts() {
        let at = "2026-11-23T14:31:00Z".parse().unwrap();
        let expected = Fetch { at, source: "simulated".into(), fetched: 8, produced: 6, failed: 2, error: None };
        assert_eq!(read(LOG), Some(expected.clone()));
        let failed = format!(
            "{LOG}REPORT RequestId: c Duration: 3.00 ms Status: error Error Type: Retryable Error: nothing was produced: no broker\n"
        );
        assert_eq!(read(&failed), Some(Fetch { error: Some("nothing was produced: no broker".into()), ..expected }));
        assert_eq!(read("REPORT RequestId: a Status: error Error: x\n"), None);
    }

    #[test]
    fn half_a_line_at_the_start_of_the_tail_is_no_run() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(newest(folder.path()).unwrap(), None, "no log");
        std::fs::write(folder.path().join("fetch-quotes.log"), LOG.repeat(1_000)).unwrap();
        assert_eq!(newest(folder.path()).unwrap().map(|fetch| fetch.produced), Some(6));
    }
}
