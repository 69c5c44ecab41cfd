//! The local services and the handler, wired as the template says, in a time of their own.
//!
//! Tokio's clock is paused and moved by hand. It would move by itself whenever nothing but sockets is waited for; a task on
//! a blocking thread keeps it from that.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_glue::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_glue::types::CrawlerState;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use local_aws::clock::Clock;
use local_aws::gateway::{Gateway, GatewayConfig};
use local_aws::glue::{Change, CrawlerStateChange};
use local_aws::lambda::{Invocation, Invoke, InvokeError, Outcome, Start};
use local_aws::protocol::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};
use local_aws::sqs::{Queue, QueueConfig, QueueEndpoint, QueueMapping, QueueMappingConfig, Redrive};
use local_aws::template::{Deployment, Settings};
use serde_json::json;
use start_crawler::config::Config;
use start_crawler::handler::{Clients, Handler};
use tempfile::TempDir;

use crate::notices::Notices;

const TEMPLATE: &str = include_str!("../../../../template.yaml");

/// How long a crawl takes; it lists the lake after half of that.
pub(crate) const CRAWL: i64 = 60;

/// How often the world is looked at before a test fails that waits for it to settle.
const LOOKS: usize = 1_000_000;

/// Everything that a test needs. Its clock moves only by [`World::pass`].
pub(crate) struct World {
    pub(crate) clients: Clients,
    pub(crate) athena: aws_sdk_athena::Client,
    pub(crate) deployment: Deployment,
    pub(crate) notices: Notices,
    pub(crate) queue: Queue,
    pub(crate) dead_letters: Queue,
    pub(crate) crawls: Arc<Mutex<Vec<CrawlerStateChange>>>,
    mapping: QueueMapping,
    now: Arc<AtomicI64>,
    gateway: Gateway,
    _folder: TempDir,
    /// Dropped last: lets the blocking thread end that keeps the clock still.
    _still: mpsc::Sender<()>,
}

impl World {
    /// Begins at this time, with no object and no crawl.
    pub(crate) async fn begin(start: &str) -> Self {
        let (still, ended) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || ended.recv());
        let start: DateTime<Utc> = start.parse().unwrap();
        let now = Arc::new(AtomicI64::new(start.timestamp_millis()));
        let clock = {
            let now = Arc::clone(&now);
            move || DateTime::from_timestamp_millis(now.load(Ordering::SeqCst)).unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.parameters.insert("ExistingBootstrapServers".to_owned(), "127.0.0.1:9092".to_owned());
        let deployment = Deployment::parse(TEMPLATE, &settings).unwrap();
        let function = deployment.functions.iter().find(|function| function.binary == "start-crawler").unwrap().clone();
        let trigger = function.queues[0].clone();

        let queues = queues(&deployment, &folder);
        let mut config = GatewayConfig::new(folder.path().to_owned());
        config.buckets = deployment.buckets.iter().map(|bucket| bucket.name.clone()).collect();
        config.queues = deployment
            .queues
            .iter()
            .map(|queue| QueueEndpoint { url: queue.url.clone(), queue: queues[&queue.logical_id].clone() })
            .collect();
        config.glue.databases = deployment.databases.iter().map(|found| json!({ "DatabaseInput": found.input })).collect();
        config.glue.tables =
            deployment.tables.iter().map(|found| json!({ "DatabaseName": found.database, "TableInput": found.input })).collect();
        config.glue.crawlers =
            deployment.crawlers.iter().map(|found| json!({ "Name": found.name, "Role": "crawler", "Targets": found.targets })).collect();
        config.crawl_takes_at_least = Duration::from_secs(CRAWL.unsigned_abs());
        config.clock = Clock::new(clock.clone());
        let notices = Notices::new(deployment.buckets.iter().flat_map(|bucket| bucket.notifications.clone()).collect());
        let (told, told_at) = (notices.clone(), clock.clone());
        config.on_object_created = Arc::new(move |object| told.landed(&object, told_at()));
        let crawls = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&crawls);
        config.on_crawler_state_change = Arc::new(move |change| told.lock().unwrap().push(change));
        let gateway = Gateway::start(config).await.unwrap();

