//! The local stack: every part of the template that runs, wired as the template says.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use local_aws::eventbridge::{Bus, Pattern, Rule};
use local_aws::gateway::Gateway;
use local_aws::lambda::{Function, FunctionConfig, Lambda, LambdaConfig};
use local_aws::mapping::{KafkaMapping, KafkaMappingConfig, Progress};
use local_aws::s3::ObjectCreated;
use local_aws::scheduler::{Expression, Schedule, ScheduleConfig, Ticks};
use local_aws::sqs::{Queue, QueueConfig, QueueEndpoint, QueueMapping, QueueMappingConfig, Redrive};
use local_aws::template::{self, Deployment};
use tokio::sync::{Mutex, mpsc, watch};

use super::activity::Activity;
use super::freshness::Freshness;
use super::kafka::{CONSUMER_GROUP, Kafka};
use super::plan::Plan;
use crate::data_folder::{DataFolder, Endpoints};
use crate::deployment;
use crate::failure::Failure;
use crate::lake::Lake;

/// The batch window unless the template's is kept.
const BATCH_WINDOW: Duration = Duration::from_secs(1);
/// How soon a notification that failed is tried again, unless the template's timeout is kept.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a crawl takes at the least where AWS's delays are kept: a real one starts a cluster first.
const CRAWL_AS_DEPLOYED: Duration = Duration::from_secs(60);

/// The running stack.
pub(crate) struct Stack {
    endpoints: Endpoints,
    lake: Lake,
    kafka: Kafka,
    gateway: Gateway,
    lambda: Lambda,
    /// Empty once fetching was stopped.
    schedules: Mutex<Vec<Schedule>>,
    kafka_mappings: Vec<KafkaMapping>,
    queue_mappings: Vec<QueueMapping>,
    events: Bus,
    dead_letters: Vec<Queue>,
    crawlers: Vec<String>,
    freshness: Arc<Freshness>,
}

/// What the display watches of a stack.
pub(crate) struct Sight {
    /// How far each Kafka mapping is.
    pub(crate) progress: Vec<watch::Receiver<Progress>>,
    /// How fresh the lake is.
    pub(crate) freshness: Arc<Freshness>,
    /// The lake, for SQL.
    pub(crate) lake: Lake,
}

impl Stack {
    /// Starts everything, fetching last.
    pub(crate) async fn start(plan: &Plan, folder: &DataFolder, activity: Arc<Activity>) -> Result<Self, Failure> {
        let data = folder.path();
        // The topic's name is the template's, which can be read before the broker is there.
        let kafka = Kafka::start(plan, data, &plan.deployment("127.0.0.1:0")?).await?;
        let deployment = plan.deployment(&kafka.bootstrap_servers())?;

        let queues = queues(&deployment, &data.join("sqs"))?;
        let freshness = Arc::new(Freshness::default());
        let events = Bus::default();
        let gateway = gateway(plan, &deployment, data, &queues, &freshness, &activity, &events).await?;
        let endpoints = Endpoints { aws: gateway.address(), kafka: kafka.bootstrap_servers(), broker: kafka.kind(data) };
        let lake = Lake::at(&endpoints, &deployment).await?;
        remind(&lake, &deployment, &queues).await?;

        let config = LambdaConfig { port: 0, logs: data.join("logs") };
        let lambda = Lambda::start(config).await.map_err(|error| Failure::new("the Lambda stand-in cannot start", error))?;
        gateway.serve_functions(&lambda);
        let binaries = binaries(&deployment)?;
        let client_environment: BTreeMap<_, _> = gateway.client_environment().into_iter().collect();

        let mut stack = Self {
            endpoints,
            lake,
            kafka,
            gateway,
            lambda,
            schedules: Mutex::default(),
            kafka_mappings: Vec::new(),
            queue_mappings: Vec::new(),
            events,
            dead_letters: dead_letters(&deployment, &queues),
            crawlers: deployment.crawlers.iter().map(|crawler| crawler.name.clone()).collect(),
            freshness,
        };
        for function in &deployment.functions {
            let environment = environment(plan, function, &stack.kafka, &client_environment);
            let added = stack.lambda.add(FunctionConfig {
                name: function.binary.clone(),
                arn: function.arn.clone(),
                binary: binaries.join(&function.binary),
                environment,
                timeout: function.timeout,
                memory_mb: function.memory_mb,
                concurrency: 1,
                observer: Some(Arc::clone(&activity) as _),
            });
            let added = added.map_err(|error| Failure::new(format_args!("{} cannot run", function.binary), error))?;
            stack.connect(plan, function, added, &queues)?;
        }
        Ok(stack)
    }

