//! The operations on crawlers.

use std::sync::PoisonError;

use serde_json::{Value, json};

use super::Glue;
use super::catalog::{Crawl, CrawlState, Crawler, CrawlerState, Definition};
use super::crawl_filter::CrawlFilter;
use super::events::Change;
use crate::protocol::{ApiError, ApiResult, Input, now, page};

/// How many crawls of a crawler are remembered: a trading day needs one or two.
const REMEMBERED_CRAWLS: usize = 200;

impl Glue {
    pub(super) fn create_crawler(&self, input: Input) -> ApiResult {
        let (name, definition) = crawler_definition(input)?;
        self.change(|catalog| {
            if catalog.crawlers.contains_key(&name) {
                return Err(ApiError::new("AlreadyExistsException", format!("{name} already exists.")));
            }
            catalog.crawlers.insert(name, new_crawler(definition));
            Ok(json!({}))
        })
    }

    pub(super) fn update_crawler(&self, input: Input) -> ApiResult {
        let name = input.string("Name")?.to_owned();
        let changes = input.into_members();
        self.change(|catalog| {
            let crawler = catalog.crawler_mut(&name)?;
            crawler.must_be_ready(&name)?;
            crawler.definition.extend(changes);
            crawler.version += 1;
            crawler.updated = now();
            Ok(json!({}))
        })
    }

    pub(super) fn delete_crawler(&self, input: &Input) -> ApiResult {
        let name = input.string("Name")?;
        self.change(|catalog| {
            catalog.crawler(name)?.must_be_ready(name)?;
            catalog.crawlers.remove(name);
            Ok(json!({}))
        })
    }

    pub(super) fn get_crawler(&self, input: &Input) -> ApiResult {
        let name = input.string("Name")?;
        let now = self.inner.crawling.clock.seconds();
        self.read(|catalog| Ok(json!({ "Crawler": catalog.crawler(name)?.to_api(now) })))
    }

    pub(super) fn get_crawlers(&self, input: &Input) -> ApiResult {
        let now = self.inner.crawling.clock.seconds();
        let crawlers: Vec<Value> = self.read(|catalog| catalog.crawlers.values().map(|crawler| crawler.to_api(now)).collect());
        let (crawlers, token) = page(&crawlers, input, 1000)?;
        Ok(json!({ "Crawlers": crawlers, "NextToken": token }))
    }

    pub(super) fn batch_get_crawlers(&self, input: &Input) -> ApiResult {
        let wanted = input.strings("CrawlerNames")?;
        let now = self.inner.crawling.clock.seconds();
        self.read(|catalog| {
            let (found, missing): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|name| catalog.crawlers.contains_key(name));
            let found: Vec<Value> = found.iter().filter_map(|name| catalog.crawlers.get(name)).map(|found| found.to_api(now)).collect();
            Ok(json!({ "Crawlers": found, "CrawlersNotFound": missing }))
        })
    }

    pub(super) fn list_crawlers(&self, input: &Input) -> ApiResult {
        input.refuse("Tags")?;
        let names: Vec<String> = self.read(|catalog| catalog.crawlers.keys().cloned().collect());
        let (names, token) = page(&names, input, 1000)?;
        Ok(json!({ "CrawlerNames": names, "NextToken": token }))
    }

    pub(super) fn start_crawler(&self, input: &Input) -> ApiResult {
        let name = input.string("Name")?.to_owned();
        let id = uuid::Uuid::new_v4().to_string();
        let started = self.inner.crawling.clock.seconds();
        let targets = self.change(|catalog| {
            let crawler = catalog.crawler_mut(&name)?;
            crawler.must_be_ready(&name)?;
            crawler.state = CrawlerState::Running;
            crawler.crawls.push(Crawl {
                id: id.clone(),
                state: CrawlState::Running,
                started,
                ended: None,
                error: None,
                created: Vec::new(),
            });
            let surplus = crawler.crawls.len().saturating_sub(REMEMBERED_CRAWLS);
            crawler.crawls.drain(..surplus);
            Ok(targets(crawler))
        })?;
        let stop = self.inner.stopping.child_token();
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), stop.clone());
        self.tell(name.clone(), id.clone(), Change::Started, started, started);
        self.inner.crawls.spawn(self.clone().run_crawl(name, id, targets, stop));
        Ok(json!({}))
    }

    pub(super) fn stop_crawler(&self, input: &Input) -> ApiResult {
        let name = input.string("Name")?;
        self.change(|catalog| {
            let crawler = catalog.crawler_mut(name)?;
            match crawler.state {
                CrawlerState::Ready => Err(ApiError::new("CrawlerNotRunningException", format!("Crawler with name {name} isn't running"))),
                CrawlerState::Stopping => Err(ApiError::new("CrawlerStoppingException", format!("Crawler with name {name} is stopping"))),
                CrawlerState::Running => {
                    crawler.state = CrawlerState::Stopping;
                    Ok(json!({}))
                }
            }
        })?;
        if let Some(stop) = self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            stop.cancel();
        }
        Ok(json!({}))
    }

    pub(super) fn list_crawls(&self, input: &Input) -> ApiResult {
        let name = input.string("CrawlerName")?;
        let filters = CrawlFilter::all(input)?;
        let now = self.inner.crawling.clock.seconds();
        self.read(|catalog| {
            let newest_first = catalog.crawler(name)?.crawls.iter().rev();
            let passed = newest_first.filter(|crawl| filters.iter().all(|filter| filter.passes(crawl, now)));
            let passed: Vec<Value> = passed.map(|crawl| crawl.to_api(now)).collect();
            let (crawls, token) = page(&passed, input, 1000)?;
            Ok(json!({ "Crawls": crawls, "NextToken": token }))
        })
    }

    pub(super) fn get_crawler_metrics(&self, input: &Input) -> ApiResult {
        let wanted = input.strings("CrawlerNameList")?;
        let metrics: Vec<Value> = self.read(|catalog| {
            let crawlers = catalog.crawlers.iter();
            crawlers.filter(|(name, _)| wanted.is_empty() || wanted.contains(name)).map(|(name, crawler)| crawler.metrics(name)).collect()
        });
        let (metrics, token) = page(&metrics, input, 1000)?;
        Ok(json!({ "CrawlerMetricsList": metrics, "NextToken": token }))
    }
}

