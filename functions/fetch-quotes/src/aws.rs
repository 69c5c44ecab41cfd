//! What is kept in AWS: secrets, and the list of symbols.

mod http;

use std::time::Duration;

use async_trait::async_trait;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::config::{Login, S3Object, Secret};
use crate::sources::provider::key::{SecretError, Secrets};
use crate::symbols::{ObjectError, Objects, Text};

/// Each call with its retries; an invocation has room for one.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Each try of a call. A connection that died while the process was frozen costs one.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// S3's answer where the ETag still is the one that is known.
const NOT_MODIFIED: u16 = 304;

/// The clients, made when they are needed first: with plain settings none ever is.
#[derive(Debug, Default)]
pub(crate) struct Aws {
    shared: OnceCell<SdkConfig>,
}

impl Aws {
    /// Fails, with the reason, where there can be no TLS.
    async fn config(&self) -> Result<&SdkConfig, String> {
        self.shared
            .get_or_try_init(|| async {
                let client = http::client().map_err(|error| error.to_string())?;
                let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).operation_timeout(TIMEOUT).build();
                Ok(aws_config::defaults(BehaviorVersion::latest()).http_client(client).timeout_config(timeouts).load().await)
            })
            .await
    }
}

#[async_trait]
impl Objects for Aws {
    async fn text(&self, object: &S3Object, known: Option<&str>) -> Result<Option<Text>, ObjectError> {
        let unread = |reason: String| ObjectError::Unread { object: object.clone(), reason };
        let client = aws_sdk_s3::Client::new(self.config().await.map_err(unread)?);
        let asked = client.get_object().bucket(&object.bucket).key(&object.key).set_if_none_match(known.map(str::to_owned));
        let answer = match asked.send().await {
            Ok(answer) => answer,
            // The SDK takes every status but 2xx for an error.
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == NOT_MODIFIED) => return Ok(None),
            Err(error) => return Err(unread(DisplayErrorContext(error).to_string())),
        };
        let etag = answer.e_tag().map(str::to_owned);
        let bytes = answer.body.collect().await.map_err(|error| unread(error.to_string()))?;
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| ObjectError::NoText { object: object.clone() })?;
        Ok(Some(Text { text, etag }))
    }
}

#[async_trait]
impl Secrets for Aws {
    async fn read(&self, arn: &str) -> Result<String, SecretError> {
        let unread = |reason: String| SecretError::Unread { arn: arn.to_owned(), reason };
        let client = aws_sdk_secretsmanager::Client::new(self.config().await.map_err(unread)?);
        let answer = client.get_secret_value().secret_id(arn).send().await;
        let answer = answer.map_err(|error| unread(DisplayErrorContext(error).to_string()))?;
        answer.secret_string.ok_or_else(|| unread("it has bytes instead of a text".to_owned()))
    }
}

/// The user that the secret `arn` holds as `{"username", "password"}`.
pub(crate) async fn login(secrets: &dyn Secrets, arn: &str) -> Result<Login, SecretError> {
    #[derive(Deserialize)]
    struct Object {
        username: String,
        password: String,
    }
    let text = secrets.read(arn).await?;
    // Without serde's words, which may quote a part of the secret.
    let object: Object = serde_json::from_str(&text)
        .map_err(|_| SecretError::Shape { arn: arn.to_owned(), expected: "a JSON object with username and password" })?;
    Ok(Login { username: object.username, password: Secret::new(object.password) })
}

/// The certificate authority in PEM that the secret `arn` holds as `{"certificate"}`, as an event source mapping reads it.
pub(crate) async fn authority(secrets: &dyn Secrets, arn: &str) -> Result<String, SecretError> {
    #[derive(Deserialize)]
    struct Object {
        certificate: String,
    }
    let text = secrets.read(arn).await?;
    let object: Object =
        serde_json::from_str(&text).map_err(|_| SecretError::Shape { arn: arn.to_owned(), expected: "a JSON object with certificate" })?;
    Ok(object.certificate)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sources::provider::stub::{Reply, Stub};

    struct Vault(&'static str);

    #[async_trait]
    impl Secrets for Vault {
        async fn read(&self, _: &str) -> Result<String, SecretError> {
            Ok(self.0.to_owned())
        }
    }

    #[tokio::test]
    async fn a_user_is_read_from_its_secret_and_never_shown() {
        let user = login(&Vault(r#"{"username":"fetch","password":"hunter2","note":1}"#), "arn:x").await.unwrap();
        assert_eq!((user.username.as_str(), user.password.expose()), ("fetch", "hunter2"));
        for text in ["hunter2", r#"{"user":"fetch","password":"hunter2"}"#, r#""hunter2""#] {
            let error = login(&Vault(text), "arn:x").await.unwrap_err().to_string();
            assert_eq!(error, "the secret arn:x is not a JSON object with username and password");
        }
    }

    #[tokio::test]
    async fn the_authority_is_read_in_the_mappings_form() {
        let pem = authority(&Vault(r#"{"certificate":"-----BEGIN CERTIFICATE-----\n"}"#), "arn:x").await.unwrap();
        assert_eq!(pem, "-----BEGIN CERTIFICATE-----\n");
        let error = authority(&Vault("-----BEGIN CERTIFICATE-----"), "arn:x").await.unwrap_err().to_string();
        assert_eq!(error, "the secret arn:x is not a JSON object with certificate");
    }

    /// What AWS's own settings would give, for a server of the test.
    fn at(stub: &Stub) -> Aws {
        let credentials = aws_sdk_s3::config::Credentials::new("id", "key", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(aws_config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(credentials))
            .endpoint_url(stub.url().as_str())
            .http_client(http::client().unwrap())
            .build();
        Aws { shared: OnceCell::new_with(Some(config)) }
    }

    #[tokio::test]
    async fn an_object_is_sent_again_only_if_it_is_another() {
        let stub = Stub::start(|seen, _| {
            let known = seen.headers.iter().find(|(name, _)| name == "if-none-match");
            match (seen.target.as_str(), known.map(|(_, etag)| etag.as_str())) {
                ("/lists/us.txt?x-id=GetObject", Some("\"two\"")) => Reply::Answer(304, String::new(), String::new()),
                ("/lists/us.txt?x-id=GetObject", _) => Reply::Answer(200, "ETag: \"two\"\r\n".to_owned(), "AAPL".to_owned()),
                _ => Reply::status(404, "<Error><Code>NoSuchKey</Code><Message>There is none.</Message></Error>"),
            }
        })
        .await;
        let aws = at(&stub);
        let object = |key: &str| S3Object { bucket: "lists".to_owned(), key: key.to_owned() };
        let text = Text { text: "AAPL".to_owned(), etag: Some("\"two\"".to_owned()) };
        assert_eq!(aws.text(&object("us.txt"), None).await.unwrap(), Some(text.clone()));
        assert_eq!(aws.text(&object("us.txt"), Some("\"one\"")).await.unwrap(), Some(text));
        assert_eq!(aws.text(&object("us.txt"), Some("\"two\"")).await.unwrap(), None);
        assert_eq!(stub.seen().len(), 3, "304 is an answer: nothing is tried again");

        let gone = aws.text(&object("none.txt"), None).await.unwrap_err().to_string();
        assert!(gone.starts_with("the symbols at s3://lists/none.txt cannot be read: ") && gone.contains("There is none."), "{gone}");
    }
}