        let aws = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(gateway.endpoint_url())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "test")))
            .build();
        let clients =
            Clients { glue: aws_sdk_glue::Client::new(&aws), s3: aws_sdk_s3::Client::new(&aws), sqs: aws_sdk_sqs::Client::new(&aws) };
        // What the template gives the function is all that it needs.
        let config = Config::from_env(|name| function.environment.get(name).cloned()).unwrap();
        let handler = Handler::new(clients.clone(), config, Arc::new(clock));
        let queue = queues[&trigger.queue].clone();
        let dead_letters = queues[&deployment.queue(&trigger.queue).unwrap().redrive.as_ref().unwrap().dead_letter_queue].clone();
        let mapping = QueueMapping::start(
            QueueMappingConfig::from_trigger(&trigger),
            queue.clone(),
            Arc::new(InProcess { handler, timeout: function.timeout }),
        );
        let athena = aws_sdk_athena::Client::new(&aws);
        Self { clients, athena, deployment, notices, queue, dead_letters, crawls, mapping, now, gateway, _folder: folder, _still: still }
    }

    /// The present time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.now.load(Ordering::SeqCst)).unwrap()
    }

    /// The lake's bucket.
    pub(crate) fn bucket(&self) -> &str {
        &self.deployment.bucket("LakeBucket").unwrap().name
    }

    /// The crawler.
    pub(crate) fn crawler(&self) -> &str {
        &self.deployment.crawlers[0].name
    }

    /// Puts an object.
    pub(crate) async fn put(&self, key: &str, content: Vec<u8>) {
        self.clients.s3.put_object().bucket(self.bucket()).key(key).body(content.into()).send().await.unwrap();
    }

    /// Lets one second pass, and all happen that happens in it.
    pub(crate) async fn second(&self) {
        self.now.fetch_add(1000, Ordering::SeqCst);
        tokio::time::advance(Duration::from_secs(1)).await;
        self.notices.deliver(&self.queue, self.now());
        self.settle().await;
    }

    /// Lets seconds pass, one by one.
    pub(crate) async fn pass(&self, seconds: i64) {
        for _ in 0..seconds {
            self.second().await;
        }
    }

    /// Lets hours pass in which nothing lands.
    pub(crate) async fn until(&self, time: DateTime<Utc>) {
        let left = (time - self.now()).to_std().unwrap();
        self.now.fetch_add(i64::try_from(left.as_millis()).unwrap(), Ordering::SeqCst);
        tokio::time::advance(left).await;
        self.notices.deliver(&self.queue, self.now());
        self.settle().await;
    }

    /// How many crawls began so far.
    pub(crate) fn crawls_begun(&self) -> usize {
        self.crawls.lock().unwrap().iter().filter(|crawl| crawl.change == Change::Started).count()
    }

    /// Waits until nothing is left to do at this moment.
    async fn settle(&self) {
        let progress = self.mapping.progress();
        for look in 0..LOOKS {
            // What was woken gets its turn before it is asked whether it is at work.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            let at_work = progress.borrow().in_flight || self.queue.counts().visible > 0;
            if !at_work && !self.crawl_is_due().await {
                return;
            }
            // A client that waits before it tries again needs the clock to move.
            if look % 100_000 == 99_999 {
                tokio::time::advance(Duration::from_millis(100)).await;
            }
        }
        panic!("nothing settles at {}: {:?}, {:?}", self.now(), *progress.borrow(), self.queue.counts());
    }

    /// Whether a crawl has had its time and is not recorded as ended.
    async fn crawl_is_due(&self) -> bool {
        let newest = self.crawls.lock().unwrap().last().cloned();
        let due = newest.is_some_and(|newest| newest.change == Change::Started && (self.now() - newest.started).num_seconds() >= CRAWL);
        // One that was stopped does not tell its end.
        due && self.clients.glue.get_crawler().name(self.crawler()).send().await.unwrap().crawler.unwrap().state
            != Some(CrawlerState::Ready)
    }

    /// Ends everything.
    pub(crate) async fn end(self) {
        self.mapping.stop().await;
        // It gives requests under way some time, which passes only by hand.
        let stopping = self.gateway.stop();
        tokio::pin!(stopping);
        while futures::poll!(&mut stopping).is_pending() {
            tokio::time::advance(Duration::from_millis(10)).await;
        }
    }
}

/// The template's queues by logical id.
fn queues(deployment: &Deployment, folder: &TempDir) -> BTreeMap<String, Queue> {
    let mut opened: BTreeMap<String, Queue> = BTreeMap::new();
    let (with_redrive, without): (Vec<_>, Vec<_>) = deployment.queues.iter().partition(|queue| queue.redrive.is_some());
    for queue in without.into_iter().chain(with_redrive) {
        let redrive = queue.redrive.as_ref().map(|redrive| Redrive {
            dead_letter_queue: opened[&redrive.dead_letter_queue].clone(),
            max_receive_count: redrive.max_receive_count,
        });
        let config = QueueConfig { name: queue.name.clone(), arn: queue.arn.clone(), visibility_timeout: queue.visibility_timeout };
        opened.insert(queue.logical_id.clone(), Queue::open(&folder.path().join("sqs"), config, redrive).unwrap());
    }
    opened
}

/// The handler in this process, as Lambda calls it.
struct InProcess {
    handler: Handler,
    timeout: Duration,
}

#[async_trait]
impl Invoke for InProcess {
    fn name(&self) -> &str {
        "start-crawler"
    }

    async fn invoke(&self, payload: Bytes) -> Result<Invocation, InvokeError> {
        let response = self.handler.handle(serde_json::from_slice(&payload).unwrap(), self.timeout).await.unwrap();
        Ok(Invocation {
            request_id: "test".into(),
            outcome: Outcome::Success(serde_json::to_vec(&response).unwrap().into()),
            duration: Duration::ZERO,
            init_duration: None,
            peak_memory: None,
            start: Start::Warm,
        })
    }
}
