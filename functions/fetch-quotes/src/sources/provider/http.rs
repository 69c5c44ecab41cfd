//! One request, one answer. Trying again is [`super::polled`]'s.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::limit::Said;
use crate::config::Secret;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// More than any answer needs: the snapshots of 500 symbols are half a megabyte.
const LARGEST_BODY: usize = 32 << 20;

/// What is asked of a provider. Always a GET.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Segments of the path below the base URL; each is percent-encoded when it is sent.
    pub(crate) path: Vec<String>,
    /// Parameters; encoded likewise.
    pub(crate) query: Vec<(&'static str, String)>,
    /// Headers; their values are secret.
    pub(crate) headers: Vec<(&'static str, Secret)>,
}

impl Request {
    /// A request for the path below the base URL, such as `v2/stocks/snapshots`.
    pub(crate) fn new(path: &str) -> Self {
        Self { path: path.split('/').map(str::to_owned).collect(), query: Vec::new(), headers: Vec::new() }
    }

    /// With one more segment, whatever characters are in it.
    pub(crate) fn segment(mut self, segment: &str) -> Self {
        self.path.push(segment.to_owned());
        self
    }

    /// With a parameter.
    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// With a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, Secret::new(value.into())));
        self
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    /// The HTTP status.
    pub(crate) status: u16,
    /// What its headers say about limits.
    pub(crate) limits: Said,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer. The URL is left out: it may be a proxy's, with a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TransportError {
    /// It took too long.
    #[error("none within {0:?}")]
    Timeout(Duration),
    /// Nobody is there, or TLS failed.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke, or the body ended too early.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The body is larger than any that is expected.
    #[error("the body is larger than {} MB", LARGEST_BODY >> 20)]
    TooLarge,
    /// A header or the URL cannot be sent.
    #[error("the request cannot be sent: {0}")]
    Unsendable(&'static str),
}

impl TransportError {
    /// Whether the same request can succeed a moment later.
    pub(crate) const fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Connect(_) | Self::Broken(_) => true,
            Self::TooLarge | Self::Unsendable(_) => false,
        }
    }
}

/// Sends requests. The one that is not a test's is [`Http`].
#[async_trait]
pub(crate) trait Transport: Send + Sync {
    /// Sends `request` and reads the whole answer, within `timeout`.
    async fn send(&self, request: &Request, timeout: Duration) -> Result<Response, TransportError>;
}

/// HTTP to one base URL, on connections that are kept between invocations.
pub(crate) struct Http {
    client: reqwest::Client,
    base: Url,
}

impl Http {
    /// A client of `base`. Redirects are not followed: they would take the key's header with them.
    pub(crate) fn new(base: Url) -> Result<Self, TransportError> {
        let client = reqwest::Client::builder()
            .tls_backend_native()
            .user_agent(concat!("Mozilla/5.0 (compatible; tickerlake/", env!("CARGO_PKG_VERSION"), ")"))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|error| TransportError::Connect(words(error)))?;
        Ok(Self { client, base })
    }

    fn url(&self, request: &Request) -> Result<Url, TransportError> {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| TransportError::Unsendable("QUOTE_API_URL has no path"))?.pop_if_empty().extend(&request.path);
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        Ok(url)
    }
}

#[async_trait]
impl Transport for Http {
    async fn send(&self, request: &Request, timeout: Duration) -> Result<Response, TransportError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let mut value =
                HeaderValue::from_str(value.expose()).map_err(|_| TransportError::Unsendable("the API key is no header's value"))?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        let broken = |error: reqwest::Error| {
            if error.is_timeout() {
                TransportError::Timeout(timeout)
            } else if error.is_connect() {
                TransportError::Connect(words(error))
            } else {
                TransportError::Broken(words(error))
            }
        };
        let mut response = self.client.get(self.url(request)?).headers(headers).timeout(timeout).send().await.map_err(broken)?;
        let (status, limits) = (response.status().as_u16(), said(response.headers(), Utc::now()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(TransportError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, limits, body })
    }
}

/// The error's innermost cause, which is the one that says something, without the URL.
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Reads `Retry-After` in both its forms, the `X-RateLimit-` family of Alpaca, Finnhub and others,
/// and Twelve Data's credits, which are of the clock's minute.
fn said(headers: &HeaderMap, now: DateTime<Utc>) -> Said {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let seconds = |seconds: i64| u64::try_from(seconds).ok().map(Duration::from_secs);
    let retry_after = text("retry-after").and_then(|value| match value.parse() {
        Ok(value) => seconds(value),
        Err(_) => {
            let date = DateTime::parse_from_rfc2822(value).ok()?;
            Some((date.to_utc() - now).to_std().unwrap_or_default())
        }
    });
    let reset_in = text("x-ratelimit-reset").and_then(|value| value.parse::<i64>().ok()).and_then(|reset| {
        // Seconds since 1970 with some, seconds from now with others.
        seconds(if reset > 1_000_000_000 { (reset - now.timestamp()).max(0) } else { reset })
    });
    let remaining = text("x-ratelimit-remaining").and_then(|value| value.parse().ok());
    let credits = text("api-credits-left").and_then(|value| value.parse().ok());
    let minute_ends_in = Duration::from_secs(60 - u64::from(chrono::Timelike::second(&now)).min(59));
    let limit = text("x-ratelimit-limit").and_then(|value| value.parse().ok());
    Said { limit, remaining: remaining.or(credits), reset_in: reset_in.or(credits.map(|_: u32| minute_ends_in)), retry_after }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(pairs: &[(&'static str, &'static str)]) -> Said {
        let headers = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
        said(&headers, "2026-11-23T14:31:20Z".parse().unwrap())
    }

    #[test]
    fn limits_are_said_in_many_ways() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(read(&[]), Said::default());
        assert_eq!(read(&[("retry-after", "7")]).retry_after, seconds(7));
        assert_eq!(read(&[("retry-after", "Mon, 23 Nov 2026 14:32:00 GMT")]).retry_after, seconds(40));
        assert_eq!(read(&[("retry-after", "Mon, 23 Nov 2026 14:30:00 GMT")]).retry_after, seconds(0));
        assert_eq!(read(&[("retry-after", "-1")]).retry_after, None);
        assert_eq!(read(&[("retry-after", "soon")]).retry_after, None);
        let alpaca = read(&[("x-ratelimit-limit", "200"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795444320")]);
        assert_eq!((alpaca.remaining, alpaca.reset_in), (Some(0), seconds(40)));
        assert_eq!(read(&[("x-ratelimit-reset", "12")]).reset_in, seconds(12));
        assert_eq!(read(&[("x-ratelimit-reset", "99999999999999999999")]).reset_in, None);
        let twelve = read(&[("api-credits-used", "8"), ("api-credits-left", "0")]);
        assert_eq!((twelve.remaining, twelve.reset_in), (Some(0), seconds(40)));
    }

    #[test]
    fn symbols_are_encoded_where_they_stand() {
        let http = Http::new("https://example.com/proxy/".parse().unwrap()).unwrap();
        let url = http.url(&Request::new("v8/chart").segment("A/B?x#é").query("symbols", "BRK.B,A&B")).unwrap();
        assert_eq!(url.as_str(), "https://example.com/proxy/v8/chart/A%2FB%3Fx%23%C3%A9?symbols=BRK.B%2CA%26B");
    }
}
