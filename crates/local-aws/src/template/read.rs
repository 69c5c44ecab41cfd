//! Reads a `Deployment` out of the template's resources.
//!
//! Only the properties that the local stack uses are resolved, and resources of other types are not looked at: a template
//! may grow whatever it likes beside them.

use super::deployment::{Bucket, Crawler, Database, Deployment, NamedQuery, Notification, Queue, Redrive, Table, Workgroup};
use super::error::{Error, Place};
use super::function;
use super::mapping;
use super::node::Node;
use super::resolve::{Resolver, Resource, scalar};
use serde_json::{Map, Value as Json};
use std::time::Duration;

/// SQS's default.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn deployment(document: &Map<String, Json>, resolver: &Resolver<'_>) -> Result<Deployment, Error> {
    let mut deployment = Deployment::default();
    let globals = document.get("Globals").and_then(|globals| globals.get("Function"));
    for (logical_id, resource) in resolver.resources() {
        let properties = Properties { resolver, logical_id, resource };
        match resource.kind.as_str() {
            "AWS::Serverless::Function" => deployment.functions.extend(function::read(&properties, globals)?),
            "AWS::SQS::Queue" => deployment.queues.push(queue(&properties)?),
            "AWS::S3::Bucket" => deployment.buckets.push(bucket(&properties)?),
            "AWS::Glue::Database" => deployment.databases.push(database(&properties)?),
            "AWS::Glue::Table" => deployment.tables.push(table(&properties)?),
            "AWS::Glue::Crawler" => deployment.crawlers.push(crawler(&properties)?),
            "AWS::Athena::WorkGroup" => deployment.workgroups.push(workgroup(&properties)?),
            "AWS::Athena::NamedQuery" => deployment.named_queries.push(named_query(&properties)?),
            _ => {}
        }
    }
    for (logical_id, resource) in resolver.resources() {
        if resource.kind == "AWS::Lambda::EventSourceMapping" {
            mapping::attach(&Properties { resolver, logical_id, resource }, &mut deployment.functions)?;
        }
    }
    Ok(deployment)
}

/// One resource's properties, each resolved when it is asked for.
pub(super) struct Properties<'a> {
    pub(super) resolver: &'a Resolver<'a>,
    pub(super) logical_id: &'a str,
    pub(super) resource: &'a Resource,
}

