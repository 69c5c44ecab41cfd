//! Why there is no quote: of one symbol, or of a whole request.

use std::time::Duration;

use super::http::{Response, TransportError};

/// The longest part of a provider's words that is passed on, in characters.
const LONGEST: usize = 200;

/// The reason for a symbol's missing quote, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// The provider does not know the symbol, or has nothing about it on this feed.
    UnknownSymbol,
    /// It knows the symbol but no trade of it.
    NoTrade,
    /// The last trade's price is 0.
    ZeroPrice,
    /// The last trade is older than `STALE_AFTER`.
    Stale,
    /// What came is no quote: not JSON, cut off, without a time.
    Malformed,
    /// The provider does not want us: the key or the plan.
    Refused,
    /// A rate limit.
    RateLimited,
    /// No answer: time-outs, resets, 5xx.
    Unavailable,
    /// A line of a replay file that is no quote, or a simulation without one.
    Unreadable,
    /// Kafka did not take it.
    NotProduced,
}

impl Reason {
    /// The name in the summary.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownSymbol => "unknown_symbol",
            Self::NoTrade => "no_trade",
            Self::ZeroPrice => "zero_price",
            Self::Stale => "stale",
            Self::Malformed => "malformed",
            Self::Refused => "refused",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Unreadable => "unreadable",
            Self::NotProduced => "not_produced",
        }
    }

    /// The name of its metric.
    pub(crate) const fn metric(self) -> &'static str {
        match self {
            Self::UnknownSymbol => "UnknownSymbol",
            Self::NoTrade => "NoTrade",
            Self::ZeroPrice => "ZeroPrice",
            Self::Stale => "Stale",
            Self::Malformed => "Malformed",
            Self::Refused => "Refused",
            Self::RateLimited => "RateLimited",
            Self::Unavailable => "Unavailable",
            Self::Unreadable => "Unreadable",
            Self::NotProduced => "NotProduced",
        }
    }

    /// Every reason.
    pub(crate) const ALL: [Self; 10] = [
        Self::UnknownSymbol,
        Self::NoTrade,
        Self::ZeroPrice,
        Self::Stale,
        Self::Malformed,
        Self::Refused,
        Self::RateLimited,
        Self::Unavailable,
        Self::Unreadable,
        Self::NotProduced,
    ];

    /// Whether it is about the symbol rather than about the provider, Kafka or the moment.
    pub(crate) const fn is_of_the_symbol(self) -> bool {
        matches!(self, Self::UnknownSymbol | Self::NoTrade | Self::ZeroPrice | Self::Stale | Self::Malformed)
    }
}

/// Why one symbol has no quote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Miss {
    /// Absent from the answer, or answered as unknown. Often a guess of the provider's: a symbol is
    /// asked for again, never dropped for good.
    #[error("the provider does not know the symbol, or has no data of it")]
    UnknownSymbol,
    /// Known, without a trade.
    #[error("the provider has no trade of it")]
    NoTrade,
    /// The price is 0.
    #[error("the provider's price is 0")]
    ZeroPrice,
    /// Too old to be a price: a symbol that was renamed or delisted answers its last trade for ever.
    #[error("its last trade is of {0}: too old to be a price")]
    Stale(quotes::Timestamp),
    /// The entry is no quote.
    #[error("the provider's entry is no quote: {0}")]
    Malformed(String),
    /// The whole request failed.
    #[error("{0}")]
    Fault(Fault),
}

impl Miss {
    /// How it is counted.
    pub(crate) const fn reason(&self) -> Reason {
        match self {
            Self::UnknownSymbol => Reason::UnknownSymbol,
            Self::NoTrade => Reason::NoTrade,
            Self::ZeroPrice => Reason::ZeroPrice,
            Self::Stale(_) => Reason::Stale,
            Self::Malformed(_) => Reason::Malformed,
            Self::Fault(fault) => fault.reason(),
        }
    }
}

