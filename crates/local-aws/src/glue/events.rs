//! What is told when a crawl ends: Glue's "Glue Crawler State Change" event.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::protocol::ACCOUNT_ID;

/// How a crawl stands or ended, as ListCrawls writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CrawlState {
    /// Under way.
    Running,
    /// Ended well.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended by StopCrawler.
    Stopped,
}

/// A crawl that ended by itself; one that was stopped is not told.
#[derive(Debug, Clone, PartialEq)]
pub struct CrawlEnded {
    /// The crawler's name.
    pub crawler: String,
    /// The crawl's own id.
    pub crawl_id: String,
    /// `Completed` or `Failed`.
    pub state: CrawlState,
    /// What went wrong, with file and column where that is it; none if nothing did.
    pub error: Option<String>,
    /// Partitions that the crawl added to the catalog.
    pub partitions_created: u64,
    /// When it began, in seconds since 1970.
    pub started: f64,
    /// When it ended, in seconds since 1970.
    pub ended: f64,
}

impl CrawlEnded {
    /// The `detail` of the event that EventBridge gets: every value is a text there.
    #[must_use]
    pub fn detail(&self) -> Value {
        let failed = self.state == CrawlState::Failed;
        let completed = chrono::DateTime::from_timestamp_millis((self.ended * 1000.0) as i64).unwrap_or_default();
        let mut detail = json!({
            "accountId": ACCOUNT_ID,
            "crawlerName": self.crawler,
            "state": if failed { "Failed" } else { "Succeeded" },
            "completionDate": completed.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "cloudWatchLogLink": "",
            "message": if failed { "Crawler failed" } else { "Crawler Succeeded" },
        });
        let more = if failed {
            json!({ "errorMessage": self.error.clone().unwrap_or_default() })
        } else {
            json!({
                "tablesCreated": "0",
                "tablesUpdated": "0",
                "tablesDeleted": "0",
                "partitionsCreated": self.partitions_created.to_string(),
                "partitionsUpdated": "0",
                "partitionsDeleted": "0",
                "warningMessage": "N/A",
                "runningTime (sec)": (self.ended - self.started).max(0.0).ceil().to_string(),
            })
        };
        if let (Value::Object(detail), Value::Object(more)) = (&mut detail, more) {
            detail.extend(more);
        }
        detail
    }
}

/// Called once for each crawl that ended, after its crawler is ready again. It must not block.
pub type CrawlEndedHook = Arc<dyn Fn(CrawlEnded) + Send + Sync>;
