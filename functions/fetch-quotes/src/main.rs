//! Fetches quotes on a schedule and produces them to Kafka.
//!
//! One invocation is told in [`handler`]; where quotes come from in [`source`] and [`sources`],
//! how they reach the topic in [`producer`].

mod config;
mod error;
mod handler;
mod kafka;
mod partition;
mod producer;
mod source;
mod sources;
mod summary;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use tokio::sync::Mutex;

use crate::config::Config;
use crate::handler::{Event, Handler};
use crate::producer::Producer;

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_env().map_err(|error| error::chain(&error))?;
    let source = sources::build(&config).map_err(|error| error::chain(&error))?;
    let producer = Producer::new(config.kafka).map_err(|error| error::chain(&error))?;
    // Lambda gives a process one invocation at a time; the lock only tells the compiler so.
    let handler = Arc::new(Mutex::new(Handler::new(source, producer, config.poll_every)));

    lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| {
        let handler = Arc::clone(&handler);
        async move { handler.lock().await.invoke(event).await }
    }))
    .await
}
