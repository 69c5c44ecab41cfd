//! Reads one `AWS::Serverless::Function` with its events.

use super::deployment::{Function, KafkaTrigger, QueueTrigger, RetryPolicy, RuleTrigger, ScheduleTrigger, StartingPosition};
use super::error::{Error, Place};
use super::node::Node;
use super::read::Properties;
use serde_json::Value as Json;
use std::time::Duration;

/// What AWS takes where a template says nothing.
const TIMEOUT: Duration = Duration::from_secs(3);
const MEMORY_MB: u32 = 128;
const KAFKA_BATCH_SIZE: usize = 100;
const KAFKA_BATCH_WINDOW: Duration = Duration::from_millis(500);
const QUEUE_BATCH_SIZE: usize = 10;

/// The properties of events that are read, and so resolved: others (subnets, secrets) may refer to what is not given here.
const EVENT_PROPERTIES: [&str; 18] = [
    "BatchSize",
    "ConsumerGroupId",
    "Enabled",
    "EventBusName",
    "FunctionResponseTypes",
    "Input",
    "InputPath",
    "KafkaBootstrapServers",
    "MaximumBatchingWindowInSeconds",
    "Pattern",
    "Queue",
    "RetryPolicy",
    "Schedule",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartingPosition",
    "State",
    "Topics",
];

/// `None` for a function that is not built from source here, such as one with inline code.
pub(super) fn read(properties: &Properties<'_>, globals: Option<&Json>) -> Result<Option<Function>, Error> {
    let Some(binary) = binary(properties)? else { return Ok(None) };
    let merged = Merged { properties, globals };
    let mut function = Function {
        logical_id: properties.logical_id.to_owned(),
        name: properties.name()?,
        arn: properties.attribute("Arn")?,
        binary,
        environment: Default::default(),
        timeout: merged.get("Timeout")?.map_or(Ok(TIMEOUT), |timeout| timeout.seconds())?,
        memory_mb: merged.get("MemorySize")?.map_or(Ok(MEMORY_MB), |memory| memory.number())?,
        reserved_concurrency: merged.get("ReservedConcurrentExecutions")?.map(|limit| limit.number()).transpose()?,
        log_format: None,
        log_level: None,
        schedules: Vec::new(),
        kafka: Vec::new(),
        queues: Vec::new(),
        rules: Vec::new(),
    };
    if let Some(variables) = merged.get("Environment")?.and_then(|environment| environment.get("Variables")) {
        for (name, value) in variables.entries()? {
            function.environment.insert(name, value.text()?);
        }
    }
    if let Some(logging) = merged.get("LoggingConfig")? {
        function.log_format = logging.get("LogFormat").map(|format| format.text()).transpose()?;
        function.log_level = logging.get("ApplicationLogLevel").map(|level| level.text()).transpose()?;
    }
    events(properties, &mut function)?;
    Ok(Some(function))
}

fn binary(properties: &Properties<'_>) -> Result<Option<String>, Error> {
    let named = properties.resource.body.get("Metadata").and_then(|metadata| metadata.get("BuildProperties")?.get("Binary"));
    if let Some(named) = named {
        let at = Place::new(properties.logical_id, "Metadata.BuildProperties.Binary");
        return properties.resolved(named, at)?.map(|name| name.text()).transpose();
    }
    if properties.get("InlineCode")?.is_some() || properties.text("PackageType")?.as_deref() == Some("Image") {
        return Ok(None);
    }
    let folder = properties.require("CodeUri")?.text()?;
    Ok(folder.trim_end_matches('/').rsplit('/').next().map(str::to_owned))
}

/// A function's properties over those of `Globals`: mappings are merged, lists joined, anything else replaced.
struct Merged<'a> {
    properties: &'a Properties<'a>,
    globals: Option<&'a Json>,
}

impl Merged<'_> {
    fn get(&self, key: &str) -> Result<Option<Node>, Error> {
        let own = self.properties.get(key)?;
        let global = match self.globals.and_then(|globals| globals.get(key)) {
            Some(value) => self.properties.resolved(value, Place::new("Globals", format!("Function.{key}")))?,
            None => None,
        };
        Ok(match (global, own) {
            (Some(global), Some(own)) => Some(Node::new(merge(global.value, own.value), own.at)),
            (global, own) => own.or(global),
        })
    }
}

fn merge(global: Json, own: Json) -> Json {
    match (global, own) {
        (Json::Object(mut global), Json::Object(own)) => {
            for (key, value) in own {
                let value = match global.remove(&key) {
                    Some(below) => merge(below, value),
                    None => value,
                };
                global.insert(key, value);
            }
            Json::Object(global)
        }
        (Json::Array(mut global), Json::Array(own)) => {
            global.extend(own);
            Json::Array(global)
        }
        (_, own) => own,
    }
}

fn events(properties: &Properties<'_>, function: &mut Function) -> Result<(), Error> {
    let events = properties.resource.body.get("Properties").and_then(|all| all.get("Events")?.as_object());
    for (name, event) in events.into_iter().flatten() {
        let at = properties.place().child("Events").child(name);
        let Some(kind) = event.get("Type").and_then(Json::as_str) else {
            return Err(Error::MissingProperty { at: at.child("Type") });
        };
        if !matches!(kind, "ScheduleV2" | "Schedule" | "SelfManagedKafka" | "MSK" | "SQS" | "EventBridgeRule" | "CloudWatchEvent") {
            continue;
        }
        let at = at.child("Properties");
        let used = event.get("Properties").and_then(Json::as_object).into_iter().flatten();
        let used = used.filter(|(key, _)| EVENT_PROPERTIES.contains(&key.as_str()));
        let used = Json::Object(used.map(|(key, value)| (key.clone(), value.clone())).collect());
        let Some(event) = properties.resolved(&used, at.clone())? else {
            return Err(Error::MissingProperty { at });
        };
        match kind {
            "ScheduleV2" => function.schedules.push(scheduler(name, &event)?),
            "Schedule" => function.schedules.push(scheduling_rule(name, &event)?),
            "EventBridgeRule" | "CloudWatchEvent" => function.rules.push(rule(name, &event)?),
            "SQS" => function.queues.push(queue(properties, name, &event)?),
            _ => function.kafka.push(kafka(name, &event)?),
        }
    }
    Ok(())
}

