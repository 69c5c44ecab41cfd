//! Glue for one machine: the Data Catalog and the crawler, over their own JSON protocol.
//!
//! The catalog is one JSON file, replaced as a whole at every change, so that whatever was acknowledged outlives a
//! `kill -9`. A crawl really lists the table's prefix and reads Parquet footers ([`crawl`]).

mod catalog;
mod crawl;
mod crawl_filter;
mod crawl_run;
mod crawler_shapes;
mod crawlers;
mod databases;
mod error;
mod events;
mod expression;
mod name_pattern;
mod parquet_schema;
mod partitions;
mod seed;
mod store;
mod tables;
mod types;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use error::GlueError;
pub use events::{Change, CrawlerStateChange, CrawlerStateChangeHook};
pub use seed::GlueSeed;

pub(crate) use catalog::{Catalog, Column, Table};
pub(crate) use name_pattern::matches as name_matches;
pub(crate) use types::arrow_type;

use crate::clock::Clock;
use crate::protocol::{ApiError, ApiResult, Input};
use store::CatalogFile;

/// What Glue calls a bad request.
const INVALID_INPUT: &str = "InvalidInputException";

/// A handle to the catalog and its crawlers; clones share them.
#[derive(Clone)]
pub struct Glue {
    inner: Arc<Inner>,
}

/// What crawls go by.
pub(crate) struct Crawling {
    /// The folder that holds the buckets: crawls read it directly.
    pub(crate) s3_root: PathBuf,
    /// How long each lasts at the least; it lists the lake when half of that has passed.
    pub(crate) takes_at_least: Duration,
    /// What dates them.
    pub(crate) clock: Clock,
    /// Who is told of each one's begin and end.
    pub(crate) state_change: CrawlerStateChangeHook,
}

struct Inner {
    /// What the file says, too: a change is written before it is seen here.
    catalog: Mutex<Catalog>,
    file: CatalogFile,
    crawling: Crawling,
    crawls: TaskTracker,
    /// The crawls under way, by crawler: cancelled by StopCrawler.
    running: Mutex<HashMap<String, CancellationToken>>,
    stopping: CancellationToken,
}

impl Glue {
    /// Opens the catalog in `folder`, making it if there is none. A crawl that was under way when the process died
    /// has failed, and its crawler is ready again.
    pub(crate) fn open(folder: &Path, crawling: Crawling) -> Result<Self, GlueError> {
        let file = CatalogFile::in_folder(folder)?;
        let mut catalog = file.load()?;
        catalog.end_interrupted_crawls(crawling.clock.seconds());
        let inner = Inner {
            catalog: Mutex::new(catalog),
            file,
            crawling,
            crawls: TaskTracker::new(),
            running: Mutex::default(),
            stopping: CancellationToken::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Answers one request. The work is on files, so it runs beside the async threads.
    pub(crate) async fn call(&self, operation: &str, body: &[u8]) -> ApiResult {
        let input = Input::parse(body, INVALID_INPUT)?;
        let (glue, operation) = (self.clone(), operation.to_owned());
        tokio::task::spawn_blocking(move || glue.dispatch(&operation, input))
            .await
            .unwrap_or_else(|error| Err(ApiError::new("InternalServiceException", error.to_string())))
    }

    fn dispatch(&self, operation: &str, input: Input) -> ApiResult {
        match operation {
            "CreateDatabase" => self.create_database(&input),
            "UpdateDatabase" => self.update_database(&input),
            "DeleteDatabase" => self.delete_database(&input),
            "GetDatabase" => self.get_database(&input),
            "GetDatabases" => self.get_databases(&input),
            "CreateTable" => self.create_table(&input),
            "UpdateTable" => self.update_table(&input),
            "GetTable" => self.get_table(&input),
            "GetTables" => self.get_tables(&input),
            "DeleteTable" => self.delete_table(&input),
            "BatchDeleteTable" => self.batch_delete_table(&input),
            "CreatePartition" => self.create_partition(&input),
            "BatchCreatePartition" => self.batch_create_partition(&input),
            "GetPartition" => self.get_partition(&input),
            "GetPartitions" => self.get_partitions(&input),
            "BatchGetPartition" => self.batch_get_partition(&input),
            "UpdatePartition" => self.update_partition(&input),
            "BatchUpdatePartition" => self.batch_update_partition(&input),
            "DeletePartition" => self.delete_partition(&input),
            "BatchDeletePartition" => self.batch_delete_partition(&input),
            "CreateCrawler" => self.create_crawler(input),
            "UpdateCrawler" => self.update_crawler(input),
            "DeleteCrawler" => self.delete_crawler(&input),
            "GetCrawler" => self.get_crawler(&input),
            "GetCrawlers" => self.get_crawlers(&input),
            "BatchGetCrawlers" => self.batch_get_crawlers(&input),
            "ListCrawlers" => self.list_crawlers(&input),
            "StartCrawler" => self.start_crawler(&input),
            "StopCrawler" => self.stop_crawler(&input),
            "ListCrawls" => self.list_crawls(&input),
            "GetCrawlerMetrics" => self.get_crawler_metrics(&input),
            other => Err(ApiError::new("UnknownOperationException", format!("Glue's {other} is not served by the local stack."))),
        }
    }

    /// Looks at the catalog as it is now.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Catalog) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the catalog: all of it and on disk, or not at all.
    fn change<T>(&self, change: impl FnOnce(&mut Catalog) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let mut catalog = self.lock();
        let mut next = catalog.clone();
        let answer = change(&mut next)?;
        self.inner.file.save(&next).map_err(|error| {
            tracing::error!(%error, "The catalog could not be written.");
            ApiError::new("InternalServiceException", "The catalog could not be written.")
        })?;
        *catalog = next;
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Catalog> {
        self.inner.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cancels the crawls under way and waits for them.
    pub(crate) async fn stop(&self) {
        self.inner.stopping.cancel();
        self.inner.crawls.close();
        self.inner.crawls.wait().await;
    }
}