impl From<serde_json::Error> for Miss {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Why a whole request gave nothing.
///
/// The provider's words (`said`) are shortened and without the key: some providers echo it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The provider refuses the batch for a symbol in it; `None`: it does not say which.
    #[error("the provider refuses the request for a symbol in it: {said}")]
    BadSymbol {
        /// Its canonical form.
        symbol: Option<String>,
        /// The provider's words.
        said: String,
    },
    /// The symbol of a request for one is unknown.
    #[error("the provider does not know the symbol")]
    NotFound,
    /// The key is wrong.
    #[error("the provider refuses the API key ({status}): {said}; check QUOTE_API_KEY or the secret of QUOTE_API_KEY_SECRET_ARN")]
    Unauthorized {
        /// The HTTP status.
        status: u16,
        /// The provider's words.
        said: String,
    },
    /// The key is right, but the plan does not reach this far; or the request is wrong.
    #[error("the provider refuses the request ({status}): {said}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The provider's words.
        said: String,
    },
    /// Too many requests.
    #[error("the provider's rate limit is reached: {said}")]
    RateLimited {
        /// When it says to come again.
        retry_after: Option<Duration>,
        /// The provider's words.
        said: String,
    },
    /// 5xx.
    #[error("the provider is unable to answer ({status}): {said}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// When it says to come again.
        retry_after: Option<Duration>,
        /// The provider's words.
        said: String,
    },
    /// The answer is not what this provider's answers are.
    #[error("the provider's answer cannot be read: {said}")]
    Unreadable {
        /// What is wrong, or how it begins.
        said: String,
        /// Whether it is good JSON that just ends too early.
        cut_off: bool,
    },
    /// No answer.
    #[error("no answer from the provider: {0}")]
    Transport(TransportError),
    /// Our own limit has no room before the invocation's time is over: nothing was asked.
    #[error("the configured rate limit leaves no room in this invocation")]
    NoRoom,
    /// The invocation's time was over before the request could begin.
    #[error("the invocation's time is over")]
    NoTime,
}

impl Fault {
    /// What a status other than 200 means where the provider has no words of its own for it.
    pub(crate) fn of_status(response: &Response) -> Self {
        let (status, said) = (response.status, said(&response.body));
        match status {
            401 => Self::Unauthorized { status, said },
            429 => Self::RateLimited { retry_after: response.limits.retry_after, said },
            408 | 500..=599 => Self::Unavailable { status, retry_after: response.limits.retry_after, said },
            _ => Self::Refused { status, said },
        }
    }

    /// For a body that is no JSON, or JSON of another shape.
    pub(crate) fn unreadable(error: &serde_json::Error, body: &[u8]) -> Self {
        let cut_off = error.is_eof() && body.trim_ascii_start().first().is_some_and(|first| matches!(first, b'{' | b'['));
        Self::Unreadable { said: format!("{error}; it begins {:?}", said(body)), cut_off }
    }

    /// How it is counted.
    pub(crate) const fn reason(&self) -> Reason {
        match self {
            Self::BadSymbol { .. } | Self::NotFound => Reason::UnknownSymbol,
            Self::Unauthorized { .. } | Self::Refused { .. } => Reason::Refused,
            Self::RateLimited { .. } | Self::NoRoom => Reason::RateLimited,
            Self::Unavailable { .. } | Self::Transport(_) | Self::NoTime => Reason::Unavailable,
            Self::Unreadable { .. } => Reason::Malformed,
        }
    }

    /// Whether the same request can succeed a moment later.
    pub(crate) const fn is_retryable(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Unavailable { .. } => true,
            Self::Transport(error) => error.is_retryable(),
            Self::Unreadable { cut_off, .. } => *cut_off,
            Self::BadSymbol { .. } | Self::NotFound | Self::Unauthorized { .. } | Self::Refused { .. } | Self::NoRoom | Self::NoTime => {
                false
            }
        }
    }

    /// When the provider says to come again.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether another key could change it.
    pub(crate) const fn is_of_the_key(&self) -> bool {
        matches!(self, Self::Unauthorized { .. } | Self::Refused { status: 403, .. })
    }
}

/// The beginning of a body, on one line: for an error's text.
pub(crate) fn said(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..4 * LONGEST).unwrap_or(body));
    let mut words = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    if words.is_empty() {
        return "without a word".to_owned();
    }
    match words.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default()),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_by_its_beginning() {
        assert_eq!(said(b"<!DOCTYPE html>\r\n  <html>"), "<!DOCTYPE html> <html>");
        assert_eq!(said(b" \n"), "without a word");
        assert_eq!(said(&[0xff, b'a']), "\u{fffd}a");
        assert_eq!(said("ä".repeat(900).as_bytes()).chars().count(), LONGEST + 1);
    }

    #[test]
    fn reasons_are_named_as_they_are_serialized() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).ok(), Some(reason.as_str().into()));
            assert_eq!(reason.metric().to_ascii_lowercase(), reason.as_str().replace('_', ""));
        }
    }
}
