//! The crawls of one Glue crawler.

use aws_sdk_glue::Client;
use aws_sdk_glue::types::{Crawler, CrawlerState};
use chrono::{DateTime, TimeDelta, Utc};

use crate::error::Error;

/// One Glue crawler.
#[derive(Debug)]
pub(crate) struct Crawls {
    glue: Client,
    /// The crawler's name.
    pub(crate) crawler: String,
}

impl Crawls {
    pub(crate) fn new(glue: Client, crawler: String) -> Self {
        Self { glue, crawler }
    }

    /// Makes sure that a crawl began at `wanted` or later, starting one if need be.
    ///
    /// Answers when the newest crawl began. That is before `wanted` if an older one is still running: it may have
    /// listed the folder before the object landed there, so the crawl must be asked for again.
    pub(crate) async fn ensure_since(&self, wanted: DateTime<Utc>) -> Result<DateTime<Utc>, Error> {
        // Looked at before it is started: a message that comes back after its crawl began, or a retry by the SDK whose
        // first try got through, is answered by that crawl.
        let newest = self.newest().await?;
        match newest.began {
            Some(began) if began >= wanted || newest.running => return Ok(began),
            _ => {}
        }
        match self.glue.start_crawler().name(&self.crawler).send().await {
            Ok(_) => {
                tracing::info!(crawler = self.crawler, "Started the crawler.");
                Ok(wanted)
            }
            Err(error) if error.as_service_error().is_some_and(|e| e.is_crawler_running_exception()) => {
                // Begun since it was looked at, by another invocation or by the SDK's own first try.
                Ok(self.newest().await?.began.unwrap_or(DateTime::UNIX_EPOCH))
            }
            Err(error) if error.as_service_error().is_some_and(|e| e.is_entity_not_found_exception()) => Err(self.no_crawler(error)),
            Err(error) => Err(Error::glue("StartCrawler", self.crawler.clone(), error)),
        }
    }

    async fn newest(&self) -> Result<Newest, Error> {
        match self.glue.get_crawler().name(&self.crawler).send().await {
            Ok(answer) => Ok(answer.crawler.map(|crawler| Newest::of(&crawler, Utc::now())).unwrap_or_default()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_entity_not_found_exception()) => Err(self.no_crawler(error)),
            Err(error) => Err(Error::glue("GetCrawler", self.crawler.clone(), error)),
        }
    }

    fn no_crawler(&self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::NoCrawler { crawler: self.crawler.clone(), source: Box::new(source) }
    }
}

/// The newest crawl of a crawler, if there was any.
#[derive(Debug, Default, PartialEq, Eq)]
struct Newest {
    began: Option<DateTime<Utc>>,
    running: bool,
}

impl Newest {
    fn of(crawler: &Crawler, now: DateTime<Utc>) -> Self {
        let running = !matches!(crawler.state(), None | Some(CrawlerState::Ready));
        let began = if running {
            // LastCrawl tells of the crawl before the one that is running.
            TimeDelta::try_milliseconds(crawler.crawl_elapsed_time()).and_then(|elapsed| now.checked_sub_signed(elapsed))
        } else {
            let start = crawler.last_crawl().and_then(|crawl| crawl.start_time());
            start.and_then(|start| start.to_millis().ok()).and_then(DateTime::from_timestamp_millis)
        };
        Self { began, running }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use aws_sdk_glue::primitives::DateTime as GlueTime;
    use aws_sdk_glue::types::LastCrawlInfo;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_running_crawl_began_as_long_ago_as_it_took_so_far() {
        let last = LastCrawlInfo::builder().start_time(GlueTime::from_secs(1_000)).build();
        for state in [CrawlerState::Running, CrawlerState::Stopping] {
            let crawler = Crawler::builder().state(state).crawl_elapsed_time(61_500).last_crawl(last.clone()).build();
            let newest = Newest::of(&crawler, at("2026-11-23T14:31:01.500Z"));
            assert_eq!(newest, Newest { began: Some(at("2026-11-23T14:30:00Z")), running: true });
        }
    }

    #[test]
    fn a_crawl_that_is_over_began_when_glue_says() {
        let last = LastCrawlInfo::builder().start_time(GlueTime::from_millis(1_795_444_200_250)).build();
        let crawler = Crawler::builder().state(CrawlerState::Ready).crawl_elapsed_time(9).last_crawl(last).build();
        assert_eq!(Newest::of(&crawler, Utc::now()), Newest { began: Some(at("2026-11-23T14:30:00.250Z")), running: false });
        assert_eq!(Newest::of(&Crawler::builder().build(), Utc::now()), Newest::default());
    }
}
