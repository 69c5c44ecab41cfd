//! The sources, one module each.

pub(crate) mod alpaca;
pub(crate) mod finnhub;
pub(crate) mod massive;
pub(crate) mod provider;
pub(crate) mod replay;
pub(crate) mod simulated;
pub(crate) mod tiingo;
pub(crate) mod twelvedata;
pub(crate) mod yahoo;

use std::sync::Arc;

use self::provider::Provider;
use self::provider::http::Http;
use self::provider::key::{Keys, Secrets};
use self::provider::polled::Polled;
use crate::clock::SystemClock;
use crate::config::{Config, KeyConfig, Kind, ProviderConfig, SourceConfig};
use crate::error::StartError;
use crate::source::Source;

/// Builds the configured source. Nothing is fetched yet, but what can be found wrong at start is:
/// a replay file that does not exist or has columns that no quote has.
pub(crate) fn build(config: &Config, secrets: Arc<dyn Secrets>) -> Result<Box<dyn Source>, StartError> {
    Ok(match &config.source {
        SourceConfig::Simulated { symbols, seed } => Box::new(simulated::Simulated::new(symbols, *seed)),
        SourceConfig::Replay { file, speed } => Box::new(replay::Replay::new(file, *speed, &config.kafka)?),
        SourceConfig::Provider(provider) => Box::new(polled(provider, secrets)?),
    })
}

fn polled(config: &ProviderConfig, secrets: Arc<dyn Secrets>) -> Result<Polled, StartError> {
    let provider: Box<dyn Provider> = match config.kind {
        Kind::Alpaca(feed) => Box::new(alpaca::Alpaca::new(feed)),
        Kind::Finnhub => Box::new(finnhub::Finnhub),
        Kind::Massive(feed) => Box::new(massive::Massive::new(feed)),
        Kind::Tiingo => Box::new(tiingo::Tiingo),
        Kind::TwelveData => Box::new(twelvedata::TwelveData),
        Kind::Yahoo => Box::new(yahoo::Yahoo),
    };
    let keys = match &config.key {
        KeyConfig::None => Keys::fixed(None),
        KeyConfig::Plain(key) => Keys::fixed(Some(key.clone())),
        KeyConfig::Secret(arn) => Keys::of_secret(secrets, arn.clone()),
    };
    let http = Http::new(config.url.clone())?;
    Ok(Polled::new(provider, Box::new(http), Arc::new(SystemClock::new()), keys, config.polling.clone()))
}
