//! `check-freshness`: asks the question that matters, as a user would ask it: how old is the newest row that SQL sees?
//!
//! It runs when a crawl has ended and on a schedule in market hours. One invocation is told in [`handler`]; what is asked
//! stands in [`question`], what the rows mean in [`verdict`].

mod athena;
#[cfg(test)]
mod aws_stub;
mod config;
mod error;
mod handler;
mod metrics;
mod quarantine;
mod question;
mod summary;
mod trigger;
mod verdict;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_lambda_events::eventbridge::EventBridgeEvent;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;

use crate::athena::Athena;
use crate::config::Config;
use crate::handler::Handler;
use crate::quarantine::Quarantine;

/// Each call with its retries: several fit into one invocation, and one that hangs leaves time to stop the query.
const CALL_TIMEOUT: Duration = Duration::from_secs(8);

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::tracing::init_default_subscriber();
    // As text: what main returns is printed in its Debug form.
    let config = Config::from_env(|name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    let aws = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .timeout_config(TimeoutConfig::builder().operation_timeout(CALL_TIMEOUT).build())
        .load()
        .await;
    let athena = Athena::new(aws_sdk_athena::Client::new(&aws), config.workgroup.clone(), config.database.clone());
    let quarantine = Quarantine::new(aws_sdk_s3::Client::new(&aws), config.bucket.clone());
    let handler = Handler { athena, quarantine, config };
    let handler = &handler;
    let serve = |event: LambdaEvent<EventBridgeEvent<Value>>| async move { handler.handle(event).await };
    lambda_runtime::run(service_fn(serve)).await
}
