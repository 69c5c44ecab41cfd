//! The task that a crawl is, from StartCrawler to the crawler's being ready again.

use std::sync::PoisonError;

use chrono::DateTime;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Glue;
use super::catalog::{CrawlState, CrawlerState};
use super::crawl::{CrawlError, Missing, Target};
use super::crawlers::DeclaredTarget;
use super::events::{Change, CrawlerStateChange};
use super::partitions::insert_from_descriptor;
use crate::protocol::ApiError;

/// How a crawl's own work ended.
enum Outcome {
    Found(Vec<Missing>),
    Failed(String),
    Stopped,
}

/// A crawl that is recorded as ended.
struct Ended {
    change: Change,
    started: f64,
    at: f64,
}

impl Glue {
    /// Crawls until it is done or `stop` is cancelled.
    pub(super) async fn run_crawl(self, name: String, id: String, targets: Vec<DeclaredTarget>, stop: CancellationToken) {
        let outcome = stop.run_until_cancelled(self.clone().look(targets)).await.unwrap_or(Outcome::Stopped);
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
        let glue = self.clone();
        let (crawler, crawl) = (name.clone(), id.clone());
        let ended = tokio::task::spawn_blocking(move || glue.finish_crawl(&crawler, &crawl, outcome)).await;
        match ended {
            Ok(Ok(Some(ended))) => self.tell(name, id, ended.change, ended.started, ended.at),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::error!(%error, "A crawl's end could not be recorded."),
            Err(error) => tracing::error!(%error, "A crawl's end could not be recorded."),
        }
    }

    /// Lists the lake in the middle of the time that a crawl takes, as a real one does: it starts a cluster first.
    async fn look(self, targets: Vec<DeclaredTarget>) -> Outcome {
        let began = Instant::now();
        let takes = self.inner.crawling.takes_at_least;
        sleep_until(began + takes / 2).await;
        let glue = self.clone();
        let outcome = match tokio::task::spawn_blocking(move || glue.list(&targets)).await {
            Ok(Ok(missing)) => Outcome::Found(missing),
            Ok(Err(error)) => Outcome::Failed(error.to_string()),
            Err(error) => Outcome::Failed(format!("The crawl broke off: {error}.")),
        };
        sleep_until(began + takes).await;
        outcome
    }

    fn list(&self, targets: &[DeclaredTarget]) -> Result<Vec<Missing>, CrawlError> {
        let mut missing = Vec::new();
        for target in targets {
            let target = self.read(|catalog| Target::of(catalog, &target.database, &target.table, target.new_only))?;
            missing.extend(target.crawl(&self.inner.crawling.s3_root)?);
        }
        Ok(missing)
    }

    /// Adds the partitions and makes the crawler ready, in one change of the catalog. Answers nothing for a crawl that was
    /// stopped: that is not told.
    fn finish_crawl(&self, name: &str, id: &str, outcome: Outcome) -> Result<Option<Ended>, ApiError> {
        let at = self.inner.crawling.clock.seconds();
        self.change(|catalog| {
            let (state, error, missing) = match outcome {
                Outcome::Found(missing) => (CrawlState::Completed, None, missing),
                Outcome::Failed(error) => (CrawlState::Failed, Some(error), Vec::new()),
                Outcome::Stopped => (CrawlState::Stopped, None, Vec::new()),
            };
            let mut created = Vec::new();
            for partition in missing {
                // The table may be gone, and someone else may have registered the partition meanwhile.
                if let Ok(table) = catalog.table_mut(&partition.database, &partition.table)
                    && insert_from_descriptor(table, &partition.values, &partition.location)
                {
                    created.push(partition.name);
                }
            }
            let partitions_created = created.len() as u64;
            let crawler = catalog.crawler_mut(name)?;
            crawler.state = CrawlerState::Ready;
            let Some(crawl) = crawler.crawls.iter_mut().find(|crawl| crawl.id == id) else { return Ok(None) };
            crawl.state = state;
            crawl.ended = Some(at);
            crawl.error.clone_from(&error);
            crawl.created = created;
            let change = match error {
                Some(error) => {
                    tracing::warn!(crawler = name, %error, "A crawl failed.");
                    Change::Failed { error }
                }
                None => {
                    tracing::debug!(crawler = name, partitions_created, "A crawl ended.");
                    Change::Succeeded { partitions_created }
                }
            };
            Ok((state != CrawlState::Stopped).then_some(Ended { change, started: crawl.started, at }))
        })
    }

    /// Tells of a crawl's begin or end. Times are seconds since 1970.
    pub(super) fn tell(&self, crawler: String, crawl_id: String, change: Change, started: f64, at: f64) {
        let time = |seconds: f64| DateTime::from_timestamp_millis((seconds * 1000.0).round() as i64).unwrap_or_default();
        let change = CrawlerStateChange { crawler, crawl_id, change, started: time(started), at: time(at) };
        (self.inner.crawling.state_change)(change);
    }
}
