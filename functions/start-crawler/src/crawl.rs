//! The crawls of one Glue crawler.

use aws_sdk_glue::Client;
use aws_sdk_glue::types::{Crawler, CrawlerState, LastCrawlStatus};
use chrono::{DateTime, TimeDelta, Utc};

use crate::Clock;
use crate::error::Error;

/// One Glue crawler.
pub(crate) struct Crawls {
    glue: Client,
    crawler: String,
    clock: Clock,
}

/// The newest crawl of a crawler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crawl {
    /// When it began; of one that is under way not later than it did.
    pub(crate) began: DateTime<Utc>,
    /// How it stands.
    pub(crate) standing: Standing,
}

/// How a crawl stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Under way.
    Running,
    /// Ended well.
    Succeeded,
    /// Failed or was stopped, with Glue's own words.
    Failed(String),
}

impl Crawls {
    pub(crate) fn new(glue: Client, crawler: String, clock: Clock) -> Self {
        Self { glue, crawler, clock }
    }

    /// The crawler's name.
    pub(crate) fn crawler(&self) -> &str {
        &self.crawler
    }

    /// The newest crawl; `None` if there never was one.
    pub(crate) async fn newest(&self) -> Result<Option<Crawl>, Error> {
        // Taken before the call, so that a slow answer does not make a crawl younger than it is.
        let now = (self.clock)();
        match self.glue.get_crawler().name(&self.crawler).send().await {
            Ok(answer) => Ok(answer.crawler.and_then(|crawler| Crawl::newest_of(&crawler, now))),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_entity_not_found_exception()) => Err(self.no_crawler(error)),
            Err(error) => Err(Error::call("GetCrawler", self.crawler.clone(), error)),
        }
    }

    /// Starts a crawl; answers when it began, or that one is under way.
    ///
    /// CrawlerRunning may be the answer to the SDK's second try, whose first one started the crawl and lost its answer, or
    /// speak of a crawl that another invocation started. Nothing is concluded from it: who waits for a crawl comes back,
    /// and is done once a crawl has succeeded that began late enough.
    pub(crate) async fn start(&self) -> Result<DateTime<Utc>, Error> {
        let now = (self.clock)();
        match self.glue.start_crawler().name(&self.crawler).send().await {
            Ok(_) => tracing::info!(crawler = self.crawler, "Started the crawler."),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_crawler_running_exception()) => {
                tracing::info!(crawler = self.crawler, "The crawler was running by the time it was to be started.");
            }
            Err(error) if error.as_service_error().is_some_and(|e| e.is_entity_not_found_exception()) => return Err(self.no_crawler(error)),
            Err(error) => return Err(Error::call("StartCrawler", self.crawler.clone(), error)),
        }
        Ok(now)
    }

    fn no_crawler(&self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::NoCrawler { crawler: self.crawler.clone(), source: Box::new(source) }
    }
}

impl Crawl {
    fn newest_of(crawler: &Crawler, now: DateTime<Utc>) -> Option<Self> {
        if !matches!(crawler.state(), None | Some(CrawlerState::Ready)) {
            // LastCrawl tells of the crawl before the one that is running.
            let elapsed = TimeDelta::try_milliseconds(crawler.crawl_elapsed_time());
            let began = elapsed.and_then(|elapsed| now.checked_sub_signed(elapsed))?;
            return Some(Self { began, standing: Standing::Running });
        }
        let last = crawler.last_crawl()?;
        // Seconds as a binary fraction, in which few milliseconds are exact.
        let began = DateTime::from_timestamp_millis((last.start_time()?.as_secs_f64() * 1000.0).round() as i64)?;
        let words = || last.error_message().unwrap_or("no reason given").to_owned();
        let standing = match last.status() {
            Some(LastCrawlStatus::Succeeded) => Standing::Succeeded,
            Some(LastCrawlStatus::Cancelled) => Standing::Failed("it was stopped".to_owned()),
            _ => Standing::Failed(words()),
        };
        Some(Self { began, standing })
    }

    /// Whether it saw all that landed at `time` or before.
    pub(crate) fn has_seen(&self, time: DateTime<Utc>) -> bool {
        self.began >= time && self.standing == Standing::Succeeded
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
        let last = LastCrawlInfo::builder().start_time(GlueTime::from_secs(1_000)).status(LastCrawlStatus::Succeeded).build();
        for state in [CrawlerState::Running, CrawlerState::Stopping] {
            let crawler = Crawler::builder().state(state).crawl_elapsed_time(61_500).last_crawl(last.clone()).build();
            let newest = Crawl::newest_of(&crawler, at("2026-11-23T14:31:01.500Z")).unwrap();
            assert_eq!(newest, Crawl { began: at("2026-11-23T14:30:00Z"), standing: Standing::Running });
            assert!(!newest.has_seen(at("2026-11-23T14:29:00Z")), "it has listed nothing yet, for all we know");
        }
    }

    #[test]
    fn a_crawl_that_is_over_began_and_ended_as_glue_says() {
        let began = at("2026-11-23T14:30:00.250Z");
        for (status, standing) in [
            (LastCrawlStatus::Succeeded, Standing::Succeeded),
            (LastCrawlStatus::Failed, Standing::Failed("why".into())),
            (LastCrawlStatus::Cancelled, Standing::Failed("it was stopped".into())),
        ] {
            let last = LastCrawlInfo::builder().start_time(GlueTime::from_millis(began.timestamp_millis()));
            let last = last.status(status).error_message("why").build();
            let crawler = Crawler::builder().state(CrawlerState::Ready).crawl_elapsed_time(9).last_crawl(last).build();
            let newest = Crawl::newest_of(&crawler, Utc::now()).unwrap();
            assert_eq!(newest, Crawl { began, standing: standing.clone() });
            assert_eq!(newest.has_seen(began), standing == Standing::Succeeded);
            assert!(!newest.has_seen(began + TimeDelta::milliseconds(1)));
        }
        assert_eq!(Crawl::newest_of(&Crawler::builder().build(), Utc::now()), None);
    }
}
