//! Fetches quotes on a schedule and produces them to Kafka.
//!
//! One invocation is told in [`handler`]; where quotes come from in [`source`] and [`sources`],
//! how they reach the topic in [`producer`].

mod aws;
mod clock;
mod config;
mod error;
mod handler;
mod kafka;
mod logins;
mod metrics;
mod partition;
mod print;
mod producer;
mod source;
mod sources;
mod summary;
mod symbols;
mod unchanged;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use tokio::sync::Mutex;

use crate::aws::Aws;
use crate::config::Config;
use crate::error::{StartError, chain};
use crate::handler::{Event, Handler};
use crate::logins::Logins;
use crate::producer::Producer;
use crate::symbols::SymbolList;

#[tokio::main]
async fn main() -> Result<(), Error> {
    if std::env::args().nth(1).as_deref() == Some(print::ARGUMENT) {
        let printed = print::run().await.map_err(|error| chain(&error))?;
        std::process::exit(if printed { 0 } else { 1 });
    }
    tracing::init_default_subscriber();
    let handler = start().await.map_err(|error| chain(&error))?;
    // Lambda gives a process one invocation at a time; the lock only tells the compiler so.
    let handler = Arc::new(Mutex::new(handler));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| {
        let handler = Arc::clone(&handler);
        async move { handler.lock().await.invoke(event).await }
    }))
    .await
}

/// Reads the settings and builds the clients, once a process.
async fn start() -> Result<Handler, StartError> {
    let mut config = Config::from_env()?;
    let aws = Arc::new(Aws::default());
    let symbols = SymbolList::of(&mut config, aws.clone()).await?;
    let logins = Logins::read(aws.clone(), config.kafka_secrets.clone(), &mut config.kafka).await?;
    let source = sources::build(&config, aws)?;
    let producer = Producer::new(config.kafka)?;
    Ok(Handler::new(source, producer, config.poll_every).with(logins, symbols, config.function))
}
