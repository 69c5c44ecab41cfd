//! The operations on crawlers, and the task that a crawl is.

use std::sync::PoisonError;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Glue;
use super::catalog::{Crawl, Crawler, CrawlerState, Definition};
use super::crawl::{CrawlError, Missing, Target};
use super::events::{CrawlEnded, CrawlState};
use super::partitions::insert_from_descriptor;
use crate::protocol::{ApiError, ApiResult, Input, now, page};

/// How many crawls of a crawler are remembered: a trading day needs one or two.
const REMEMBERED_CRAWLS: usize = 200;

/// How a crawl's own work ended.
enum Outcome {
    Found(Vec<Missing>),
    Failed(String),
    Stopped,
}

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
            if crawler.state != CrawlerState::Ready {
                return Err(running(&name));
            }
            crawler.definition.extend(changes);
            crawler.version += 1;
            crawler.updated = now();
            Ok(json!({}))
        })
    }

    pub(super) fn get_crawler(&self, input: &Input) -> ApiResult {
        let name = input.string("Name")?;
        self.read(|catalog| Ok(json!({ "Crawler": catalog.crawler(name)?.to_api() })))
    }

    pub(super) fn get_crawlers(&self, input: &Input) -> ApiResult {
        let crawlers: Vec<Value> = self.read(|catalog| catalog.crawlers.values().map(Crawler::to_api).collect());
        let (crawlers, token) = page(&crawlers, input, 1000)?;
        Ok(json!({ "Crawlers": crawlers, "NextToken": token }))
    }

    pub(super) fn start_crawler(&self, input: &Input) -> ApiResult {
        let name = input.string("Name")?.to_owned();
        let id = uuid::Uuid::new_v4().to_string();
        let targets = self.change(|catalog| {
            let targets = targets(catalog.crawler(&name)?);
            let targets: Result<Vec<_>, CrawlError> =
                targets.iter().map(|target| Target::of(catalog, &target.database, &target.table, target.new_only)).collect();
            let crawler = catalog.crawler_mut(&name)?;
            if crawler.state != CrawlerState::Ready {
                return Err(running(&name));
            }
            crawler.state = CrawlerState::Running;
            crawler.crawls.push(Crawl {
                id: id.clone(),
                state: CrawlState::Running,
                started: now(),
                ended: None,
                error: None,
                created: Vec::new(),
            });
            let surplus = crawler.crawls.len().saturating_sub(REMEMBERED_CRAWLS);
            crawler.crawls.drain(..surplus);
            Ok(targets)
        })?;
        let stop = self.inner.stopping.child_token();
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), stop.clone());
        let glue = self.clone();
        self.inner.crawls.spawn(async move { glue.run_crawl(name, id, targets, stop).await });
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
        input.refuse("Filters")?;
        self.read(|catalog| {
            let newest_first: Vec<Value> = catalog.crawler(name)?.crawls.iter().rev().map(Crawl::to_api).collect();
            let (crawls, token) = page(&newest_first, input, 1000)?;
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

    /// A crawl from its start to the crawler's being ready again.
    async fn run_crawl(self, name: String, id: String, targets: Result<Vec<Target>, CrawlError>, stop: CancellationToken) {
        let began = Instant::now();
        let root = self.inner.s3_root.clone();
        let work = tokio::task::spawn_blocking(move || {
            let mut missing = Vec::new();
            for target in targets? {
                missing.extend(target.crawl(&root)?);
            }
            Ok::<_, CrawlError>(missing)
        });
        let mut outcome = tokio::select! {
            () = stop.cancelled() => Outcome::Stopped,
            result = work => match result {
                Ok(Ok(missing)) => Outcome::Found(missing),
                Ok(Err(error)) => Outcome::Failed(error.to_string()),
                Err(error) => Outcome::Failed(format!("The crawl broke off: {error}.")),
            },
        };
        tokio::select! {
            () = stop.cancelled() => outcome = Outcome::Stopped,
            () = tokio::time::sleep_until(began + self.inner.crawl_takes_at_least) => {}
        }
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
        let glue = self.clone();
        let ended = tokio::task::spawn_blocking(move || glue.finish_crawl(&name, &id, outcome)).await;
        match ended {
            Ok(Ok(Some(ended))) => (self.inner.crawl_ended)(ended),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::error!(%error, "A crawl's end could not be recorded."),
            Err(error) => tracing::error!(%error, "A crawl's end could not be recorded."),
        }
    }

    /// Adds the partitions and makes the crawler ready, in one change of the catalog.
    fn finish_crawl(&self, name: &str, id: &str, outcome: Outcome) -> Result<Option<CrawlEnded>, ApiError> {
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
            let ended = now();
            crawl.state = state;
            crawl.ended = Some(ended);
            crawl.error.clone_from(&error);
            crawl.created = created;
            match &error {
                None => tracing::debug!(crawler = name, partitions_created, "A crawl ended."),
                Some(error) => tracing::warn!(crawler = name, %error, "A crawl failed."),
            }
            Ok((state != CrawlState::Stopped).then(|| CrawlEnded {
                crawler: name.to_owned(),
                crawl_id: id.to_owned(),
                state,
                error,
                partitions_created,
                started: crawl.started,
                ended,
            }))
        })
    }
}

impl Crawler {
    fn to_api(&self) -> Value {
        let mut api = self.definition.clone();
        api.remove("Tags");
        let state = serde_json::to_value(self.state).unwrap_or_default();
        let elapsed = match self.crawls.last() {
            Some(crawl) if self.state != CrawlerState::Ready => ((now() - crawl.started).max(0.0) * 1000.0) as i64,
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

    fn metrics(&self, name: &str) -> Value {
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
    fn to_api(&self) -> Value {
        let mut api = Map::new();
        let duration = Duration::from_secs_f64((self.ended.unwrap_or_else(now) - self.started).max(0.0));
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
        api.insert("DPUHour".to_owned(), json!(duration.as_secs_f64() / 3600.0));
        Value::Object(api)
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

/// A table that a crawler is to look at.
struct DeclaredTarget {
    database: String,
    table: String,
    new_only: bool,
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

fn running(name: &str) -> ApiError {
    ApiError::new("CrawlerRunningException", format!("Crawler with name {name} has already started"))
}
