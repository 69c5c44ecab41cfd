//! What a crawl tells as it goes: Glue's "Glue Crawler State Change" events.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::protocol::{ACCOUNT_ID, REGION};

/// What happened to a crawl. One that was stopped by hand tells only that it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It began.
    Started,
    /// It ended well.
    Succeeded {
        /// Partitions that it added to the catalog.
        partitions_created: u64,
    },
    /// It ended with an error.
    Failed {
        /// What went wrong, with file and column where that is it.
        error: String,
    },
}

/// A crawl that began or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrawlerStateChange {
    /// The crawler's name.
    pub crawler: String,
    /// The crawl's own id.
    pub crawl_id: String,
    /// What happened.
    pub change: Change,
    /// When the crawl began.
    pub started: DateTime<Utc>,
    /// When this happened.
    pub at: DateTime<Utc>,
}

impl CrawlerStateChange {
    /// The event as EventBridge hands it to a target.
    ///
    /// Source: AWS Glue Developer Guide, "Automating AWS Glue with EventBridge".
    #[must_use]
    pub fn event(&self) -> Value {
        json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": "Glue Crawler State Change",
            "source": "aws.glue",
            "account": ACCOUNT_ID,
            "time": to_seconds(self.at),
            "region": REGION,
            "resources": [],
            "detail": self.detail(),
        })
    }

    /// The event's `detail`: every value is a text there.
    #[must_use]
    pub fn detail(&self) -> Value {
        match &self.change {
            Change::Started => json!({
                "accountId": ACCOUNT_ID,
                "crawlerName": self.crawler,
                "state": "Started",
                "startTime": to_seconds(self.started),
                "message": "Crawler Started",
            }),
            Change::Succeeded { partitions_created } => json!({
                "accountId": ACCOUNT_ID,
                "crawlerName": self.crawler,
                "state": "Succeeded",
                "completionDate": to_seconds(self.at),
                "cloudWatchLogLink": "",
                "message": "Crawler Succeeded",
                "warningMessage": "N/A",
                "runningTime (sec)": (self.at - self.started).num_seconds().max(0).to_string(),
                "tablesCreated": "0",
                "tablesUpdated": "0",
                "tablesDeleted": "0",
                "partitionsCreated": partitions_created.to_string(),
                "partitionsUpdated": "0",
                "partitionsDeleted": "0",
            }),
            Change::Failed { error } => json!({
                "accountId": ACCOUNT_ID,
                "crawlerName": self.crawler,
                "state": "Failed",
                "completionDate": to_seconds(self.at),
                "cloudWatchLogLink": "",
                "message": "Crawler Failed",
                "errorMessage": error,
            }),
        }
    }
}

fn to_seconds(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Called when a crawl began and when it ended, in this order; at its end the crawler is ready again. It must not block.
pub type CrawlerStateChangeHook = Arc<dyn Fn(CrawlerStateChange) + Send + Sync>;

#[cfg(test)]
mod tests {
    use super::*;

    fn change(change: Change) -> CrawlerStateChange {
        let at = |seconds| DateTime::from_timestamp(seconds, 900_000_000).unwrap_or_default();
        CrawlerStateChange { crawler: "quotes".into(), crawl_id: "1".into(), change, started: at(1_795_444_200), at: at(1_795_444_272) }
    }

    #[test]
    fn a_crawls_begin_and_end_have_the_real_shapes() {
        let event = change(Change::Started).event();
        assert_eq!((&event["source"], &event["detail-type"]), (&json!("aws.glue"), &json!("Glue Crawler State Change")));
        assert_eq!(event["detail"]["startTime"], "2026-11-23T14:30:00Z");
        assert_eq!(event["detail"]["message"], "Crawler Started");

        let event = change(Change::Succeeded { partitions_created: 2 }).event();
        assert_eq!(event["time"], "2026-11-23T14:31:12Z");
        let detail = &event["detail"];
        assert_eq!((&detail["state"], &detail["message"]), (&json!("Succeeded"), &json!("Crawler Succeeded")));
        assert_eq!((&detail["runningTime (sec)"], &detail["partitionsCreated"]), (&json!("72"), &json!("2")));

        let detail = change(Change::Failed { error: "why".into() }).detail();
        assert_eq!((&detail["state"], &detail["errorMessage"]), (&json!("Failed"), &json!("why")));
        assert_eq!(detail.get("partitionsCreated"), None);
    }
}
