//! The function's configuration: the only reader of the environment.

mod provider;

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use quotes::symbol;

pub(crate) use self::provider::{KeyConfig, Kind, ProviderConfig};

/// The symbols that are fetched where `SYMBOLS` names none.
const DEFAULT_SYMBOLS: [&str; 6] = ["AAPL", "AMZN", "GOOGL", "MSFT", "NVDA", "SPY"];

/// Everything that can be configured.
#[derive(Debug)]
pub(crate) struct Config {
    /// Where quotes come from: `QUOTE_SOURCE` and the source's own variables.
    pub(crate) source: SourceConfig,
    /// How often the source is asked within one invocation (`POLL_EVERY`); unset: once.
    pub(crate) poll_every: Option<Duration>,
    /// The object whose symbols are taken instead of those of `SYMBOLS`: `SYMBOLS_S3_URI`.
    pub(crate) symbols_at: Option<S3Object>,
    /// The cluster and topic.
    pub(crate) kafka: KafkaConfig,
    /// What of the cluster's settings lies in secrets.
    pub(crate) kafka_secrets: KafkaSecrets,
    /// The function's name, under which its metrics stand: `AWS_LAMBDA_FUNCTION_NAME`.
    pub(crate) function: String,
}

/// An object in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct S3Object {
    /// Its bucket.
    pub(crate) bucket: String,
    /// Its key.
    pub(crate) key: String,
}

impl fmt::Display for S3Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// The source and its settings.
#[derive(Debug, PartialEq)]
pub(crate) enum SourceConfig {
    /// Made-up quotes: `SYMBOLS`, `SIMULATION_SEED`.
    Simulated {
        /// Canonical tickers, each once.
        symbols: Vec<String>,
        /// Which of all possible markets.
        seed: u64,
    },
    /// A recorded file: `REPLAY_FILE`, `REPLAY_SPEED`.
    Replay {
        /// CSV, plain or gzipped.
        file: PathBuf,
        /// How fast.
        speed: Speed,
    },
    /// A provider.
    Provider(Box<ProviderConfig>),
}

/// How fast a file is replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Speed {
    /// As fast as it goes.
    Max,
    /// By the recorded `fetched_at`, this many times as fast as it was.
    Times(f64),
}

/// The cluster and topic.
#[derive(Debug, Clone)]
pub(crate) struct KafkaConfig {
    /// `KAFKA_BOOTSTRAP_SERVERS`: `host:port`, comma-separated.
    pub(crate) bootstrap_servers: String,
    /// `KAFKA_TOPIC`.
    pub(crate) topic: String,
    /// `KAFKA_SECURITY_PROTOCOL` and what it needs.
    pub(crate) security: Security,
}

/// The secrets that hold settings of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KafkaSecrets {
    /// The user: `KAFKA_SECRET_ARN`.
    pub(crate) user: Option<String>,
    /// The certificate authority: `KAFKA_CA_SECRET_ARN`.
    pub(crate) authority: Option<String>,
}

/// How the cluster is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Security {
    /// Neither encrypted nor authenticated: a broker on this machine.
    Plaintext,
    /// TLS.
    Ssl {
        /// The certificate authority in PEM; `None`: the system's.
        ca: Option<String>,
    },
    /// SCRAM-SHA-512 without TLS.
    SaslPlaintext {
        /// Who we are.
        login: Login,
    },
    /// SCRAM-SHA-512 over TLS.
    SaslSsl {
        /// Who we are.
        login: Login,
        /// The certificate authority in PEM; `None`: the system's.
        ca: Option<String>,
    },
}

