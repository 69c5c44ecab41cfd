//! How the lake stands: its newest file, its crawler.

use aws_sdk_s3::primitives::DateTime as AwsTime;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Lake, aws};
use crate::failure::Failure;

/// An object and when it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Written {
    /// Its key.
    pub(crate) key: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// When it was written.
    pub(crate) at: DateTime<Utc>,
}

/// A crawler and its newest crawl.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CrawlerNow {
    /// Its name.
    pub(crate) name: String,
    /// Glue's word for what it does now: READY, RUNNING or STOPPING.
    pub(crate) state: String,
    /// Its schedule, if it has one. Ours has none: start-crawler starts it when an object of a new day lands.
    pub(crate) schedule: Option<String>,
    /// The newest crawl; `None` before the first.
    pub(crate) newest: Option<CrawlState>,
}

/// One crawl.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CrawlState {
    /// Glue's word for it: RUNNING, COMPLETED, FAILED or STOPPED.
    pub(crate) state: String,
    /// When it began.
    pub(crate) began: Option<DateTime<Utc>>,
    /// When it ended; `None` while it is under way.
    pub(crate) ended: Option<DateTime<Utc>>,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

impl Lake {
    /// The object below `prefix` that was written last.
    pub(crate) async fn newest_object(&self, prefix: &str) -> Result<Option<Written>, Failure> {
        let mut newest: Option<Written> = None;
        let mut pages = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws(format_args!("cannot list s3://{}/{prefix}", self.bucket), &error))?;
            for object in page.contents.unwrap_or_default() {
                let (Some(key), Some(at)) = (object.key, utc(object.last_modified)) else { continue };
                let bytes = u64::try_from(object.size.unwrap_or(0)).unwrap_or(0);
                if newest.as_ref().is_none_or(|newest| newest.at < at) {
                    newest = Some(Written { key, bytes, at });
                }
            }
        }
        Ok(newest)
    }

    /// What a crawler does now and did last.
    pub(crate) async fn crawler(&self, name: &str) -> Result<CrawlerNow, Failure> {
        let found = self.glue.get_crawler().name(name).send().await;
        let found = found.map_err(|error| aws(format_args!("cannot ask for the crawler {name}"), &error))?.crawler;
        let crawls = self.glue.list_crawls().crawler_name(name).max_results(1).send().await;
        let crawls = crawls.map_err(|error| aws(format_args!("cannot list the crawls of {name}"), &error))?;
        let newest = crawls.crawls.unwrap_or_default().into_iter().next().map(|crawl| CrawlState {
            state: crawl.state.map_or_else(|| "unknown".to_owned(), |state| state.as_str().to_owned()),
            began: utc(crawl.start_time),
            ended: utc(crawl.end_time),
            error: crawl.error_message,
        });
        let state = found.as_ref().and_then(|crawler| crawler.state.as_ref()).map_or("unknown", |state| state.as_str()).to_owned();
        let schedule = found.and_then(|crawler| crawler.schedule).and_then(|schedule| schedule.schedule_expression);
        Ok(CrawlerNow { name: name.to_owned(), state, schedule, newest })
    }
}

fn utc(time: Option<AwsTime>) -> Option<DateTime<Utc>> {
    time.and_then(|time| time.to_millis().ok()).and_then(DateTime::from_timestamp_millis)
}