impl Properties<'_> {
    pub(super) fn place(&self) -> Place {
        Place::new(self.logical_id, "Properties")
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Node>, Error> {
        match self.resource.body.get("Properties").and_then(|properties| properties.get(key)) {
            Some(value) => self.resolved(value, self.place().child(key)),
            None => Ok(None),
        }
    }

    pub(super) fn resolved(&self, value: &Json, at: Place) -> Result<Option<Node>, Error> {
        let value = self.resolver.resolve(value, &at)?;
        Ok(value.filter(|value| !value.is_null()).map(|value| Node::new(value, at)))
    }

    pub(super) fn require(&self, key: &str) -> Result<Node, Error> {
        self.get(key)?.ok_or_else(|| Error::MissingProperty { at: self.place().child(key) })
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Error> {
        self.get(key)?.map(|node| node.text()).transpose()
    }

    fn json(&self, key: &str) -> Result<Json, Error> {
        Ok(self.get(key)?.map_or(Json::Null, |node| node.value))
    }

    pub(super) fn name(&self) -> Result<String, Error> {
        self.resolver.physical_name(self.logical_id, &self.place())
    }

    pub(super) fn attribute(&self, name: &str) -> Result<String, Error> {
        self.resolver.attribute(self.logical_id, name, &self.place())
    }

    /// The logical id of the queue with this ARN.
    pub(super) fn queue_of(&self, arn: &Node) -> Result<String, Error> {
        let wanted = arn.text()?;
        for (logical_id, resource) in self.resolver.resources() {
            if resource.kind == "AWS::SQS::Queue" && self.resolver.attribute(logical_id, "Arn", &arn.at)? == wanted {
                return Ok(logical_id.to_owned());
            }
        }
        Err(Error::MissingReference { at: arn.at.clone(), name: wanted })
    }
}

fn queue(properties: &Properties<'_>) -> Result<Queue, Error> {
    let redrive = match properties.get("RedrivePolicy")? {
        Some(policy) => Some(Redrive {
            dead_letter_queue: properties.queue_of(&policy.require("deadLetterTargetArn")?)?,
            max_receive_count: policy.require("maxReceiveCount")?.number()?,
        }),
        None => None,
    };
    Ok(Queue {
        logical_id: properties.logical_id.to_owned(),
        name: properties.name()?,
        arn: properties.attribute("Arn")?,
        url: properties.attribute("QueueUrl")?,
        visibility_timeout: match properties.get("VisibilityTimeout")? {
            Some(timeout) => timeout.seconds()?,
            None => VISIBILITY_TIMEOUT,
        },
        redrive,
    })
}

fn bucket(properties: &Properties<'_>) -> Result<Bucket, Error> {
    let mut notifications = Vec::new();
    let configuration = properties.get("NotificationConfiguration")?;
    if let Some(rules) = configuration.and_then(|configuration| configuration.get("QueueConfigurations")) {
        for rule in rules.items()? {
            notifications.push(notification(properties, &rule)?);
        }
    }
    Ok(Bucket { logical_id: properties.logical_id.to_owned(), name: properties.name()?, arn: properties.attribute("Arn")?, notifications })
}

fn notification(properties: &Properties<'_>, rule: &Node) -> Result<Notification, Error> {
    let mut prefix = String::new();
    let mut suffix = String::new();
    let filters = rule.get("Filter").and_then(|filter| filter.get("S3Key")?.get("Rules"));
    for filter in filters.map(|rules| rules.items()).transpose()?.unwrap_or_default() {
        let name = filter.require("Name")?;
        let value = filter.require("Value")?.text()?;
        match name.text()?.to_lowercase().as_str() {
            "prefix" => prefix = value,
            "suffix" => suffix = value,
            _ => return Err(name.wrong("prefix or suffix")),
        }
    }
    Ok(Notification { event: rule.require("Event")?.text()?, prefix, suffix, queue: properties.queue_of(&rule.require("Queue")?)? })
}

fn database(properties: &Properties<'_>) -> Result<Database, Error> {
    let mut input = properties.require("DatabaseInput")?.value;
    parameters_as_text(&mut input);
    Ok(Database { logical_id: properties.logical_id.to_owned(), name: properties.name()?, input })
}

fn table(properties: &Properties<'_>) -> Result<Table, Error> {
    let mut input = properties.require("TableInput")?.value;
    parameters_as_text(&mut input);
    Ok(Table {
        logical_id: properties.logical_id.to_owned(),
        database: properties.require("DatabaseName")?.text()?,
        name: properties.name()?,
        input,
    })
}

fn crawler(properties: &Properties<'_>) -> Result<Crawler, Error> {
    Ok(Crawler {
        logical_id: properties.logical_id.to_owned(),
        name: properties.name()?,
        database: properties.text("DatabaseName")?,
        targets: properties.require("Targets")?.value,
        schema_change_policy: properties.json("SchemaChangePolicy")?,
        recrawl_policy: properties.json("RecrawlPolicy")?,
        configuration: properties.text("Configuration")?,
        table_prefix: properties.text("TablePrefix")?,
        role: properties.text("Role")?,
    })
}

fn workgroup(properties: &Properties<'_>) -> Result<Workgroup, Error> {
    let configuration = properties.get("WorkGroupConfiguration")?;
    let part = |key: &str| configuration.as_ref().and_then(|configuration| configuration.get(key));
    let output = part("ResultConfiguration").and_then(|results| results.get("OutputLocation"));
    Ok(Workgroup {
        logical_id: properties.logical_id.to_owned(),
        name: properties.name()?,
        output_location: output.map(|location| location.text()).transpose()?,
        bytes_scanned_cutoff: part("BytesScannedCutoffPerQuery").map(|cutoff| cutoff.number()).transpose()?,
        enforced: part("EnforceWorkGroupConfiguration").map_or(Ok(true), |enforced| enforced.flag())?,
        configuration: configuration.map_or(Json::Null, |configuration| configuration.value),
    })
}

fn named_query(properties: &Properties<'_>) -> Result<NamedQuery, Error> {
    Ok(NamedQuery {
        logical_id: properties.logical_id.to_owned(),
        name: properties.text("Name")?.unwrap_or_else(|| properties.logical_id.to_owned()),
        database: properties.require("Database")?.text()?,
        query: properties.require("QueryString")?.text()?,
        description: properties.text("Description")?,
        workgroup: properties.text("WorkGroup")?,
    })
}

/// Glue's `Parameters` are a map of texts, and CloudFormation writes numbers and booleans as such.
fn parameters_as_text(value: &mut Json) {
    match value {
        Json::Object(map) => {
            for (key, value) in map {
                match value {
                    Json::Object(parameters) if key == "Parameters" => {
                        for parameter in parameters.values_mut() {
                            if let Some(text) = scalar(parameter) {
                                *parameter = Json::String(text);
                            }
                        }
                    }
                    other => parameters_as_text(other),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(parameters_as_text),
        _ => {}
    }
}
