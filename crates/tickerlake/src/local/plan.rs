//! What is to be run: the flags, the environment's variables and the template, in that order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use local_aws::mapping::Security;
use local_aws::template::Deployment;

use crate::cli::LocalArgs;
use crate::deployment;
use crate::failure::Failure;
use crate::kafka;

/// The sources that `fetch-quotes` has.
const SOURCES: [&str; 8] = ["simulated", "replay", "alpaca", "finnhub", "massive", "tiingo", "twelvedata", "yahoo"];

/// The variables of `fetch-quotes` that are passed through where the environment sets them.
const PASSED_THROUGH: [&str; 17] = [
    "QUOTE_API_KEY",
    "QUOTE_API_KEY_SECRET_ARN",
    "QUOTE_API_URL",
    "QUOTE_FEED",
    "QUOTE_RATE_LIMIT",
    "MARKET_HOURS",
    "POLL_AT",
    "STALE_AFTER",
    "SKIP_UNCHANGED",
    "HEARTBEAT",
    "SYMBOLS_S3_URI",
    "YAHOO_TERMS",
    "SIMULATION_SEED",
    "KAFKA_SECURITY_PROTOCOL",
    "KAFKA_USERNAME",
    "KAFKA_PASSWORD",
    "KAFKA_CA_CERTIFICATE",
];

/// The Kafka cluster that is used.
#[derive(Debug)]
pub(crate) enum Cluster {
    /// In this process, on this port.
    Embedded(u16),
    /// Apache Kafka, on this port.
    Real(u16),
    /// The user's own.
    Own {
        /// `host:port`, comma-separated.
        bootstrap_servers: String,
        /// How to connect.
        security: Security,
    },
}

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The source's name.
    pub(crate) source: String,
    /// What is set in `fetch-quotes`, beside what the template sets.
    pub(crate) fetch_environment: BTreeMap<String, String>,
    /// How often quotes are fetched; `None`: as the template says.
    pub(crate) every: Option<Duration>,
    /// Whether the template's windows and delays are kept.
    pub(crate) as_deployed: bool,
    /// The cluster.
    pub(crate) cluster: Cluster,
    /// The port of the AWS endpoint.
    pub(crate) port: u16,
    /// Whether the run ends by itself with its source.
    pub(crate) one_shot: bool,
    template: Option<PathBuf>,
}

impl Plan {
    /// Checks the flags; `get` reads the environment.
    pub(crate) fn new(args: &LocalArgs, get: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let get = |variable: &str| get(variable).filter(|value| !value.is_empty());
        let named = args.source.clone().or_else(|| get("QUOTE_SOURCE"));
        let source = named.unwrap_or_else(|| if args.replay_file.is_some() { "replay" } else { "simulated" }.to_owned());
        if !SOURCES.contains(&source.as_str()) {
            return Err(Failure::usage(format_args!("unknown source {source:?}: there are {}", SOURCES.join(", "))));
        }
        let mut environment: BTreeMap<_, _> =
            PASSED_THROUGH.iter().filter_map(|variable| Some(((*variable).to_owned(), get(variable)?))).collect();
        environment.insert("QUOTE_SOURCE".to_owned(), source.clone());
        if !args.as_deployed {
            // The schedule ticks by --every, not by the minute that POLL_AT would be a second of.
            environment.entry("POLL_AT".to_owned()).or_insert_with(|| ":00".to_owned());
        }
        if let Some(symbols) = args.symbols.clone().or_else(|| get("SYMBOLS")) {
            environment.insert("SYMBOLS".to_owned(), symbols);
        }
        match (source.as_str(), &args.replay_file) {
            ("replay", Some(file)) => {
                environment.insert("REPLAY_FILE".to_owned(), readable(file)?);
                environment.insert("REPLAY_SPEED".to_owned(), args.speed.clone());
            }
            ("replay", None) => return Err(Failure::usage("--source replay needs --replay-file")),
            (_, Some(_)) => return Err(Failure::usage(format_args!("--replay-file goes with --source replay, not {source}"))),
            _ => {}
        }
        if args.until_drained && source != "replay" {
            return Err(Failure::usage(format_args!("--until-drained needs a source that ends: {source} goes on for ever")));
        }
        let cluster = cluster(args, &environment)?;
        if !matches!(cluster, Cluster::Own { .. }) {
            // They are for a cluster of the user's.
            environment.retain(|variable, _| !variable.starts_with("KAFKA_"));
        }
        Ok(Self {
            source,
            fetch_environment: environment,
            every: (!args.as_deployed).then_some(args.every),
            as_deployed: args.as_deployed,
            cluster,
            port: args.port,
            one_shot: args.until_drained,
            template: args.template.clone(),
        })
    }

