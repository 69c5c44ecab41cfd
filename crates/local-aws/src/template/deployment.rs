//! What a template deploys, as far as it runs on one machine.

use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything the local stack reads from a template, with all references resolved. Each list is in order of logical ids.
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    /// Lambda functions that are built from source in the repository.
    pub functions: Vec<Function>,
    /// SQS queues.
    pub queues: Vec<Queue>,
    /// S3 buckets.
    pub buckets: Vec<Bucket>,
    /// Glue databases.
    pub databases: Vec<Database>,
    /// Glue tables.
    pub tables: Vec<Table>,
    /// Glue crawlers.
    pub crawlers: Vec<Crawler>,
    /// Athena workgroups.
    pub workgroups: Vec<Workgroup>,
    /// Athena named queries.
    pub named_queries: Vec<NamedQuery>,
}

impl Deployment {
    /// The function with this logical id.
    pub fn function(&self, logical_id: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.logical_id == logical_id)
    }

    /// The queue with this logical id.
    pub fn queue(&self, logical_id: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.logical_id == logical_id)
    }

    /// The bucket with this logical id.
    pub fn bucket(&self, logical_id: &str) -> Option<&Bucket> {
        self.buckets.iter().find(|bucket| bucket.logical_id == logical_id)
    }
}

/// A Lambda function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its key in the template.
    pub logical_id: String,
    /// Its physical name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The binary that is built for it: `Metadata.BuildProperties.Binary`, else the last part of `CodeUri`.
    pub binary: String,
    /// Environment variables, those of `Globals` included.
    pub environment: BTreeMap<String, String>,
    /// The longest that one invocation may take.
    pub timeout: Duration,
    /// Memory in MB.
    pub memory_mb: u32,
    /// `ReservedConcurrentExecutions`.
    pub reserved_concurrency: Option<u32>,
    /// `LoggingConfig.LogFormat`: `JSON` or `Text`.
    pub log_format: Option<String>,
    /// `LoggingConfig.ApplicationLogLevel`.
    pub log_level: Option<String>,
    /// `ScheduleV2` and `Schedule` events.
    pub schedules: Vec<ScheduleTrigger>,
    /// `SelfManagedKafka` and `MSK` events.
    pub kafka: Vec<KafkaTrigger>,
    /// `SQS` events.
    pub queues: Vec<QueueTrigger>,
    /// `EventBridgeRule` and `CloudWatchEvent` events.
    pub rules: Vec<RuleTrigger>,
}

/// A rule on the default event bus that invokes a function.
#[derive(Debug, Clone)]
pub struct RuleTrigger {
    /// Its key under the function's `Events`.
    pub name: String,
    /// The event pattern, in EventBridge's own form.
    pub pattern: Json,
    /// What the function is given instead of the event.
    pub input: Option<String>,
    /// False if the template switches it off.
    pub enabled: bool,
}

/// An event that invokes a function on a schedule.
#[derive(Debug, Clone)]
pub struct ScheduleTrigger {
    /// Its key under the function's `Events`.
    pub name: String,
    /// `rate(…)`, `cron(…)` or `at(…)`.
    pub expression: String,
    /// IANA name of the time zone that a cron expression is in; UTC if none is given.
    pub timezone: Option<String>,
    /// The payload, with `<aws.scheduler.…>` context attributes not yet replaced.
    pub input: Option<String>,
    /// What to do when the target cannot be invoked.
    pub retry: Option<RetryPolicy>,
    /// False if the template switches it off.
    pub enabled: bool,
}

/// A scheduler's retry policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// `MaximumRetryAttempts`.
    pub maximum_attempts: Option<u32>,
    /// `MaximumEventAgeInSeconds`.
    pub maximum_age: Option<Duration>,
}

/// Where a mapping starts in a topic for which no offset is committed yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StartingPosition {
    /// At the oldest record (`TRIM_HORIZON`).
    #[default]
    TrimHorizon,
    /// After the newest record (`LATEST`).
    Latest,
}

/// An event source mapping that reads a Kafka topic.
#[derive(Debug, Clone)]
pub struct KafkaTrigger {
    /// Its key under the function's `Events`.
    pub name: String,
    /// The topic.
    pub topic: String,
    /// The consumer group under which offsets are committed. AWS makes up a random one if the template gives none.
    pub consumer_group: Option<String>,
    /// `host:port` of the brokers, as the template gives them; empty for MSK.
    pub bootstrap_servers: Vec<String>,
    /// The most records in one event.
    pub batch_size: usize,
    /// The longest that records are gathered. 500 ms if the template gives none, as on AWS.
    pub batch_window: Duration,
    /// Where to start without a committed offset.
    pub starting_position: StartingPosition,
    /// False if the template switches it off.
    pub enabled: bool,
}

