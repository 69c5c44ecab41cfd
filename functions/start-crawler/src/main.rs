//! `start-crawler`: makes what lands in the lake queryable.
//!
//! S3 tells of each new object through SQS. An object in a partition that Glue knows is visible to
//! Athena already. A day's first object registers its partition, so that its rows are visible in
//! seconds, and starts the crawler, which reconciles the table with the lake.

mod catalog;
mod config;
mod crawl;
mod error;
mod event;
#[cfg(test)]
mod glue_stub;
mod handler;
mod partition;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{LambdaEvent, service_fn};

use crate::catalog::Catalog;
use crate::config::Config;
use crate::crawl::Crawls;
use crate::handler::Handler;

/// Each call to Glue with its retries. Several fit into one invocation, so that a Glue that hangs
/// fails the messages that need it and not the whole batch.
const GLUE_TIMEOUT: Duration = Duration::from_secs(8);

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::tracing::init_default_subscriber();
    // As text: what main returns is printed in its Debug form.
    let config = Config::from_env(|name| std::env::var(name).ok()).map_err(|missing| missing.to_string())?;
    let aws = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .timeout_config(TimeoutConfig::builder().operation_timeout(GLUE_TIMEOUT).build())
        .load()
        .await;
    let glue = aws_sdk_glue::Client::new(&aws);
    let handler = Handler { catalog: Catalog::new(glue.clone(), config.database, config.table), crawls: Crawls::new(glue, config.crawler) };
    let handler = &handler;
    let serve = |event: LambdaEvent<SqsEvent>| async move { Ok::<_, lambda_runtime::Error>(handler.handle(event.payload).await?) };
    lambda_runtime::run(service_fn(serve)).await
}
