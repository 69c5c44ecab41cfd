//! The settings of the providers.

use std::time::Duration;

use quotes::hours::Hours;
use reqwest::Url;

use super::{ConfigError, Variables, duration};
use crate::sources::provider::key::ApiKey;
use crate::sources::provider::limit::Limit;
use crate::sources::provider::polled::Polling;
use crate::sources::{alpaca, finnhub, massive, tiingo, twelvedata, yahoo};

/// A provider and how it is polled.
#[derive(Debug, PartialEq)]
pub(crate) struct ProviderConfig {
    /// Which one.
    pub(crate) kind: Kind,
    /// The base URL: its own, or `QUOTE_API_URL`.
    pub(crate) url: Url,
    /// Where its key comes from.
    pub(crate) key: KeyConfig,
    /// How it is polled.
    pub(crate) polling: Polling,
}

/// The providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Alpaca, with one of [`alpaca::FEEDS`].
    Alpaca((&'static str, i32)),
    /// Finnhub.
    Finnhub,
    /// Massive, with one of [`massive::FEEDS`].
    Massive((&'static str, i32)),
    /// Tiingo.
    Tiingo,
    /// Twelve Data.
    TwelveData,
    /// Yahoo.
    Yahoo,
}

/// Where a provider's key comes from.
#[derive(Debug, PartialEq)]
pub(crate) enum KeyConfig {
    /// It needs none.
    None,
    /// `QUOTE_API_KEY`.
    Plain(ApiKey),
    /// `QUOTE_API_KEY_SECRET_ARN`.
    Secret(String),
}

/// What differs between the providers.
struct Defaults {
    url: &'static str,
    /// The free plan's limits, as `QUOTE_RATE_LIMIT` writes them.
    limits: &'static str,
    /// Whether its answers hold minute bars, which are best asked for half a minute after the minute.
    has_bars: bool,
}

/// Alpaca computes a bar a second after its minute, and again half a minute later: with late trades.
const AFTER_THE_BARS: Duration = Duration::from_secs(35);

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Reads the settings of the provider `name`; `None` where there is no such provider.
pub(super) fn read<L: Fn(&str) -> Option<String>>(
    name: &str,
    symbols: Vec<String>,
    poll_every: Option<Duration>,
    variables: &Variables<L>,
) -> Result<Option<ProviderConfig>, ConfigError> {
    let kind = match name {
        "alpaca" => Kind::Alpaca(variables.parsed("QUOTE_FEED", "iex, delayed_sip or sip", alpaca::FEEDS[0], feed(&alpaca::FEEDS))?),
        "finnhub" => Kind::Finnhub,
        "massive" => Kind::Massive(variables.parsed("QUOTE_FEED", "delayed or realtime", massive::FEEDS[0], feed(&massive::FEEDS))?),
        "tiingo" => Kind::Tiingo,
        "twelvedata" => Kind::TwelveData,
        "yahoo" => Kind::Yahoo,
        _ => return Ok(None),
    };
    if kind == Kind::Yahoo && variables.get("YAHOO_TERMS").is_none_or(|said| !said.trim().eq_ignore_ascii_case("accepted")) {
        return Err(ConfigError::Terms);
    }
    let defaults = defaults(kind);
    Ok(Some(ProviderConfig {
        kind,
        url: url(variables, defaults.url)?,
        key: key(kind, variables)?,
        polling: Polling {
            symbols,
            limits: limits(variables, defaults.limits)?,
            hours: variables.parsed("MARKET_HOURS", "regular, extended or always", Hours::Extended, Hours::parse)?,
            at: at(variables, poll_every, defaults.has_bars)?,
            stale_after: variables.parsed("STALE_AFTER", "a time above 0, such as 30m, 4h or 7d", WEEK, some_time)?,
            heartbeat: heartbeat(variables)?,
        },
    }))
}

const fn defaults(kind: Kind) -> Defaults {
    let (url, limits, has_bars) = match kind {
        Kind::Alpaca(_) => (alpaca::URL, "200/1m", true),
        Kind::Finnhub => (finnhub::URL, "60/1m,30/1s", false),
        Kind::Massive(_) => (massive::URL, "5/1m", true),
        Kind::Tiingo => (tiingo::URL, "50/1h", false),
        Kind::TwelveData => (twelvedata::URL, "8/1m,800/1d", false),
        Kind::Yahoo => (yahoo::URL, "60/1m,5/1s", false),
    };
    Defaults { url, limits, has_bars }
}

fn feed<const N: usize>(feeds: &'static [(&'static str, i32); N]) -> impl Fn(&str) -> Option<(&'static str, i32)> {
    move |text| feeds.iter().find(|(name, _)| *name == text).copied()
}

fn url<L: Fn(&str) -> Option<String>>(variables: &Variables<L>, default: &'static str) -> Result<Url, ConfigError> {
    const ALLOWED: &str = "an http or https URL without a user, a query or a fragment, such as https://proxy.example.com/quotes";
    let text = variables.get("QUOTE_API_URL").unwrap_or_else(|| default.to_owned());
    let is_base = |url: &Url| {
        let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain
    };
    // What was found is not shown: a password may be in it.
    let invalid = || ConfigError::Invalid { variable: "QUOTE_API_URL", found: "(not shown)".to_owned(), allowed: ALLOWED };
    text.trim().parse().ok().filter(is_base).ok_or_else(invalid)
}

fn key<L: Fn(&str) -> Option<String>>(kind: Kind, variables: &Variables<L>) -> Result<KeyConfig, ConfigError> {
    match (variables.get("QUOTE_API_KEY"), variables.get("QUOTE_API_KEY_SECRET_ARN")) {
        (Some(_), Some(_)) => Err(ConfigError::Both { one: "QUOTE_API_KEY", other: "QUOTE_API_KEY_SECRET_ARN" }),
        _ if kind == Kind::Yahoo => Ok(KeyConfig::None),
        (None, Some(arn)) => super::secret_arn("QUOTE_API_KEY_SECRET_ARN", arn).map(KeyConfig::Secret),
        (None, None) => Err(ConfigError::Missing {
            variable: "QUOTE_API_KEY",
            needed: "the provider's API key (with alpaca ID:SECRET); or set QUOTE_API_KEY_SECRET_ARN to a secret that holds it",
        }),
        (Some(text), None) => {
            let needs_id = matches!(kind, Kind::Alpaca(_));
            let allowed = if needs_id { "the key's id and its secret as ID:SECRET" } else { "the provider's API key, without blanks" };
            let invalid = || ConfigError::Invalid { variable: "QUOTE_API_KEY", found: "(not shown)".to_owned(), allowed };
            ApiKey::parse(&text).filter(|key| key.has_id() == needs_id).map(KeyConfig::Plain).ok_or_else(invalid)
        }
    }
}

fn limits<L: Fn(&str) -> Option<String>>(variables: &Variables<L>, default: &str) -> Result<Vec<Limit>, ConfigError> {
    const ALLOWED: &str = "limits such as 200/1m or 60/1m,30/1s: a number above 0, and a time";
    let default = read_limits(default).unwrap_or_default();
    variables.parsed("QUOTE_RATE_LIMIT", ALLOWED, default, read_limits)
}

fn read_limits(text: &str) -> Option<Vec<Limit>> {
    let limit = |text: &str| {
        let (most, per) = text.trim().split_once('/')?;
        let most = most.parse().ok().filter(|most| *most > 0)?;
        Some(Limit { most, per: some_time(per)? })
    };
    text.split(',').map(limit).collect()
}

/// A source that is polled more often than each minute is polled on that grid instead.
fn at<L: Fn(&str) -> Option<String>>(
    variables: &Variables<L>,
    poll_every: Option<Duration>,
    has_bars: bool,
) -> Result<Option<Duration>, ConfigError> {
    let second = |text: &str| {
        let digits = text.strip_prefix(':').or_else(|| text.strip_suffix('s')).unwrap_or(text);
        digits.parse().ok().filter(|second| *second < 60_u64).map(|second| Some(Duration::from_secs(second)))
    };
    let default = has_bars.then_some(AFTER_THE_BARS);
    let at = variables.parsed("POLL_AT", "a second of the minute from :00 to :59", default, second)?;
    Ok(at.filter(|_| poll_every.is_none_or(|every| every >= Duration::from_secs(60))))
}

fn heartbeat<L: Fn(&str) -> Option<String>>(variables: &Variables<L>) -> Result<Option<Duration>, ConfigError> {
    let skips = variables.parsed("SKIP_UNCHANGED", "on or off", false, |text| match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    })?;
    let heartbeat = variables.parsed("HEARTBEAT", "a time above 0, such as 5m", Duration::from_secs(300), some_time)?;
    Ok(skips.then_some(heartbeat))
}