/// An event source mapping that reads an SQS queue.
#[derive(Debug, Clone)]
pub struct QueueTrigger {
    /// Its key under the function's `Events`.
    pub name: String,
    /// The logical id of the queue.
    pub queue: String,
    /// The most messages in one event.
    pub batch_size: usize,
    /// The longest that messages are gathered.
    pub batch_window: Duration,
    /// Whether the function's response names the messages that failed (`ReportBatchItemFailures`).
    pub partial_batch_responses: bool,
    /// False if the template switches it off.
    pub enabled: bool,
}

/// An SQS queue.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Its key in the template.
    pub logical_id: String,
    /// Its physical name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// What `Ref` gives.
    pub url: String,
    /// How long a received message stays hidden from others.
    pub visibility_timeout: Duration,
    /// Where messages go that were received too often.
    pub redrive: Option<Redrive>,
}

/// A redrive policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// The logical id of the dead-letter queue.
    pub dead_letter_queue: String,
    /// A message that was received this often is moved at the next receive.
    pub max_receive_count: u32,
}

/// An S3 bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Its key in the template.
    pub logical_id: String,
    /// Its physical name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Notifications to queues.
    pub notifications: Vec<Notification>,
}

/// A bucket's notification rule whose target is a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The event, such as `s3:ObjectCreated:*`.
    pub event: String,
    /// Keys must start with this; empty for all.
    pub prefix: String,
    /// Keys must end with this; empty for all.
    pub suffix: String,
    /// The logical id of the queue.
    pub queue: String,
}

impl Notification {
    /// Whether an event (such as `ObjectCreated:Put`, with or without `s3:` before it) on an object's key is told to the queue.
    pub fn matches(&self, event: &str, key: &str) -> bool {
        let wanted = self.event.strip_prefix("s3:").unwrap_or(&self.event);
        let event = event.strip_prefix("s3:").unwrap_or(event);
        let same = match wanted.strip_suffix('*') {
            Some(start) => event.starts_with(start),
            None => event == wanted,
        };
        same && key.starts_with(&self.prefix) && key.ends_with(&self.suffix)
    }
}

/// A Glue database.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its key in the template.
    pub logical_id: String,
    /// Its name.
    pub name: String,
    /// Glue's `DatabaseInput`, in Glue's own field names.
    pub input: Json,
}

/// A Glue table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its key in the template.
    pub logical_id: String,
    /// The database's name.
    pub database: String,
    /// Its name.
    pub name: String,
    /// Glue's `TableInput`, in Glue's own field names: `StorageDescriptor` with `Columns`, `Location` and `SerdeInfo`,
    /// `PartitionKeys`, `Parameters` (values always texts).
    pub input: Json,
}

/// A Glue crawler.
#[derive(Debug, Clone)]
pub struct Crawler {
    /// Its key in the template.
    pub logical_id: String,
    /// Its name.
    pub name: String,
    /// The database's name.
    pub database: Option<String>,
    /// Glue's `CrawlerTargets`.
    pub targets: Json,
    /// Glue's `SchemaChangePolicy`; null if none is given.
    pub schema_change_policy: Json,
    /// Glue's `RecrawlPolicy`; null if none is given.
    pub recrawl_policy: Json,
    /// The crawler's configuration, itself a JSON text.
    pub configuration: Option<String>,
    /// Put before the names of tables that the crawler makes.
    pub table_prefix: Option<String>,
    /// The role's name or ARN.
    pub role: Option<String>,
}

/// An Athena workgroup.
#[derive(Debug, Clone)]
pub struct Workgroup {
    /// Its key in the template.
    pub logical_id: String,
    /// Its name.
    pub name: String,
    /// Where results go, as an `s3://` URL.
    pub output_location: Option<String>,
    /// `BytesScannedCutoffPerQuery`.
    pub bytes_scanned_cutoff: Option<u64>,
    /// Whether the workgroup's settings win over a client's. True unless the template says otherwise, as on AWS.
    pub enforced: bool,
    /// Athena's `WorkGroupConfiguration`; null if none is given.
    pub configuration: Json,
}

/// An Athena named query.
#[derive(Debug, Clone)]
pub struct NamedQuery {
    /// Its key in the template.
    pub logical_id: String,
    /// Its name; the logical id if none is given.
    pub name: String,
    /// The database's name.
    pub database: String,
    /// The SQL text.
    pub query: String,
    /// What it is for.
    pub description: Option<String>,
    /// The workgroup's name.
    pub workgroup: Option<String>,
}
