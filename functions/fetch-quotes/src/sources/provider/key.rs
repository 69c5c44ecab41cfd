//! The API key: where it comes from, and that it goes nowhere else.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::config::Secret;

/// A secret is read again at most this often, however many requests its key fails.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// What stands in for the key where it was.
const MASK: &str = "(key)";

/// A provider's API key; where it has two parts, an id before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiKey {
    id: Option<Secret>,
    key: Secret,
}

impl ApiKey {
    /// Reads what is configured: the key; `id:key`; or, as secrets often are, a JSON object with
    /// `api_key`, or with `key_id` and `secret_key`. `None` where that gives no key, or one that
    /// no HTTP header could carry.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Object {
            #[serde(alias = "key_id", alias = "APCA_API_KEY_ID", alias = "APCA-API-KEY-ID")]
            id: Option<String>,
            #[serde(alias = "api_key", alias = "secret_key", alias = "APCA_API_SECRET_KEY", alias = "APCA-API-SECRET-KEY")]
            key: String,
        }
        let text = text.trim();
        let (id, key) = if text.starts_with('{') {
            let object: Object = serde_json::from_str(text).ok()?;
            (object.id, object.key)
        } else {
            match text.split_once(':') {
                Some((id, key)) => (Some(id.to_owned()), key.to_owned()),
                None => (None, text.to_owned()),
            }
        };
        let is_token = |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        (is_token(&key) && id.as_ref().is_none_or(is_token)).then(|| Self { id: id.map(Secret::new), key: Secret::new(key) })
    }

    /// The id; empty where the key has no such part.
    pub(crate) fn id(&self) -> &str {
        self.id.as_ref().map_or("", Secret::expose)
    }

    /// Whether it has an id.
    pub(crate) const fn has_id(&self) -> bool {
        self.id.is_some()
    }

    /// The key itself.
    pub(crate) fn expose(&self) -> &str {
        self.key.expose()
    }

    /// `body` with the key and the id masked, however they are written: some providers echo what
    /// they were sent. Done on the bytes before anything looks at them.
    pub(crate) fn redact(&self, body: &[u8]) -> Vec<u8> {
        let parts = [Some(&self.key), self.id.as_ref()].into_iter().flatten().map(Secret::expose);
        parts.fold(body.to_vec(), |body, part| masked(&body, part.as_bytes()))
    }
}

/// Shorter texts occur in any body by chance; keys are 20 characters and longer.
const SHORTEST: usize = 4;

fn masked(body: &[u8], secret: &[u8]) -> Vec<u8> {
    if secret.len() < SHORTEST {
        return body.to_vec();
    }
    let mut clean = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((first, behind)) = rest.split_first() {
        match begins_with(rest, secret) {
            Some(after) => {
                clean.extend_from_slice(MASK.as_bytes());
                rest = after;
            }
            None => {
                clean.push(*first);
                rest = behind;
            }
        }
    }
    clean
}

/// What stands behind `secret` at the beginning of `text`, in either case, each of its characters
/// as it is, percent-encoded, or escaped as JSON allows.
fn begins_with<'a>(mut text: &'a [u8], secret: &[u8]) -> Option<&'a [u8]> {
    for byte in secret {
        let is_hex = |digits: &[u8]| std::str::from_utf8(digits).is_ok_and(|digits| u8::from_str_radix(digits, 16) == Ok(*byte));
        text = match text {
            [first, rest @ ..] if first.eq_ignore_ascii_case(byte) => rest,
            [b'%', high, low, rest @ ..] if is_hex(&[*high, *low]) => rest,
            [b'\\', b'u', b'0', b'0', high, low, rest @ ..] if is_hex(&[*high, *low]) => rest,
            [b'\\', escaped, rest @ ..] if escaped == byte => rest,
            _ => return None,
        };
    }
    Some(text)
}

