//! What the gateway is told at start.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::athena::AthenaSeed;
use crate::clock::Clock;
use crate::glue::{CrawlerStateChangeHook, GlueSeed};
use crate::s3::ObjectCreatedHook;
use crate::s3::faults::Faults;
use crate::sqs::QueueEndpoint;

/// Port, folder, resources and who is told of what happens.
pub struct GatewayConfig {
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The data folder: `s3/`, `glue/` and `athena/` are made in it.
    pub data_dir: PathBuf,
    /// Buckets to make if they do not exist.
    pub buckets: Vec<String>,
    /// Told of every object created.
    pub on_object_created: ObjectCreatedHook,
    /// What goes wrong in S3: nothing, but in tests of what depends on it.
    pub faults: Faults,
    /// The queues that clients reach by their URLs.
    pub queues: Vec<QueueEndpoint>,
    /// Database, table and crawlers of the template.
    pub glue: GlueSeed,
    /// Told of every crawl that began or ended.
    pub on_crawler_state_change: CrawlerStateChangeHook,
    /// How long a crawl lasts at the least: zero, or minutes to see what a real crawler's slowness does. It lists what is there
    /// when half of that has passed.
    pub crawl_takes_at_least: Duration,
    /// What dates the crawls.
    pub clock: Clock,
    /// Work groups and named queries of the template.
    pub athena: AthenaSeed,
}

impl GatewayConfig {
    /// Any free port, no resources, and nobody told.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self {
            port: 0,
            data_dir,
            buckets: Vec::new(),
            on_object_created: Arc::new(|_| {}),
            faults: Faults::default(),
            queues: Vec::new(),
            glue: GlueSeed::default(),
            on_crawler_state_change: Arc::new(|_| {}),
            crawl_takes_at_least: Duration::ZERO,
            clock: Clock::default(),
            athena: AthenaSeed::default(),
        }
    }
}