impl Security {
    /// librdkafka's `security.protocol`.
    pub(crate) const fn protocol(&self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl { .. } => "ssl",
            Self::SaslPlaintext { .. } => "sasl_plaintext",
            Self::SaslSsl { .. } => "sasl_ssl",
        }
    }

    /// The login, to be set from a secret, where the protocol has one.
    pub(crate) const fn login_mut(&mut self) -> Option<&mut Login> {
        match self {
            Self::Plaintext | Self::Ssl { .. } => None,
            Self::SaslPlaintext { login } | Self::SaslSsl { login, .. } => Some(login),
        }
    }

    /// The certificate authority, to be set from a secret, where the protocol has one.
    pub(crate) const fn authority_mut(&mut self) -> Option<&mut Option<String>> {
        match self {
            Self::Plaintext | Self::SaslPlaintext { .. } => None,
            Self::Ssl { ca } | Self::SaslSsl { ca, .. } => Some(ca),
        }
    }

    /// The login, where the protocol has one.
    pub(crate) const fn login(&self) -> Option<&Login> {
        match self {
            Self::Plaintext | Self::Ssl { .. } => None,
            Self::SaslPlaintext { login } | Self::SaslSsl { login, .. } => Some(login),
        }
    }
}

/// A user of the cluster. Blank until the secret of `KAFKA_SECRET_ARN` is read, where that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    /// `KAFKA_USERNAME`.
    pub(crate) username: String,
    /// `KAFKA_PASSWORD`.
    pub(crate) password: Secret,
}

/// A text that no log and no error shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Keeps `text`.
    pub(crate) const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the client that needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Why the function does not start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A needed variable is not set.
    #[error("{variable} is not set: {needed}")]
    Missing {
        /// Its name.
        variable: &'static str,
        /// What it is for and looks like.
        needed: &'static str,
    },
    /// A variable has a value that means nothing.
    #[error("{variable} is {found:?}: allowed is {allowed}")]
    Invalid {
        /// Its name.
        variable: &'static str,
        /// Its value.
        found: String,
        /// What it could be.
        allowed: &'static str,
    },
    /// Two variables are set of which one would be ignored.
    #[error("{one} and {other} are both set: unset one of them")]
    Both {
        /// One.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// Yahoo has no interface for programs.
    #[error(
        "YAHOO_TERMS is not set to accepted: Yahoo offers no public API, and its terms (https://legal.yahoo.com) allow personal use only and no \
         redistribution; set it once you have read them"
    )]
    Terms,
    /// A secret is set that would not be used: probably the protocol was forgotten.
    #[error("{variable} is set, but KAFKA_SECURITY_PROTOCOL is {protocol}: set it to sasl_ssl or sasl_plaintext, or unset {variable}")]
    UnusedLogin {
        /// What names the user.
        variable: &'static str,
        /// The protocol that was found.
        protocol: String,
    },
}

impl Config {
    /// Reads the environment.
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads the environment for the source alone: the cluster is one that nobody will ask.
    pub(crate) fn without_kafka() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| match name {
            "KAFKA_BOOTSTRAP_SERVERS" => Some("nowhere:0".to_owned()),
            name if name.starts_with("KAFKA_") => None,
            name => std::env::var(name).ok(),
        })
    }

    /// Reads variables through `lookup`. One that is empty or blank counts as not set: a template's
    /// parameter has no other way to say so.
    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variables = Variables(lookup);
        let poll_every = poll_every(&variables)?;
        Ok(Self {
            source: source(&variables, poll_every)?,
            poll_every,
            symbols_at: symbols_at(&variables)?,
            kafka: kafka(&variables)?,
            kafka_secrets: kafka_secrets(&variables)?,
            function: variables.get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| "fetch-quotes".to_owned()),
        })
    }

    /// Takes the symbols of the list that `SYMBOLS_S3_URI` names.
    pub(crate) fn set_symbols(&mut self, listed: &[String]) {
        match &mut self.source {
            SourceConfig::Simulated { symbols, .. } => *symbols = listed.to_vec(),
            SourceConfig::Provider(provider) => provider.polling.symbols = listed.to_vec(),
            SourceConfig::Replay { .. } => {}
        }
    }
}

/// The symbols in the text of the object that `SYMBOLS_S3_URI` names, at least one: separated by commas, blanks or lines;
/// what stands behind a `#` is a remark.
pub(crate) fn listed_in(text: &str) -> Result<Vec<String>, ConfigError> {
    const ALLOWED: &str = "the URI of a list of tickers, the share class after a dot, such as AAPL and BRK.B";
    let invalid = |found| ConfigError::Invalid { variable: "SYMBOLS_S3_URI", found, allowed: ALLOWED };
    let lines = text.lines().map(|line| line.split_once('#').map_or(line, |(symbols, _)| symbols));
    let found = listed(lines.flat_map(|line| line.split(|c: char| c == ',' || c.is_whitespace()))).map_err(invalid)?;
    if found.is_empty() { Err(invalid("an empty list".to_owned())) } else { Ok(found) }
}