fn some_time(text: &str) -> Option<Duration> {
    duration(text).filter(|time| !time.is_zero())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Config, SourceConfig, tests};
    use super::*;

    fn read(variables: &[(&str, &str)]) -> ProviderConfig {
        match tests::read(variables).map(|Config { source, .. }| source) {
            Ok(SourceConfig::Provider(config)) => *config,
            other => unreachable!("{other:?}"),
        }
    }

    fn refused(variables: &[(&str, &str)]) -> String {
        tests::read(variables).unwrap_err().to_string()
    }

    const ALPACA: [(&str, &str); 2] = [("QUOTE_SOURCE", "alpaca"), ("QUOTE_API_KEY", "PKID:s3cr3t-key")];

    #[test]
    fn a_key_is_all_that_alpaca_needs() {
        let config = read(&ALPACA);
        assert_eq!(config.kind, Kind::Alpaca(("iex", 0)));
        assert_eq!(config.url.as_str(), "https://data.alpaca.markets/");
        assert_eq!(config.polling.limits, [Limit { most: 200, per: Duration::from_secs(60) }]);
        assert_eq!((config.polling.hours, config.polling.at), (Hours::Extended, Some(Duration::from_secs(35))));
        assert_eq!((config.polling.stale_after, config.polling.heartbeat), (WEEK, None));
        assert!(!format!("{config:?}").contains("s3cr3t"));
    }

    #[test]
    fn every_setting_can_be_another() {
        let config = read(
            &[
                &ALPACA[..],
                &[
                    ("QUOTE_FEED", "delayed_sip"),
                    ("QUOTE_API_URL", "http://127.0.0.1:8080/stub"),
                    ("QUOTE_RATE_LIMIT", "10000/1m, 200/1s"),
                    ("MARKET_HOURS", "always"),
                    ("POLL_AT", ":05"),
                    ("STALE_AFTER", "4h"),
                    ("SKIP_UNCHANGED", "on"),
                    ("HEARTBEAT", "1m"),
                ],
            ]
            .concat(),
        );
        assert_eq!(config.kind, Kind::Alpaca(("delayed_sip", 900)));
        assert_eq!((config.url.port(), config.polling.limits.len(), config.polling.hours), (Some(8080), 2, Hours::Always));
        assert_eq!((config.polling.at, config.polling.heartbeat), (Some(Duration::from_secs(5)), Some(Duration::from_secs(60))));
        assert_eq!(config.polling.stale_after, Duration::from_secs(4 * 3_600));
    }

    #[test]
    fn a_grid_within_the_minute_has_no_second_to_wait_for() {
        assert_eq!(read(&[&ALPACA[..], &[("POLL_EVERY", "5s")]].concat()).polling.at, None);
        assert!(read(&[&ALPACA[..], &[("POLL_EVERY", "60s")]].concat()).polling.at.is_some());
    }

    #[test]
    fn a_secrets_arn_stands_in_for_the_key() {
        const ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:alpaca-AbCdEf";
        assert_eq!(read(&[("QUOTE_SOURCE", "finnhub"), ("QUOTE_API_KEY_SECRET_ARN", ARN)]).key, KeyConfig::Secret(ARN.to_owned()));
        let both = [&ALPACA[..], &[("QUOTE_API_KEY_SECRET_ARN", ARN)]].concat();
        assert_eq!(refused(&both), "QUOTE_API_KEY and QUOTE_API_KEY_SECRET_ARN are both set: unset one of them");
    }

    #[test]
    fn yahoo_asks_for_its_terms_to_be_accepted() {
        assert!(refused(&[("QUOTE_SOURCE", "yahoo")]).contains("personal use"));
        let config = read(&[("QUOTE_SOURCE", "yahoo"), ("YAHOO_TERMS", "accepted")]);
        assert_eq!((config.kind, config.key), (Kind::Yahoo, KeyConfig::None));
    }

    #[test]
    fn a_bad_value_is_told_with_what_is_allowed() {
        for (name, value, told) in [
            ("QUOTE_FEED", "best", "QUOTE_FEED is \"best\": allowed is iex, delayed_sip or sip"),
            ("QUOTE_RATE_LIMIT", "200", "QUOTE_RATE_LIMIT is \"200\": allowed is limits such as"),
            ("QUOTE_RATE_LIMIT", "0/1m", "QUOTE_RATE_LIMIT is \"0/1m\""),
            ("MARKET_HOURS", "never", "MARKET_HOURS is \"never\": allowed is regular, extended or always"),
            ("POLL_AT", ":60", "POLL_AT is \":60\""),
            ("STALE_AFTER", "0s", "STALE_AFTER is \"0s\""),
            ("SKIP_UNCHANGED", "yes", "SKIP_UNCHANGED is \"yes\": allowed is on or off"),
            ("HEARTBEAT", "often", "HEARTBEAT is \"often\""),
            ("QUOTE_API_KEY_SECRET_ARN", "alpaca", "QUOTE_API_KEY and QUOTE_API_KEY_SECRET_ARN are both set"),
        ] {
            let error = refused(&[&ALPACA[..], &[(name, value)]].concat());
            assert!(error.starts_with(told), "{error}");
        }
        for url in ["ftp://example.com", "https://user:hunter2@example.com", "https://example.com/?apikey=hunter2", "nowhere"] {
            let error = refused(&[&ALPACA[..], &[("QUOTE_API_URL", url)]].concat());
            assert!(error.starts_with("QUOTE_API_URL is \"(not shown)\": allowed is an http or https URL"), "{error}");
            assert!(!error.contains("hunter2"));
        }
        let error = refused(&[("QUOTE_SOURCE", "alpaca"), ("QUOTE_API_KEY", "s3cr3t-key")]);
        assert_eq!(error, "QUOTE_API_KEY is \"(not shown)\": allowed is the key's id and its secret as ID:SECRET");
        assert!(refused(&[("QUOTE_SOURCE", "tiingo")]).starts_with("QUOTE_API_KEY is not set"));
        let arn = refused(&[("QUOTE_SOURCE", "tiingo"), ("QUOTE_API_KEY_SECRET_ARN", "tiingo")]);
        assert!(arn.starts_with("QUOTE_API_KEY_SECRET_ARN is \"tiingo\": allowed is the ARN"), "{arn}");
    }
}
