//! The function's wiring.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::timeout::TimeoutConfig;
use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{LambdaEvent, service_fn};
use start_crawler::config::Config;
use start_crawler::handler::{Clients, Handler};

/// Each call with its retries. Several fit into one invocation, so that a service that hangs fails
/// the messages that need it and not the whole batch.
const CALL_TIMEOUT: Duration = Duration::from_secs(8);

/// The time of an invocation that has no deadline, or one that is over: `cargo lambda watch` states such ones.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::tracing::init_default_subscriber();
    // As text: what main returns is printed in its Debug form.
    let config = Config::from_env(|name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    let aws = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .timeout_config(TimeoutConfig::builder().operation_timeout(CALL_TIMEOUT).build())
        .load()
        .await;
    let clients = Clients { glue: aws_sdk_glue::Client::new(&aws), s3: aws_sdk_s3::Client::new(&aws), sqs: aws_sdk_sqs::Client::new(&aws) };
    let handler = &Handler::new(clients, config, Arc::new(chrono::Utc::now));
    let serve = |event: LambdaEvent<SqsEvent>| async move {
        let time_left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or(WITHOUT_DEADLINE);
        Ok::<_, lambda_runtime::Error>(handler.handle(event.payload, time_left).await?)
    };
    lambda_runtime::run(service_fn(serve)).await
}