impl Crawler {
    fn must_be_ready(&self, name: &str) -> Result<(), ApiError> {
        match self.state {
            CrawlerState::Ready => Ok(()),
            _ => Err(ApiError::new("CrawlerRunningException", format!("Crawler with name {name} has already started"))),
        }
    }
}

/// A table that a crawler is to look at.
pub(super) struct DeclaredTarget {
    pub(super) database: String,
    pub(super) table: String,
    /// CRAWL_NEW_FOLDERS_ONLY: known partitions are not looked into again.
    pub(super) new_only: bool,
}

/// The tables of `Targets.CatalogTargets`.
fn targets(crawler: &Crawler) -> Vec<DeclaredTarget> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let policy = crawler.definition.get("RecrawlPolicy").and_then(|policy| policy.get("RecrawlBehavior"));
    let new_only = policy.and_then(Value::as_str) == Some("CRAWL_NEW_FOLDERS_ONLY");
    let declared = crawler.definition.get("Targets").and_then(|targets| targets.get("CatalogTargets"));
    let mut targets = Vec::new();
    for target in declared.and_then(Value::as_array).into_iter().flatten() {
        for table in target.get("Tables").and_then(Value::as_array).into_iter().flatten() {
            targets.push(DeclaredTarget { database: text(target.get("DatabaseName")), table: text(Some(table)), new_only });
        }
    }
    targets
}

/// Name and definition of CreateCrawler. Only catalog targets: the table is declared, not guessed.
pub(super) fn crawler_definition(input: Input) -> Result<(String, Definition), ApiError> {
    let name = input.string("Name")?.to_owned();
    let targets = input.object("Targets")?;
    if targets.array("CatalogTargets")?.is_empty() {
        return Err(input.invalid("The local crawler needs Targets.CatalogTargets: it crawls declared tables.".to_owned()));
    }
    for kind in ["S3Targets", "JdbcTargets", "MongoDBTargets", "DynamoDBTargets", "DeltaTargets", "IcebergTargets", "HudiTargets"] {
        if !targets.array(kind)?.is_empty() {
            targets.refuse(kind)?;
        }
    }
    Ok((name, input.into_members()))
}

pub(super) fn new_crawler(definition: Definition) -> Crawler {
    let created = now();
    Crawler { definition, state: CrawlerState::Ready, created, updated: created, version: 1, crawls: Vec::new() }
}