    /// What `check-freshness` expects here, beside what the template says: the symbols and sessions that are fetched. A replay
    /// wants no symbols of today, and a list in S3 is not read.
    pub(crate) fn check_environment(&self) -> BTreeMap<String, String> {
        let passed = ["SYMBOLS", "MARKET_HOURS"].iter().filter_map(|name| Some((*name, self.fetch_environment.get(*name)?.clone())));
        let mut environment: BTreeMap<_, _> = passed.map(|(name, value)| (name.to_owned(), value)).collect();
        if self.source == "replay" || self.fetch_environment.contains_key("SYMBOLS_S3_URI") {
            environment.insert("SYMBOLS".to_owned(), String::new());
        }
        environment
    }

    /// Reads the template, filled in for a cluster that listens at `bootstrap_servers`.
    pub(crate) fn deployment(&self, bootstrap_servers: &str) -> Result<Deployment, Failure> {
        deployment::read(self.template.as_deref(), bootstrap_servers)
    }
}

fn cluster(args: &LocalArgs, environment: &BTreeMap<String, String>) -> Result<Cluster, Failure> {
    match args.kafka.as_str() {
        "embedded" => return Ok(Cluster::Embedded(args.kafka_port)),
        "real" => return Ok(Cluster::Real(args.kafka_port)),
        _ => {}
    }
    let is_address = |server: &str| server.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if !args.kafka.split(',').all(is_address) {
        return Err(Failure::usage(format_args!("--kafka is {:?}: it takes embedded, real or the HOST:PORT of your broker", args.kafka)));
    }
    let security = kafka::security(|variable| environment.get(variable).cloned())?;
    Ok(Cluster::Own { bootstrap_servers: args.kafka.clone(), security })
}

/// The file's absolute path, once it is known that it can be read.
fn readable(file: &Path) -> Result<String, Failure> {
    let cannot = |error| Failure::new(format_args!("cannot read the replay file {}", file.display()), error);
    std::fs::File::open(file).map_err(cannot)?;
    let absolute = std::fs::canonicalize(file).map_err(cannot)?;
    absolute
        .into_os_string()
        .into_string()
        .map_err(|path| Failure::plain(format_args!("the replay file's path is not UTF-8: {}", path.to_string_lossy())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn plan(flags: &[&str], variables: &[(&str, &str)]) -> Result<Plan, Failure> {
        let Command::Local(args) = Cli::parse_from([&["tickerlake", "local"], flags].concat()).command else { unreachable!() };
        Plan::new(&args, |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn flags_win_over_the_environment() {
        let plan = plan(&["--symbols", "IBM"], &[("SYMBOLS", "AAPL"), ("SIMULATION_SEED", "7"), ("HOME", "/")]).unwrap();
        let environment: Vec<_> = plan.fetch_environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(environment, [("POLL_AT", ":00"), ("QUOTE_SOURCE", "simulated"), ("SIMULATION_SEED", "7"), ("SYMBOLS", "IBM")]);
    }

    #[test]
    fn what_is_fetched_is_what_the_check_expects() {
        let expected = |flags: &[&str], variables: &[(&str, &str)]| {
            let environment = plan(flags, variables).unwrap().check_environment();
            environment.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(expected(&["--symbols", "IBM"], &[("MARKET_HOURS", "always")]), ["MARKET_HOURS=always", "SYMBOLS=IBM"]);
        assert_eq!(expected(&[], &[]), [""; 0], "the template's own");
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert_eq!(expected(&["--replay-file", file], &[("SYMBOLS", "IBM")]), ["SYMBOLS="]);
        assert_eq!(expected(&["--symbols", "IBM"], &[("SYMBOLS_S3_URI", "s3://b/k")]), ["SYMBOLS="]);
    }

    #[test]
    fn what_cannot_work_is_told_before_anything_starts() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for (flags, variables, told) in [
            (&["--source", "bloomberg"][..], &[][..], "unknown source \"bloomberg\""),
            (&["--source", "replay"], &[], "needs --replay-file"),
            (&["--replay-file", "/no/such/file.csv"], &[], "cannot read the replay file /no/such/file.csv: No such file"),
            (&["--source", "simulated", "--replay-file", file], &[], "--replay-file goes with --source replay"),
            (&["--until-drained"], &[], "--until-drained needs a source that ends"),
            (&["--kafka", "nowhere"], &[], "--kafka is \"nowhere\""),
            (&["--kafka", "a:1"], &[("KAFKA_SECURITY_PROTOCOL", "sasl_ssl")], "set KAFKA_USERNAME and KAFKA_PASSWORD"),
        ] {
            let failure = plan(flags, variables).unwrap_err().to_string();
            assert!(failure.contains(told), "{failure}");
        }
    }
}