/// The environment, or what stands in for it in a test.
struct Variables<L>(L);

impl<L: Fn(&str) -> Option<String>> Variables<L> {
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.trim().is_empty())
    }

    fn need(&self, variable: &'static str, needed: &'static str) -> Result<String, ConfigError> {
        self.get(variable).ok_or(ConfigError::Missing { variable, needed })
    }

    /// The value as `parse` understands it, or `default` where it is not set.
    fn parsed<T>(
        &self,
        variable: &'static str,
        allowed: &'static str,
        default: T,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        match self.get(variable) {
            None => Ok(default),
            Some(found) => parse(found.trim()).ok_or(ConfigError::Invalid { variable, found, allowed }),
        }
    }
}

fn source<L: Fn(&str) -> Option<String>>(variables: &Variables<L>, poll_every: Option<Duration>) -> Result<SourceConfig, ConfigError> {
    let name = variables.get("QUOTE_SOURCE").unwrap_or_else(|| "simulated".to_owned());
    match name.trim() {
        "simulated" => Ok(SourceConfig::Simulated {
            symbols: symbols(variables)?,
            seed: variables.parsed("SIMULATION_SEED", "a whole number from 0 to 2^64 - 1", 1, |text| text.parse().ok())?,
        }),
        "replay" => Ok(SourceConfig::Replay {
            file: variables.need("REPLAY_FILE", "the source replay reads this file, a .csv or .csv.gz")?.into(),
            speed: variables.parsed("REPLAY_SPEED", "max, or a factor above 0 such as 60x", Speed::Times(60.0), speed)?,
        }),
        provider => match provider::read(provider, symbols(variables)?, poll_every, variables)? {
            Some(provider) => Ok(SourceConfig::Provider(Box::new(provider))),
            None => {
                const ALLOWED: &str = "simulated, replay, alpaca, finnhub, massive, tiingo, twelvedata or yahoo";
                Err(ConfigError::Invalid { variable: "QUOTE_SOURCE", found: name, allowed: ALLOWED })
            }
        },
    }
}

fn symbols_at<L: Fn(&str) -> Option<String>>(variables: &Variables<L>) -> Result<Option<S3Object>, ConfigError> {
    variables.parsed("SYMBOLS_S3_URI", "an object in S3, such as s3://bucket/symbols.txt", None, |text| {
        let (bucket, key) = text.strip_prefix("s3://")?.split_once('/')?;
        (!bucket.is_empty() && !key.is_empty()).then(|| Some(S3Object { bucket: bucket.to_owned(), key: key.to_owned() }))
    })
}

/// A text that is the ARN of a secret.
fn secret_arn(variable: &'static str, found: String) -> Result<String, ConfigError> {
    let arn = found.trim();
    if arn.starts_with("arn:") && arn.contains(":secretsmanager:") {
        return Ok(arn.to_owned());
    }
    const ALLOWED: &str = "the ARN of a secret, such as arn:aws:secretsmanager:us-east-1:123456789012:secret:name-AbCdEf";
    Err(ConfigError::Invalid { variable, found, allowed: ALLOWED })
}

fn symbols<L: Fn(&str) -> Option<String>>(variables: &Variables<L>) -> Result<Vec<String>, ConfigError> {
    let Some(list) = variables.get("SYMBOLS") else {
        return Ok(DEFAULT_SYMBOLS.map(str::to_owned).to_vec());
    };
    listed(list.split(',')).map_err(|found| {
        const ALLOWED: &str = "tickers separated by commas, the share class after a dot, such as AAPL,BRK.B";
        ConfigError::Invalid { variable: "SYMBOLS", found, allowed: ALLOWED }
    })
}

