//! `compact-day`: turns a closed day's many small files into few.
//!
//! The day's rows are written anew, sorted by symbol and time over all of its files, beside the table's own prefix; then the
//! day's partition is led there. A query sees the old files or the new ones, never both and never none. [`day`] is the protocol
//! that makes it so whatever crashes, repeats or runs at once.

mod catalog;
mod config;
mod content;
mod current;
mod day;
mod error;
mod event;
mod handler;
mod lake;
mod parquet;
mod retention;

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use lake_store::Store;
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};

use crate::catalog::Catalog;
use crate::config::Config;
use crate::event::Event;
use crate::handler::Handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    // As text: what main returns is printed in its Debug form.
    let config = Config::from_env(|name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    // A part has some 20 MB; what takes longer is lost, and better tried again.
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(2)).operation_attempt_timeout(Duration::from_secs(30));
    let aws = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .timeout_config(timeouts.build())
        .load()
        .await;
    let store = Store::new(aws_sdk_s3::Client::new(&aws), config.bucket.clone());
    let catalog = Catalog::new(aws_sdk_glue::Client::new(&aws), config.database.clone(), config.table.clone());
    let handler = &Handler::new(store, catalog, config);
    run(service_fn(async move |event: LambdaEvent<Event>| handler.handle(event.payload, event.context.deadline()).await)).await
}
