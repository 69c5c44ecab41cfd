//! The sources, one module each.

pub(crate) mod replay;
pub(crate) mod simulated;

use crate::config::{Config, SourceConfig};
use crate::source::{Source, SourceError};

/// Builds the configured source. Nothing is fetched yet, but what can be found wrong at start is:
/// a replay file that does not exist or has columns that no quote has.
pub(crate) fn build(config: &Config) -> Result<Box<dyn Source>, SourceError> {
    Ok(match &config.source {
        SourceConfig::Simulated { symbols, seed } => Box::new(simulated::Simulated::new(symbols, *seed)),
        SourceConfig::Replay { file, speed } => Box::new(replay::Replay::new(file, *speed, &config.kafka)?),
    })
}