    /// Starts what invokes a function.
    fn connect(
        &mut self,
        plan: &Plan,
        function: &template::Function,
        added: Function,
        queues: &BTreeMap<String, Queue>,
    ) -> Result<(), Failure> {
        let invoke = Arc::new(added);
        for trigger in &function.kafka {
            let mut config = KafkaMappingConfig::from_trigger(trigger, &self.kafka.bootstrap_servers(), CONSUMER_GROUP);
            config.security = self.kafka.consumer();
            if !plan.as_deployed {
                config.batch_window = config.batch_window.min(BATCH_WINDOW);
            }
            let mapping = KafkaMapping::start(config, Arc::clone(&invoke) as _);
            self.kafka_mappings.push(mapping.map_err(|error| Failure::new("the Kafka mapping cannot start", error))?);
        }
        for trigger in &function.queues {
            let Some(queue) = queues.get(&trigger.queue) else { continue };
            let mut config = QueueMappingConfig::from_trigger(trigger);
            if !plan.as_deployed {
                config.batch_window = Duration::ZERO;
                config.retry_after = Some(RETRY_AFTER);
            }
            self.queue_mappings.push(QueueMapping::start(config, queue.clone(), Arc::clone(&invoke) as _));
        }
        for trigger in &function.schedules {
            let every = plan.every.filter(|_| function.binary == "fetch-quotes");
            let ticks = match every {
                Some(every) => Ticks::Every(every),
                None => Ticks::Expression(
                    Expression::parse(&trigger.expression, trigger.timezone.as_deref())
                        .map_err(|error| Failure::new(format_args!("the schedule {} cannot run", trigger.name), error))?,
                ),
            };
            let arn = format!("arn:aws:scheduler:us-east-1:000000000000:schedule/default/{}", trigger.name);
            let config = ScheduleConfig { arn, ticks, input: trigger.input.clone() };
            self.schedules.get_mut().push(Schedule::start(config, Arc::clone(&invoke) as _));
        }
        for trigger in function.rules.iter().filter(|trigger| trigger.enabled) {
            let pattern = Pattern::parse(&trigger.pattern);
            let pattern = pattern.map_err(|error| Failure::new(format_args!("the rule {} cannot run", trigger.name), error))?;
            let (name, input) = (trigger.name.clone(), trigger.input.clone());
            self.events.add(Rule { name, pattern, input, function: Arc::clone(&invoke) as _ });
        }
        Ok(())
    }

    /// Returns once its Kafka has ended for good, and says why.
    pub(crate) async fn kafka_ended(&self) -> Failure {
        self.kafka.ended().await
    }

    /// Where it listens.
    pub(crate) fn endpoints(&self) -> Endpoints {
        self.endpoints.clone()
    }

    /// The lake, for SQL.
    pub(crate) fn lake(&self) -> &Lake {
        &self.lake
    }

    /// What the display watches.
    pub(crate) fn sight(&self) -> Sight {
        let progress = self.kafka_mappings.iter().map(KafkaMapping::progress).collect();
        Sight { progress, freshness: Arc::clone(&self.freshness), lake: self.lake.clone() }
    }

    /// No more fetches; lets one that is under way end.
    pub(crate) async fn stop_fetching(&self) {
        for schedule in self.schedules.lock().await.drain(..) {
            schedule.stop().await;
        }
    }

