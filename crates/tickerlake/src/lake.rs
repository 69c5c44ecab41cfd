//! A lake to ask: of a running stack, of a data folder at rest, or of a deployed stack.

mod locations;
pub(crate) mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_glue::types::CrawlerState;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use local_aws::gateway::Gateway;
use local_aws::protocol::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};
use local_aws::template::Deployment;
use quotes::{keys, schema};

use crate::cli::LakeArgs;
use crate::data_folder::{Broker, DataFolder, Endpoints, Occupied};
use crate::deployment;
use crate::failure::Failure;
use crate::query::Execution;
use crate::rows::Rows;

/// How long to wait before looking again at what goes on by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A lake and its SQL engine.
#[derive(Debug, Clone)]
pub(crate) struct Lake {
    s3: aws_sdk_s3::Client,
    glue: aws_sdk_glue::Client,
    athena: aws_sdk_athena::Client,
    bucket: String,
    work_group: String,
    database: String,
}

/// A lake that was opened to be asked, and what keeps it open.
pub(crate) struct Visit {
    /// The lake.
    pub(crate) lake: Lake,
    /// Where the data folder's stack listens, if one is running.
    pub(crate) running: Option<Endpoints>,
    /// The data folder at rest, which is ours until the visit is over.
    pub(crate) folder: Option<DataFolder>,
    gateway: Option<Gateway>,
}

impl Visit {
    /// Opens the lake that the flags name.
    pub(crate) async fn open(args: &LakeArgs) -> Result<Self, Failure> {
        if let Some(stack) = &args.stack {
            let lake = Lake::deployed(stack).await?;
            return Ok(Self { lake, running: None, folder: None, gateway: None });
        }
        let template = deployment::read(None, "127.0.0.1:0")?;
        match DataFolder::visit(&args.data).await? {
            Occupied::By(endpoints) => {
                let lake = Lake::at(&endpoints, &template).await?;
                Ok(Self { lake, running: Some(endpoints), folder: None, gateway: None })
            }
            Occupied::No(folder) => {
                let gateway = Gateway::start(deployment::gateway_config(folder.path(), &template)).await;
                let gateway =
                    gateway.map_err(|error| Failure::new(format_args!("cannot open the lake in {}", args.data.display()), error))?;
                let endpoints = Endpoints { aws: gateway.address(), kafka: String::new(), broker: Broker::Embedded };
                let lake = Lake::at(&endpoints, &template).await?;
                Ok(Self { lake, running: None, folder: Some(folder), gateway: Some(gateway) })
            }
        }
    }

    /// Closes it in good order.
    pub(crate) async fn close(self) {
        if let Some(gateway) = self.gateway {
            gateway.stop().await;
        }
    }
}