/// `ScheduleV2`: EventBridge Scheduler.
fn scheduler(name: &str, event: &Node) -> Result<ScheduleTrigger, Error> {
    Ok(ScheduleTrigger {
        name: name.to_owned(),
        expression: event.require("ScheduleExpression")?.text()?,
        timezone: event.get("ScheduleExpressionTimezone").map(|zone| zone.text()).transpose()?,
        input: event.get("Input").map(|input| input.text()).transpose()?,
        retry: retry(event)?,
        enabled: event.get("State").map_or(Ok(true), |state| state.text().map(|state| state != "DISABLED"))?,
    })
}

/// `Schedule`: an EventBridge rule, always in UTC.
fn scheduling_rule(name: &str, event: &Node) -> Result<ScheduleTrigger, Error> {
    Ok(ScheduleTrigger {
        name: name.to_owned(),
        expression: event.require("Schedule")?.text()?,
        timezone: None,
        input: event.get("Input").map(|input| input.text()).transpose()?,
        retry: retry(event)?,
        enabled: enabled(event)? && !switched_off(event)?,
    })
}

/// `EventBridgeRule`, or `CloudWatchEvent` as it was called: a rule on the default bus.
fn rule(name: &str, event: &Node) -> Result<RuleTrigger, Error> {
    for unread in ["EventBusName", "InputPath"] {
        if let Some(unread) = event.get(unread) {
            return Err(unread.wrong("no such property: a local rule is on the default bus and hands on the whole event"));
        }
    }
    let pattern = event.require("Pattern")?;
    pattern.map()?;
    Ok(RuleTrigger {
        name: name.to_owned(),
        pattern: pattern.value,
        input: event.get("Input").map(|input| input.text()).transpose()?,
        enabled: enabled(event)? && !switched_off(event)?,
    })
}

/// By a rule's `State`.
fn switched_off(event: &Node) -> Result<bool, Error> {
    event.get("State").map_or(Ok(false), |state| state.text().map(|state| state == "DISABLED"))
}

fn retry(event: &Node) -> Result<Option<RetryPolicy>, Error> {
    let Some(policy) = event.get("RetryPolicy") else { return Ok(None) };
    Ok(Some(RetryPolicy {
        maximum_attempts: policy.get("MaximumRetryAttempts").map(|attempts| attempts.number()).transpose()?,
        maximum_age: policy.get("MaximumEventAgeInSeconds").map(|age| age.seconds()).transpose()?,
    }))
}

pub(super) fn kafka(name: &str, event: &Node) -> Result<KafkaTrigger, Error> {
    let topics = event.require("Topics")?;
    let topic = match topics.items()?.as_slice() {
        [topic] => topic.text()?,
        _ => return Err(topics.wrong("a list of exactly one topic")),
    };
    let mut bootstrap_servers = Vec::new();
    if let Some(servers) = event.get("KafkaBootstrapServers") {
        for server in servers.items()? {
            // A parameter may hold several, separated by commas.
            bootstrap_servers.extend(server.text()?.split(',').map(|server| server.trim().to_owned()));
        }
    }
    let starting_position = match event.get("StartingPosition") {
        None => StartingPosition::TrimHorizon,
        Some(position) => match position.text()?.as_str() {
            "TRIM_HORIZON" => StartingPosition::TrimHorizon,
            "LATEST" => StartingPosition::Latest,
            _ => return Err(position.wrong("TRIM_HORIZON or LATEST")),
        },
    };
    Ok(KafkaTrigger {
        name: name.to_owned(),
        topic,
        consumer_group: event.get("ConsumerGroupId").map(|group| group.text()).transpose()?,
        bootstrap_servers,
        batch_size: batch_size(event, KAFKA_BATCH_SIZE)?,
        batch_window: event.get("MaximumBatchingWindowInSeconds").map_or(Ok(KAFKA_BATCH_WINDOW), |window| window.seconds())?,
        starting_position,
        enabled: enabled(event)?,
    })
}

pub(super) fn queue(properties: &Properties<'_>, name: &str, event: &Node) -> Result<QueueTrigger, Error> {
    let mut partial_batch_responses = false;
    if let Some(types) = event.get("FunctionResponseTypes") {
        for kind in types.items()? {
            partial_batch_responses |= kind.text()? == "ReportBatchItemFailures";
        }
    }
    Ok(QueueTrigger {
        name: name.to_owned(),
        queue: properties.queue_of(&event.require("Queue")?)?,
        batch_size: batch_size(event, QUEUE_BATCH_SIZE)?,
        batch_window: event.get("MaximumBatchingWindowInSeconds").map_or(Ok(Duration::ZERO), |window| window.seconds())?,
        partial_batch_responses,
        enabled: enabled(event)?,
    })
}

fn batch_size(event: &Node, default: usize) -> Result<usize, Error> {
    let Some(size) = event.get("BatchSize") else { return Ok(default) };
    match size.number()? {
        records @ 1..=10_000 => Ok(records),
        _ => Err(size.wrong("a batch size from 1 to 10000")),
    }
}

fn enabled(event: &Node) -> Result<bool, Error> {
    event.get("Enabled").map_or(Ok(true), |enabled| enabled.flag())
}