/// Where secrets are kept.
#[async_trait]
pub(crate) trait Secrets: Send + Sync {
    /// The text of the secret `arn`. An error's text has nothing of it.
    async fn read(&self, arn: &str) -> Result<String, SecretError>;
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// Secrets Manager does not give it.
    #[error("the secret {arn} cannot be read: {reason}")]
    Unread {
        /// Its ARN.
        arn: String,
        /// The service's words.
        reason: String,
    },
    /// It is there but holds something else.
    #[error("the secret {arn} is not {expected}")]
    Shape {
        /// Its ARN.
        arn: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// The key in use.
pub(crate) struct Keys {
    current: Mutex<Current>,
    secret: Option<(Arc<dyn Secrets>, String)>,
}

struct Current {
    key: Option<ApiKey>,
    /// When the secret was read, on the clock of the caller.
    read_at: Option<Duration>,
}

impl Keys {
    /// A key that stays, or none.
    pub(crate) fn fixed(key: Option<ApiKey>) -> Self {
        Self { current: Mutex::new(Current { key, read_at: None }), secret: None }
    }

    /// The key of a secret, which is read when it is needed first.
    pub(crate) fn of_secret(secrets: Arc<dyn Secrets>, arn: String) -> Self {
        Self { current: Mutex::new(Current { key: None, read_at: None }), secret: Some((secrets, arn)) }
    }

    /// The key; `None` where the source needs none.
    pub(crate) async fn get(&self, now: Duration) -> Result<Option<ApiKey>, SecretError> {
        let mut current = self.current.lock().await;
        if current.key.is_none()
            && let Some((secrets, arn)) = &self.secret
        {
            current.key = Some(read(secrets.as_ref(), arn).await?);
            current.read_at = Some(now);
        }
        Ok(current.key.clone())
    }

    /// After the provider refused `used`: the key that the secret has by now, where that is another.
    pub(crate) async fn another(&self, used: Option<&ApiKey>, now: Duration) -> Option<ApiKey> {
        let (secrets, arn) = self.secret.as_ref()?;
        let mut current = self.current.lock().await;
        let is_used = |key: &ApiKey| used == Some(key);
        if let Some(key) = current.key.as_ref().filter(|key| !is_used(key)) {
            // Another request found it before.
            return Some(key.clone());
        }
        if current.read_at.is_some_and(|read_at| now < read_at + READ_AGAIN_AFTER) {
            return None;
        }
        current.read_at = Some(now);
        match read(secrets.as_ref(), arn).await {
            Ok(key) if is_used(&key) => None,
            Ok(key) => {
                tracing::info!("The API key was changed: the new one is used.");
                current.key = Some(key.clone());
                Some(key)
            }
            Err(error) => {
                tracing::warn!(%error, "The API key was refused, and its secret cannot be read again.");
                None
            }
        }
    }
}

async fn read(secrets: &dyn Secrets, arn: &str) -> Result<ApiKey, SecretError> {
    const EXPECTED: &str = "a key: the text alone, id:key, or a JSON object with api_key, or with key_id and secret_key";
    let text = secrets.read(arn).await?;
    ApiKey::parse(&text).ok_or_else(|| SecretError::Shape { arn: arn.to_owned(), expected: EXPECTED })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Mutex as StdMutex;

    use super::*;

    struct Vault {
        texts: StdMutex<Vec<&'static str>>,
    }

    #[async_trait]
    impl Secrets for Vault {
        async fn read(&self, arn: &str) -> Result<String, SecretError> {
            let text = self.texts.lock().unwrap().pop();
            text.map(str::to_owned).ok_or_else(|| SecretError::Unread { arn: arn.to_owned(), reason: "denied".to_owned() })
        }
    }

    fn keys(texts: &[&'static str]) -> Keys {
        let texts = texts.iter().rev().copied().collect();
        Keys::of_secret(Arc::new(Vault { texts: StdMutex::new(texts) }), "arn:aws:secretsmanager:x".to_owned())
    }

    #[test]
    fn keys_come_in_four_shapes() {
        for (text, id, key) in [
            (" abc123\n", "", "abc123"),
            ("PKID:abc123", "PKID", "abc123"),
            (r#"{"api_key":"abc123"}"#, "", "abc123"),
            (r#"{"key_id":"PKID","secret_key":"abc123"}"#, "PKID", "abc123"),
        ] {
            let parsed = ApiKey::parse(text).unwrap();
            assert_eq!((parsed.id(), parsed.expose()), (id, key), "{text}");
        }
        for text in ["", ":", "PKID:", "{}", "{", "two words", "line\nbreak"] {
            assert!(ApiKey::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn neither_debug_nor_a_body_shows_a_key() {
        let key = ApiKey::parse("PKIDENT:s3cr+t/key").unwrap();
        assert_eq!(format!("{key:?}"), "ApiKey { id: Some((secret)), key: (secret) }");
        let body = br"your key s3cr+t/key (S3CR%2BT%2Fkey, s3cr\u002bt\/key, %733cr+t/ke) of pkident is wrong";
        assert_eq!(key.redact(body), b"your key (key) ((key), (key), %733cr+t/ke) of (key) is wrong");
    }

    #[tokio::test]
    async fn a_secret_is_read_once_and_again_after_a_refusal() {
        let keys = keys(&["first-key", "first-key", "second-key"]);
        let seconds = Duration::from_secs;
        let used = keys.get(seconds(1)).await.unwrap().unwrap();
        assert_eq!(keys.get(seconds(2)).await.unwrap().unwrap().expose(), "first-key");
        assert!(keys.another(Some(&used), seconds(3)).await.is_none(), "too soon to be another");
        assert!(keys.another(Some(&used), seconds(70)).await.is_none(), "still the same");
        assert!(keys.another(Some(&used), seconds(80)).await.is_none(), "not read twice within a minute");
        assert_eq!(keys.another(Some(&used), seconds(140)).await.unwrap().expose(), "second-key");
        assert_eq!(keys.another(Some(&used), seconds(141)).await.unwrap().expose(), "second-key");
        assert_eq!(keys.get(seconds(142)).await.unwrap().unwrap().expose(), "second-key");
    }

    #[tokio::test]
    async fn a_secret_that_is_no_key_is_named_and_not_shown() {
        let error = keys(&["{\"password\":\"hunter2\"}"]).get(Duration::ZERO).await.unwrap_err().to_string();
        assert!(error.starts_with("the secret arn:aws:secretsmanager:x is not a key"), "{error}");
        assert!(!error.contains("hunter2"));
    }
}