/// The symbols in upper case and each once; the one that is no ticker as an error.
fn listed<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<String>, String> {
    let mut seen = HashSet::new();
    let mut symbols = Vec::new();
    for found in texts.map(|symbol| symbol.trim().to_ascii_uppercase()).filter(|symbol| !symbol.is_empty()) {
        if !symbol::is_canonical(&found) {
            return Err(found);
        }
        if seen.insert(found.clone()) {
            symbols.push(found);
        }
    }
    Ok(symbols)
}

fn poll_every<L: Fn(&str) -> Option<String>>(variables: &Variables<L>) -> Result<Option<Duration>, ConfigError> {
    variables.parsed("POLL_EVERY", "a time from 100ms to 15m, such as 500ms, 5s or 1m", None, |text| {
        duration(text).filter(|every| (Duration::from_millis(100)..=Duration::from_secs(900)).contains(every)).map(Some)
    })
}

fn kafka<L: Fn(&str) -> Option<String>>(variables: &Variables<L>) -> Result<KafkaConfig, ConfigError> {
    Ok(KafkaConfig {
        bootstrap_servers: variables.need("KAFKA_BOOTSTRAP_SERVERS", "the brokers to produce to, as host:port,host:port")?,
        topic: variables.parsed(
            "KAFKA_TOPIC",
            "a topic's name: at most 249 letters, digits, dots, underscores and hyphens",
            "quotes".to_owned(),
            |text| is_topic(text).then(|| text.to_owned()),
        )?,
        security: security(variables)?,
    })
}

fn kafka_secrets<L: Fn(&str) -> Option<String>>(variables: &Variables<L>) -> Result<KafkaSecrets, ConfigError> {
    let arn = |variable| variables.get(variable).map(|arn| secret_arn(variable, arn)).transpose();
    let secrets = KafkaSecrets { user: arn("KAFKA_SECRET_ARN")?, authority: arn("KAFKA_CA_SECRET_ARN")? };
    if secrets.authority.is_some() && variables.get("KAFKA_CA_CERTIFICATE").is_some() {
        return Err(ConfigError::Both { one: "KAFKA_CA_CERTIFICATE", other: "KAFKA_CA_SECRET_ARN" });
    }
    Ok(secrets)
}

fn security<L: Fn(&str) -> Option<String>>(variables: &Variables<L>) -> Result<Security, ConfigError> {
    let has_secret = variables.get("KAFKA_SECRET_ARN").is_some();
    let named = ["KAFKA_USERNAME", "KAFKA_SECRET_ARN"].into_iter().find(|variable| variables.get(variable).is_some());
    if has_secret && variables.get("KAFKA_USERNAME").is_some() {
        return Err(ConfigError::Both { one: "KAFKA_USERNAME", other: "KAFKA_SECRET_ARN" });
    }
    let login = || {
        if has_secret {
            return Ok(Login { username: String::new(), password: Secret(String::new()) });
        }
        Ok(Login {
            username: variables.need("KAFKA_USERNAME", "KAFKA_SECURITY_PROTOCOL asks for a user")?,
            password: variables.need("KAFKA_PASSWORD", "KAFKA_SECURITY_PROTOCOL asks for the user's password").map(Secret)?,
        })
    };
    let ca = variables.get("KAFKA_CA_CERTIFICATE");
    let protocol = variables.get("KAFKA_SECURITY_PROTOCOL").unwrap_or_else(|| "plaintext".to_owned());
    let security = match protocol.trim().to_ascii_lowercase().as_str() {
        "plaintext" => Security::Plaintext,
        "ssl" => Security::Ssl { ca },
        "sasl_plaintext" => Security::SaslPlaintext { login: login()? },
        "sasl_ssl" => Security::SaslSsl { login: login()?, ca },
        _ => {
            const ALLOWED: &str = "plaintext, ssl, sasl_ssl or sasl_plaintext";
            return Err(ConfigError::Invalid { variable: "KAFKA_SECURITY_PROTOCOL", found: protocol, allowed: ALLOWED });
        }
    };
    match named {
        Some(variable) if security.login().is_none() => Err(ConfigError::UnusedLogin { variable, protocol }),
        _ => Ok(security),
    }
}