    /// Returns once every record that is in Kafka now is stored and every notification worked off.
    pub(crate) async fn drain(&self) -> Result<(), Failure> {
        self.stop_fetching().await;
        for mapping in &self.kafka_mappings {
            mapping.drain().await.map_err(|error| Failure::new("the Kafka mapping ended before all was stored", error))?;
        }
        for mapping in &self.queue_mappings {
            mapping.drain().await;
        }
        for crawler in &self.crawlers {
            self.lake.crawl_ended(crawler).await?;
        }
        self.events.idle().await;
        let dead: usize = self.dead_letters.iter().map(Queue::len).sum();
        if dead > 0 {
            return Err(Failure::plain(format_args!("{dead} notification(s) ended in a dead-letter queue: see the log of start-crawler")));
        }
        Ok(())
    }

    /// Ends everything, in the order of the way of a quote.
    pub(crate) async fn stop(self) {
        self.stop_fetching().await;
        for mapping in self.kafka_mappings {
            mapping.stop().await;
        }
        for mapping in self.queue_mappings {
            mapping.stop().await;
        }
        self.events.stop().await;
        self.lambda.stop().await;
        self.gateway.stop().await;
        self.kafka.stop().await;
    }
}

/// The queues by logical id, dead-letter queues opened before those that refer to them.
fn queues(deployment: &Deployment, folder: &Path) -> Result<BTreeMap<String, Queue>, Failure> {
    let mut opened: BTreeMap<String, Queue> = BTreeMap::new();
    let (with_redrive, without): (Vec<_>, Vec<_>) = deployment.queues.iter().partition(|queue| queue.redrive.is_some());
    for queue in without.into_iter().chain(with_redrive) {
        let redrive = queue.redrive.as_ref().and_then(|redrive| {
            let dead_letter_queue = opened.get(&redrive.dead_letter_queue)?.clone();
            Some(Redrive { dead_letter_queue, max_receive_count: redrive.max_receive_count })
        });
        let config = QueueConfig { name: queue.name.clone(), arn: queue.arn.clone(), visibility_timeout: queue.visibility_timeout };
        let queue_opened = Queue::open(folder, config, redrive);
        let queue_opened = queue_opened.map_err(|error| Failure::new(format_args!("the queue {} cannot be opened", queue.name), error))?;
        opened.insert(queue.logical_id.clone(), queue_opened);
    }
    Ok(opened)
}

fn dead_letters(deployment: &Deployment, queues: &BTreeMap<String, Queue>) -> Vec<Queue> {
    let names = deployment.queues.iter().filter_map(|queue| queue.redrive.as_ref()).map(|redrive| &redrive.dead_letter_queue);
    names.filter_map(|name| queues.get(name).cloned()).collect()
}

async fn gateway(
    plan: &Plan,
    declared: &Deployment,
    data: &Path,
    queues: &BTreeMap<String, Queue>,
    freshness: &Arc<Freshness>,
    activity: &Arc<Activity>,
    events: &Bus,
) -> Result<Gateway, Failure> {
    let mut config = deployment::gateway_config(data, declared);
    config.port = plan.port;
    let endpoint = |queue: &template::Queue| Some(QueueEndpoint { url: queue.url.clone(), queue: queues.get(&queue.logical_id)?.clone() });
    config.queues = declared.queues.iter().filter_map(endpoint).collect();
    if plan.as_deployed {
        config.crawl_takes_at_least = CRAWL_AS_DEPLOYED;
    }
    let (activity, events) = (Arc::clone(activity), events.clone());
    config.on_crawler_state_change = Arc::new(move |change| {
        activity.crawled(&change);
        events.put(&change.event());
    });

    let rules: Vec<_> = declared.buckets.iter().map(|bucket| (bucket.name.clone(), bucket.notifications.clone())).collect();
    let queues = queues.clone();
    let (written, files) = mpsc::unbounded_channel();
    let objects = data.join("s3");
    config.on_object_created = Arc::new(move |object| {
        notify(&rules, &queues, &object);
        let _ = written.send(objects.join(&object.bucket).join(&object.key));
    });
    watch_files(files, Arc::clone(freshness));
    Gateway::start(config).await.map_err(|error| Failure::new("the AWS endpoint cannot start", error))
}

