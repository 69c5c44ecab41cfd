//! The function's settings, read once from its environment.

use std::collections::BTreeSet;
use std::time::Duration;

use quotes::hours::Hours;
use quotes::symbol::is_canonical;

/// The longest silence that can be asked for: a week, in which every symbol has traded.
const LONGEST_SILENCE_MINUTES: u64 = 7 * 24 * 60;

/// What the function asks, whom, and what it expects.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Athena workgroup that the query runs in, from `ATHENA_WORKGROUP`. It says where results go and what may be scanned.
    pub(crate) workgroup: String,
    /// Glue database, from `GLUE_DATABASE`.
    pub(crate) database: String,
    /// Glue table, from `GLUE_TABLE`.
    pub(crate) table: String,
    /// The lake's bucket, from `LAKE_BUCKET`: its quarantine is counted.
    pub(crate) bucket: String,
    /// The symbols that must have rows, from `SYMBOLS`; empty where they are not known here.
    pub(crate) wanted: BTreeSet<String>,
    /// The sessions in which quotes are expected, from `MARKET_HOURS`.
    pub(crate) hours: Hours,
    /// A symbol without a row for longer than this is silent, from `SILENT_AFTER_MINUTES`.
    pub(crate) silent_after: Duration,
    /// The function's name, under which its metrics stand, from `AWS_LAMBDA_FUNCTION_NAME`.
    pub(crate) function: String,
}

/// A setting that the environment lacks, or that cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// It is not set, or empty.
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    /// It is set to what it cannot be.
    #[error("environment variable {variable} is {found:?}: it takes {allowed}")]
    Invalid {
        /// The variable.
        variable: &'static str,
        /// What it says.
        found: String,
        /// What it may say.
        allowed: &'static str,
    },
}

impl Config {
    /// Reads the settings through `lookup`, which stands for the environment. An empty value counts as missing.
    pub(crate) fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let read = |name| get(name).ok_or(ConfigError::Missing(name));
        Ok(Self {
            workgroup: read("ATHENA_WORKGROUP")?,
            database: identifier("GLUE_DATABASE", read("GLUE_DATABASE")?)?,
            table: identifier("GLUE_TABLE", read("GLUE_TABLE")?)?,
            bucket: read("LAKE_BUCKET")?,
            wanted: get("SYMBOLS").map_or(Ok(BTreeSet::new()), |list| symbols(&list))?,
            hours: hours(read("MARKET_HOURS")?)?,
            silent_after: minutes("SILENT_AFTER_MINUTES", read("SILENT_AFTER_MINUTES")?)?,
            function: read("AWS_LAMBDA_FUNCTION_NAME")?,
        })
    }
}

/// A name that goes into SQL: letters, digits and underscores, as Glue has them.
fn identifier(variable: &'static str, found: String) -> Result<String, ConfigError> {
    if found.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Ok(found);
    }
    Err(ConfigError::Invalid { variable, found, allowed: "lower-case letters, digits and underscores" })
}

fn symbols(list: &str) -> Result<BTreeSet<String>, ConfigError> {
    let texts = list.split(',').map(|symbol| symbol.trim().to_ascii_uppercase()).filter(|symbol| !symbol.is_empty());
    let read = |found: String| match is_canonical(&found) {
        true => Ok(found),
        false => Err(ConfigError::Invalid {
            variable: "SYMBOLS",
            found,
            allowed: "tickers separated by commas, the share class after a dot, such as AAPL,BRK.B",
        }),
    };
    texts.map(read).collect()
}

fn hours(found: String) -> Result<Hours, ConfigError> {
    Hours::parse(&found).ok_or(ConfigError::Invalid { variable: "MARKET_HOURS", found, allowed: "regular, extended or always" })
}

fn minutes(variable: &'static str, found: String) -> Result<Duration, ConfigError> {
    let minutes = found.parse().ok().filter(|minutes| (1..=LONGEST_SILENCE_MINUTES).contains(minutes));
    let minutes = minutes.ok_or(ConfigError::Invalid { variable, found, allowed: "whole minutes from 1 to 10080" })?;
    Ok(Duration::from_secs(minutes * 60))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    const ENVIRONMENT: [(&str, &str); 8] = [
        ("ATHENA_WORKGROUP", "tickerlake"),
        ("GLUE_DATABASE", "lake_1"),
        ("GLUE_TABLE", "quotes"),
        ("LAKE_BUCKET", "lake"),
        ("SYMBOLS", "aapl, BRK.B,,AAPL"),
        ("MARKET_HOURS", "regular"),
        ("SILENT_AFTER_MINUTES", "15"),
        ("AWS_LAMBDA_FUNCTION_NAME", "stack-check"),
    ];

    fn with(change: (&str, Option<&str>)) -> Result<Config, ConfigError> {
        Config::from_env(|name| {
            let usual = ENVIRONMENT.iter().find(|(variable, _)| *variable == name).map(|(_, value)| *value);
            if name == change.0 { change.1 } else { usual }.map(str::to_owned)
        })
    }

    #[test]
    fn every_setting_has_its_own_variable() {
        let config = with(("OTHER", None)).unwrap();
        assert_eq!(
            config,
            Config {
                workgroup: "tickerlake".into(),
                database: "lake_1".into(),
                table: "quotes".into(),
                bucket: "lake".into(),
                wanted: ["AAPL", "BRK.B"].map(String::from).into(),
                hours: Hours::Regular,
                silent_after: Duration::from_secs(900),
                function: "stack-check".into(),
            }
        );
    }

    #[test]
    fn only_the_symbols_may_be_left_out() {
        for (variable, _) in ENVIRONMENT {
            for missing in [None, Some(""), Some(" ")] {
                match (variable, with((variable, missing))) {
                    ("SYMBOLS", Ok(config)) => assert!(config.wanted.is_empty()),
                    (_, Err(error)) => assert_eq!(error, ConfigError::Missing(variable)),
                    (_, Ok(config)) => panic!("{variable}: {config:?}"),
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_is_told_with_what_can() {
        for (variable, found, told) in [
            ("SYMBOLS", "AAPL,<b>", "tickers separated by commas"),
            ("MARKET_HOURS", "night", "regular, extended or always"),
            ("SILENT_AFTER_MINUTES", "0", "whole minutes from 1"),
            ("SILENT_AFTER_MINUTES", "15m", "whole minutes from 1"),
            ("SILENT_AFTER_MINUTES", "10081", "to 10080"),
            ("GLUE_TABLE", "quotes\" --", "underscores"),
            ("GLUE_DATABASE", "Lake", "lower-case"),
        ] {
            let error = with((variable, Some(found))).unwrap_err().to_string();
            assert!(error.contains(variable) && error.contains(told), "{error}");
        }
    }
}
