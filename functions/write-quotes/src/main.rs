//! The function's wiring.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use lake_store::Store;
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use write_quotes::config::Config;
use write_quotes::event::KafkaEvent;
use write_quotes::handler::{Deadline, Handler};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_env()?;
    // An object of ours is a few MB at the most; what takes longer is lost, and better tried again.
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(2)).operation_attempt_timeout(Duration::from_secs(10));
    let aws = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .timeout_config(timeouts.build())
        .load()
        .await;
    let store = Store::new(aws_sdk_s3::Client::new(&aws), config.bucket);
    let handler = &Handler::new(store, config.unknown_cluster);
    run(service_fn(async move |event: LambdaEvent<KafkaEvent>| {
        handler.handle(&event.payload, Deadline::new(event.context.deadline())).await
    }))
    .await
}