fn is_topic(text: &str) -> bool {
    (1..=249).contains(&text.len())
        && text != "."
        && text != ".."
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// `60x`, `0.5x` or `max`.
fn speed(text: &str) -> Option<Speed> {
    if text.eq_ignore_ascii_case("max") {
        return Some(Speed::Max);
    }
    let factor: f64 = text.strip_suffix(['x', 'X'])?.parse().ok()?;
    (factor.is_finite() && factor > 0.0).then_some(Speed::Times(factor))
}

/// `500ms`, `5s`, `1m`, `4h` or `7d`.
fn duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(millis).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(super) fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let with_broker = [&[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")], variables].concat();
        Config::from_lookup(|name| with_broker.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    fn refused(variables: &[(&str, &str)]) -> String {
        read(variables).unwrap_err().to_string()
    }

    #[test]
    fn a_broker_is_all_that_must_be_named() {
        let config = read(&[]).unwrap();
        assert_eq!(config.source, SourceConfig::Simulated { symbols: DEFAULT_SYMBOLS.map(str::to_owned).to_vec(), seed: 1 });
        assert_eq!(config.poll_every, None);
        assert_eq!(config.kafka.topic, "quotes");
        assert_eq!(config.kafka.security.protocol(), "plaintext");

        assert_eq!(
            refused(&[("KAFKA_BOOTSTRAP_SERVERS", " ")]),
            "KAFKA_BOOTSTRAP_SERVERS is not set: the brokers to produce to, as host:port,host:port"
        );
    }

    #[test]
    fn empty_variables_count_as_unset() {
        let config = read(&[("QUOTE_SOURCE", ""), ("SYMBOLS", ""), ("POLL_EVERY", ""), ("KAFKA_USERNAME", "")]).unwrap();
        assert!(matches!(config.source, SourceConfig::Simulated { seed: 1, .. }));
    }

    #[test]
    fn symbols_are_listed_once_in_upper_case() {
        let config = read(&[("SYMBOLS", "aapl, BRK.B,,AAPL"), ("SIMULATION_SEED", "7")]).unwrap();
        assert_eq!(config.source, SourceConfig::Simulated { symbols: vec!["AAPL".to_owned(), "BRK.B".to_owned()], seed: 7 });
    }

    #[test]
    fn a_replay_needs_a_file() {
        let config = read(&[("QUOTE_SOURCE", "replay"), ("REPLAY_FILE", "a.csv"), ("REPLAY_SPEED", "max")]).unwrap();
        assert_eq!(config.source, SourceConfig::Replay { file: "a.csv".into(), speed: Speed::Max });
        assert_eq!(refused(&[("QUOTE_SOURCE", "replay")]), "REPLAY_FILE is not set: the source replay reads this file, a .csv or .csv.gz");
    }

    #[test]
    fn a_bad_value_is_told_with_what_is_allowed() {
        for (variables, told) in [
            (
                &[("QUOTE_SOURCE", "bloomberg")][..],
                "QUOTE_SOURCE is \"bloomberg\": allowed is simulated, replay, alpaca, finnhub, massive, tiingo, twelvedata or yahoo",
            ),
            (&[("SYMBOLS", "AAPL,<b>")], "SYMBOLS is \"<B>\": allowed is tickers"),
            (&[("SIMULATION_SEED", "-1")], "SIMULATION_SEED is \"-1\": allowed is a whole number"),
            (&[("POLL_EVERY", "5")], "POLL_EVERY is \"5\": allowed is a time from"),
            (&[("POLL_EVERY", "1ms")], "POLL_EVERY is \"1ms\""),
            (&[("KAFKA_TOPIC", "a b")], "KAFKA_TOPIC is \"a b\""),
            (&[("KAFKA_SECURITY_PROTOCOL", "tls")], "KAFKA_SECURITY_PROTOCOL is \"tls\": allowed is plaintext, ssl"),
            (
                &[("QUOTE_SOURCE", "replay"), ("REPLAY_FILE", "f"), ("REPLAY_SPEED", "0x")],
                "REPLAY_SPEED is \"0x\": allowed is max, or a factor",
            ),
        ] {
            let found = refused(variables);
            assert!(found.starts_with(told), "{found}");
        }
    }

    #[test]
    fn a_login_is_whole_used_and_never_shown() {
        let sasl = [
            ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
            ("KAFKA_USERNAME", "fetcher"),
            ("KAFKA_PASSWORD", "hunter2"),
            ("KAFKA_CA_CERTIFICATE", "-----BEGIN CERTIFICATE-----"),
        ];
        let config = read(&sasl).unwrap();
        assert_eq!(config.kafka.security.login().unwrap().password.expose(), "hunter2");
        assert!(!format!("{config:?}").contains("hunter2"));

        assert!(refused(&sasl[..2]).starts_with("KAFKA_PASSWORD is not set"));
        assert!(refused(&sasl[1..3]).starts_with("KAFKA_USERNAME is set, but KAFKA_SECURITY_PROTOCOL is plaintext"));
        assert!(!refused(&sasl[1..3]).contains("hunter2"));
    }

    #[test]
    fn a_long_list_of_symbols_is_read_from_an_object() {
        let mut config = read(&[("SYMBOLS_S3_URI", "s3://lists/us/all.txt"), ("SYMBOLS", "IBM")]).unwrap();
        assert_eq!(config.symbols_at.as_ref().map(ToString::to_string).as_deref(), Some("s3://lists/us/all.txt"));
        config.set_symbols(&listed_in("# technology\naapl, MSFT\r\n\nBRK.B # Buffett\nAAPL\n").unwrap());
        let SourceConfig::Simulated { symbols, .. } = &config.source else { unreachable!() };
        assert_eq!(symbols, &["AAPL", "MSFT", "BRK.B"]);

        let refused = |text: &str| listed_in(text).unwrap_err().to_string();
        assert!(refused("AAPL\n<Error>").starts_with("SYMBOLS_S3_URI is \"<ERROR>\": allowed is the URI of a list"));
        assert!(refused(" \n# none").starts_with("SYMBOLS_S3_URI is \"an empty list\""));
    }

    #[test]
    fn the_users_secret_stands_in_for_the_user() {
        const ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:producer-AbCdEf";
        let sasl = ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl");
        let mut config = read(&[sasl, ("KAFKA_SECRET_ARN", ARN)]).unwrap();
        assert_eq!(config.kafka_secrets, KafkaSecrets { user: Some(ARN.to_owned()), authority: None });
        assert!(config.kafka.security.login_mut().is_some());
        assert!(refused(&[("KAFKA_SECRET_ARN", ARN)]).starts_with("KAFKA_SECRET_ARN is set, but KAFKA_SECURITY_PROTOCOL is plaintext"));
        let both = refused(&[sasl, ("KAFKA_SECRET_ARN", ARN), ("KAFKA_USERNAME", "me")]);
        assert_eq!(both, "KAFKA_USERNAME and KAFKA_SECRET_ARN are both set: unset one of them");

        let mut config = read(&[sasl, ("KAFKA_SECRET_ARN", ARN), ("KAFKA_CA_SECRET_ARN", ARN)]).unwrap();
        assert_eq!(config.kafka_secrets.authority.as_deref(), Some(ARN));
        assert_eq!(config.kafka.security.authority_mut(), Some(&mut None));
        let both = refused(&[("KAFKA_CA_SECRET_ARN", ARN), ("KAFKA_CA_CERTIFICATE", "-----BEGIN")]);
        assert_eq!(both, "KAFKA_CA_CERTIFICATE and KAFKA_CA_SECRET_ARN are both set: unset one of them");
    }

    #[test]
    fn times_and_speeds_have_units() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!((duration("4h"), duration("7d")), (Some(Duration::from_secs(14_400)), Some(Duration::from_secs(604_800))));
        for text in ["", "s", "5", "1.5s", "-1s", "99999999999999999999s", "18446744073709551615m"] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert_eq!(speed("0.5x"), Some(Speed::Times(0.5)));
        for text in ["60", "x", "-1x", "NaNx", "infx", "maximum"] {
            assert_eq!(speed(text), None, "{text}");
        }
    }
}