impl Lake {
    /// The lake behind a local endpoint.
    pub(crate) async fn at(endpoints: &Endpoints, deployment: &Deployment) -> Result<Self, Failure> {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .endpoint_url(format!("http://{}", endpoints.aws))
            .credentials_provider(Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "local"));
        let work_group = deployment.workgroups.first().map_or("primary", |group| group.name.as_str());
        let database = deployment.databases.first().map_or(schema::DATABASE, |database| database.name.as_str());
        Self::connect(&config.load().await, work_group, database).await
    }

    /// The lake of a deployed stack, with the credentials and region of the environment.
    async fn deployed(stack: &str) -> Result<Self, Failure> {
        let config = aws_config::defaults(BehaviorVersion::latest()).load().await;
        if config.region().is_none() {
            return Err(Failure::plain("no AWS region is configured: set AWS_REGION"));
        }
        let database = database_of(&aws_sdk_athena::Client::new(&config), stack).await?;
        Self::connect(&config, stack, &database).await
    }

    async fn connect(config: &SdkConfig, work_group: &str, database: &str) -> Result<Self, Failure> {
        let glue = aws_sdk_glue::Client::new(config);
        let table = glue.get_table().database_name(database).name(schema::TABLE).send().await;
        let table = table.map_err(|error| aws(format_args!("cannot find the table {database}.{}", schema::TABLE), &error))?;
        let location = table.table.and_then(|table| table.storage_descriptor).and_then(|storage| storage.location).unwrap_or_default();
        let bucket = location.strip_prefix("s3://").and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned();
        if bucket.is_empty() {
            return Err(Failure::plain(format_args!("the table {database}.{} has no location in S3: {location:?}", schema::TABLE)));
        }
        Ok(Self {
            s3: aws_sdk_s3::Client::new(config),
            glue,
            athena: aws_sdk_athena::Client::new(config),
            bucket,
            work_group: work_group.to_owned(),
            database: database.to_owned(),
        })
    }

    /// The client of its SQL engine.
    pub(crate) fn athena(&self) -> &aws_sdk_athena::Client {
        &self.athena
    }

    /// The work group that its queries run in.
    pub(crate) fn work_group(&self) -> &str {
        &self.work_group
    }

    /// The database of its table.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// The bucket's name.
    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The keys and sizes of the objects below `prefix`.
    pub(crate) async fn objects(&self, prefix: &str) -> Result<Vec<(String, u64)>, Failure> {
        let mut found = Vec::new();
        let mut pages = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws(format_args!("cannot list s3://{}/{prefix}", self.bucket), &error))?;
            let objects = page.contents.unwrap_or_default().into_iter();
            found.extend(objects.filter_map(|object| Some((object.key?, u64::try_from(object.size.unwrap_or(0)).unwrap_or(0)))));
        }
        Ok(found)
    }

    /// An object's bytes.
    pub(crate) async fn object(&self, key: &str) -> Result<bytes::Bytes, Failure> {
        let what = || format!("cannot read s3://{}/{key}", self.bucket);
        let output = self.s3.get_object().bucket(&self.bucket).key(key).send().await.map_err(|error| aws(what(), &error))?;
        let body = output.body.collect().await.map_err(|error| Failure::new(what(), error))?;
        Ok(body.into_bytes())
    }

    /// Whether there is such an object.
    pub(crate) async fn has(&self, key: &str) -> Result<bool, Failure> {
        Ok(self.objects(key).await?.iter().any(|(found, _)| found == key))
    }

    /// Writes an object.
    pub(crate) async fn put(&self, key: &str, body: bytes::Bytes) -> Result<(), Failure> {
        let put = self.s3.put_object().bucket(&self.bucket).key(key).body(body.into()).send().await;
        put.map(drop).map_err(|error| aws(format_args!("cannot write s3://{}/{key}", self.bucket), &error))
    }

    /// The days in the catalog, `YYYY-MM-DD`: those that SQL sees.
    pub(crate) async fn days(&self) -> Result<BTreeSet<String>, Failure> {
        let mut known = BTreeSet::new();
        let request = self.glue.get_partitions().database_name(&self.database).table_name(schema::TABLE).exclude_column_schema(true);
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws("cannot list the table's partitions", &error))?;
            known.extend(page.partitions.unwrap_or_default().into_iter().flat_map(|partition| partition.values.unwrap_or_default()));
        }
        Ok(known)
    }

    /// The first object of each day that lies in the lake and is not in the catalog.
    pub(crate) async fn objects_of_unknown_days(&self) -> Result<Vec<(String, u64)>, Failure> {
        let known = self.days().await?;
        let mut unknown = BTreeMap::new();
        for (key, size) in self.objects(keys::QUOTES_PREFIX).await? {
            if let Some(name) = keys::parse(&key).filter(|name| !known.contains(&name.date.to_string())) {
                unknown.entry(name.date).or_insert((key, size));
            }
        }
        Ok(unknown.into_values().collect())
    }

    /// Returns once the crawler is idle.
    pub(crate) async fn crawl_ended(&self, crawler: &str) -> Result<(), Failure> {
        loop {
            let found = self.glue.get_crawler().name(crawler).send().await;
            let found = found.map_err(|error| aws(format_args!("cannot ask for the crawler {crawler}"), &error))?;
            if found.crawler.and_then(|crawler| crawler.state).is_none_or(|state| state == CrawlerState::Ready) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Runs SQL and returns all its rows.
    pub(crate) async fn query(&self, sql: &str) -> Result<Rows, Failure> {
        Execution::start(self, sql).await?.rows(|_| {}).await
    }
}

/// The database of a deployed stack: the one that its named queries run in. A stack of before there were any has the usual one.
async fn database_of(athena: &aws_sdk_athena::Client, stack: &str) -> Result<String, Failure> {
    let listed = athena.list_named_queries().work_group(stack).max_results(1).send().await;
    let listed = listed.map_err(|error| aws(format_args!("cannot reach the stack {stack}"), &error))?;
    let Some(id) = listed.named_query_ids().first() else { return Ok(schema::DATABASE.to_owned()) };
    let query = athena.get_named_query().named_query_id(id).send().await;
    let query = query.map_err(|error| aws(format_args!("cannot read the named query {id}"), &error))?;
    Ok(query.named_query.map_or_else(|| schema::DATABASE.to_owned(), |query| query.database))
}

/// A failure from an SDK's error: the service's own words, or what happened instead of an answer.
pub(crate) fn aws<E>(what: impl std::fmt::Display, error: &E) -> Failure
where
    E: std::error::Error + ProvideErrorMetadata,
{
    match (error.code(), error.message()) {
        (_, Some(message)) => Failure::plain(format_args!("{what}: {message}")),
        (Some(code), None) => Failure::plain(format_args!("{what}: {code}")),
        (None, None) => Failure::plain(format_args!("{what}: {}", DisplayErrorContext(error))),
    }
}
