//! Crawlers and crawls in the shapes that Glue answers with.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::catalog::{Crawl, CrawlState, Crawler, CrawlerState};

impl Crawler {
    /// `Crawler` of GetCrawler, as it is at `now`, in seconds since 1970.
    pub(super) fn to_api(&self, now: f64) -> Value {
        let mut api = self.definition.clone();
        api.remove("Tags");
        let state = serde_json::to_value(self.state).unwrap_or_default();
        let elapsed = match self.crawls.last() {
            Some(crawl) if self.state != CrawlerState::Ready => ((now - crawl.started).max(0.0) * 1000.0) as i64,
            _ => 0,
        };
        api.insert("State".to_owned(), state);
        api.insert("CrawlElapsedTime".to_owned(), json!(elapsed));
        api.insert("CreationTime".to_owned(), json!(self.created));
        api.insert("LastUpdated".to_owned(), json!(self.updated));
        api.insert("Version".to_owned(), json!(self.version));
        // CreateCrawler takes a text, GetCrawler answers a structure.
        if let Some(Value::String(expression)) = api.get("Schedule") {
            let schedule = json!({ "ScheduleExpression": expression, "State": "SCHEDULED" });
            api.insert("Schedule".to_owned(), schedule);
        }
        if let Some(crawl) = self.crawls.iter().rev().find(|crawl| crawl.ended.is_some()) {
            api.insert("LastCrawl".to_owned(), crawl.last_crawl());
        }
        Value::Object(api)
    }

    /// An entry of GetCrawlerMetrics.
    pub(super) fn metrics(&self, name: &str) -> Value {
        let mut runtimes: Vec<f64> = self.crawls.iter().filter_map(|crawl| Some((crawl.ended? - crawl.started).max(0.0))).collect();
        let last = runtimes.last().copied().unwrap_or(0.0);
        runtimes.sort_by(f64::total_cmp);
        let median = runtimes.get(runtimes.len() / 2).copied().unwrap_or(0.0);
        json!({
            "CrawlerName": name,
            "TimeLeftSeconds": 0.0,
            "StillEstimating": false,
            "LastRuntimeSeconds": last,
            "MedianRuntimeSeconds": median,
            "TablesCreated": 0,
            "TablesUpdated": 0,
            "TablesDeleted": 0,
        })
    }
}

impl Crawl {
    /// An entry of ListCrawls, as it is at `now`, in seconds since 1970.
    pub(super) fn to_api(&self, now: f64) -> Value {
        let mut api = Map::new();
        api.insert("CrawlId".to_owned(), json!(self.id));
        api.insert("State".to_owned(), serde_json::to_value(self.state).unwrap_or_default());
        api.insert("StartTime".to_owned(), json!(self.started));
        if let Some(ended) = self.ended {
            api.insert("EndTime".to_owned(), json!(ended));
        }
        if let Some(error) = &self.error {
            api.insert("ErrorMessage".to_owned(), json!(error));
        }
        api.insert("Summary".to_owned(), json!(self.summary()));
        api.insert("DPUHour".to_owned(), json!(self.dpu_hours(now)));
        Value::Object(api)
    }

    /// As if one unit had worked all the time.
    pub(super) fn dpu_hours(&self, now: f64) -> f64 {
        Duration::from_secs_f64((self.ended.unwrap_or(now) - self.started).max(0.0)).as_secs_f64() / 3600.0
    }

    /// A JSON text with JSON texts inside, as Glue writes it; empty if nothing changed.
    fn summary(&self) -> String {
        if self.created.is_empty() {
            return "{}".to_owned();
        }
        let added = json!({ "ADD": { "Details": { "names": self.created }, "Count": self.created.len() } });
        json!({ "PARTITION": added.to_string() }).to_string()
    }

    fn last_crawl(&self) -> Value {
        let status = match self.state {
            CrawlState::Running | CrawlState::Completed => "SUCCEEDED",
            CrawlState::Failed => "FAILED",
            CrawlState::Stopped => "CANCELLED",
        };
        let mut last = json!({
            "Status": status,
            "StartTime": self.started,
            "LogGroup": "/aws-glue/crawlers",
            "LogStream": self.id,
            "MessagePrefix": self.id,
        });
        if let (Value::Object(last), Some(error)) = (&mut last, &self.error) {
            last.insert("ErrorMessage".to_owned(), json!(error));
        }
        last
    }
}
