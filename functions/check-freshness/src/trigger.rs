//! What an invocation was called for.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

/// What the scheduler names as its events' source.
const SCHEDULER: &str = "aws.scheduler";

/// What an invocation was called for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trigger {
    /// What tells this occasion from every other, and is the same when it is delivered twice.
    pub(crate) occasion: String,
    /// When it happened.
    pub(crate) at: DateTime<Utc>,
    /// The crawl that has ended, if that is what happened.
    pub(crate) crawl: Option<Crawl>,
}

/// A crawl that has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Crawl {
    /// The crawler's name.
    pub(crate) crawler: String,
    /// Why it failed; `None` if it succeeded.
    pub(crate) failure: Option<String>,
}

impl Trigger {
    /// Reads an event. One that says neither its id nor its time, as a person may write it, is an occasion of its own
    /// under `request_id`.
    pub(crate) fn of(event: &EventBridgeEvent<Value>, request_id: &str, now: DateTime<Utc>) -> Self {
        let at = event.time.unwrap_or(now);
        let crawl = (event.source == "aws.glue" && event.detail_type == "Glue Crawler State Change").then(|| Crawl::of(&event.detail));
        let schedule = event.resources.iter().flatten().next();
        let occasion = match (&event.id, schedule) {
            // The scheduler may deliver one time of one schedule twice, under two ids.
            (_, Some(schedule)) if event.source == SCHEDULER && event.time.is_some() => {
                format!("{schedule} {}", at.to_rfc3339_opts(SecondsFormat::Millis, true))
            }
            (Some(id), _) => id.clone(),
            (None, _) => request_id.to_owned(),
        };
        Self { occasion, at, crawl }
    }
}

impl Crawl {
    /// Reads an event's detail, in which every value is a text.
    fn of(detail: &Value) -> Self {
        let text = |name: &str| detail.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let failed = text("state") == Some("Failed");
        let reason = || text("errorMessage").or_else(|| text("message")).unwrap_or("no reason given").to_owned();
        Self { crawler: text("crawlerName").unwrap_or("unknown").to_owned(), failure: failed.then(reason) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SCHEDULE: &str = include_str!("../../../events/check-freshness-schedule.json");
    const SUCCEEDED: &str = include_str!("../../../events/check-freshness-crawler-succeeded.json");
    const FAILED: &str = include_str!("../../../events/check-freshness-crawler-failed.json");

    fn trigger(event: &str) -> Trigger {
        Trigger::of(&serde_json::from_str(event).unwrap(), "request", DateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_schedules_time_is_one_occasion_whatever_its_id() {
        let first = trigger(SCHEDULE);
        assert_eq!((first.at.to_rfc3339(), &first.crawl), ("2026-11-23T14:45:00+00:00".to_owned(), &None));
        let again = SCHEDULE.replace("5b6f7c1e", "00000000");
        assert_ne!(again, SCHEDULE);
        assert_eq!(trigger(&again), first);
        let next = SCHEDULE.replace("14:45:00", "15:00:00");
        assert_ne!(trigger(&next).occasion, first.occasion);
    }

    #[test]
    fn a_crawls_end_is_told_with_its_reason() {
        let crawler = "tickerlake-quotes".to_owned();
        let succeeded = trigger(SUCCEEDED);
        assert_eq!(succeeded.crawl, Some(Crawl { crawler: crawler.clone(), failure: None }));
        assert_eq!(succeeded.occasion, "3ff2d3a0-0d6f-4b1f-8a55-6b0b2f1f9d51");
        let failed = trigger(FAILED);
        assert_eq!(failed.crawl, Some(Crawl { crawler, failure: Some("Internal Service Exception".to_owned()) }));
        assert_ne!(failed.occasion, succeeded.occasion);
    }

    #[test]
    fn an_event_that_says_little_is_an_occasion_of_its_own() {
        let by_hand = trigger(r#"{"source": "me", "detail-type": "by hand", "detail": {}}"#);
        assert_eq!(by_hand, Trigger { occasion: "request".to_owned(), at: DateTime::UNIX_EPOCH, crawl: None });
        let bare = trigger(r#"{"source": "aws.glue", "detail-type": "Glue Crawler State Change", "detail": {"state": "Failed"}}"#);
        assert_eq!(bare.crawl, Some(Crawl { crawler: "unknown".to_owned(), failure: Some("no reason given".to_owned()) }));
    }
}