/// Sends the notifications that the buckets' rules ask for.
fn notify(rules: &[(String, Vec<template::Notification>)], queues: &BTreeMap<String, Queue>, object: &ObjectCreated) {
    let rules = rules.iter().filter(|(bucket, _)| *bucket == object.bucket).flat_map(|(_, rules)| rules);
    for rule in rules.filter(|rule| rule.matches(object.event_name, &object.key)) {
        let Some(queue) = queues.get(&rule.queue) else { continue };
        if let Err(error) = queue.send(object.event().to_string()) {
            tracing::error!(queue = queue.name(), key = object.key, error = %error, "A notification could not be sent.");
        }
    }
}

/// Sends a notification again for each day in the lake that the catalog does not know: the one that was sent may have
/// been lost when an earlier run was killed between the write and the notification.
async fn remind(lake: &Lake, deployment: &Deployment, queues: &BTreeMap<String, Queue>) -> Result<(), Failure> {
    let rules: Vec<_> = deployment.buckets.iter().map(|bucket| (bucket.name.clone(), bucket.notifications.clone())).collect();
    for (key, size) in lake.objects_of_unknown_days().await? {
        let bucket = lake.bucket().to_owned();
        notify(&rules, queues, &ObjectCreated { bucket, key, size, etag: String::new(), event_name: "ObjectCreated:Put" });
    }
    Ok(())
}

/// Looks into the files written, on a thread that may wait for the disk.
fn watch_files(mut files: mpsc::UnboundedReceiver<PathBuf>, freshness: Arc<Freshness>) {
    tokio::task::spawn_blocking(move || {
        while let Some(file) = files.blocking_recv() {
            if file.extension().is_some_and(|extension| extension == "parquet") {
                freshness.look_into(&file);
            }
        }
    });
}

/// The variables of a function: the template's, with what is different on this machine.
fn environment(
    plan: &Plan,
    function: &template::Function,
    kafka: &Kafka,
    client_environment: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut environment = function.environment.clone();
    environment.extend(client_environment.clone());
    environment.insert("AWS_LAMBDA_LOG_FORMAT".to_owned(), function.log_format.clone().unwrap_or_else(|| "Text".to_owned()));
    if let Some(level) = &function.log_level {
        environment.insert("AWS_LAMBDA_LOG_LEVEL".to_owned(), level.clone());
    }
    if function.binary == "check-freshness" {
        environment.extend(plan.check_environment());
    }
    if function.binary == "fetch-quotes" {
        // The template's are references to secrets that only a deployment has.
        environment.retain(|variable, _| !matches!(variable.as_str(), "KAFKA_SECRET_ARN" | "KAFKA_CA_SECRET_ARN"));
        if plan.every.is_some() {
            // The schedule itself ticks that often.
            environment.remove("POLL_EVERY");
        }
        environment.extend(plan.fetch_environment.clone());
        environment.extend(kafka.producer_environment());
    }
    environment
}

/// The folder of the functions' binaries: they are built beside this one.
fn binaries(deployment: &Deployment) -> Result<PathBuf, Failure> {
    let this = env::current_exe().map_err(|error| Failure::new("cannot tell where this program lies", error))?;
    let folder = this.parent().unwrap_or(Path::new("."));
    for binary in deployment.functions.iter().map(|function| &function.binary) {
        if !folder.join(binary).is_file() {
            return Err(Failure::plain(format_args!(
                "the function {binary} is not beside this program in {}: build all with `cargo build --workspace`",
                folder.display()
            )));
        }
    }
    Ok(folder.to_owned())
}
