//! What is kept in AWS: secrets, and the list of symbols.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::config::{Login, S3Object, Secret};
use crate::sources::provider::key::{SecretError, Secrets};

/// Each call with its retries; an invocation has room for one.
const TIMEOUT: Duration = Duration::from_secs(8);

/// The clients, made when they are needed first: with plain settings none ever is.
#[derive(Debug, Default)]
pub(crate) struct Aws {
    shared: OnceCell<SdkConfig>,
}

/// Why the list of symbols cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObjectError {
    /// S3 does not give it.
    #[error("the symbols at {object} cannot be read: {reason}")]
    Unread {
        /// Which object.
        object: S3Object,
        /// The service's words.
        reason: String,
    },
    /// It is no text.
    #[error("the symbols at {object} are no UTF-8 text")]
    NoText {
        /// Which object.
        object: S3Object,
    },
}

impl Aws {
    async fn config(&self) -> &SdkConfig {
        let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(2)).operation_timeout(TIMEOUT).build();
        self.shared.get_or_init(|| aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).load()).await
    }

    /// The text of an object.
    pub(crate) async fn object(&self, object: &S3Object) -> Result<String, ObjectError> {
        let unread = |reason: String| ObjectError::Unread { object: object.clone(), reason };
        let client = aws_sdk_s3::Client::new(self.config().await);
        let answer = client.get_object().bucket(&object.bucket).key(&object.key).send().await;
        let answer = answer.map_err(|error| unread(DisplayErrorContext(error).to_string()))?;
        let bytes = answer.body.collect().await.map_err(|error| unread(error.to_string()))?;
        String::from_utf8(bytes.to_vec()).map_err(|_| ObjectError::NoText { object: object.clone() })
    }
}

#[async_trait]
impl Secrets for Aws {
    async fn read(&self, arn: &str) -> Result<String, SecretError> {
        let client = aws_sdk_secretsmanager::Client::new(self.config().await);
        let answer = client.get_secret_value().secret_id(arn).send().await;
        let unread = |reason: String| SecretError::Unread { arn: arn.to_owned(), reason };
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Text(&'static str);

    #[async_trait]
    impl Secrets for Text {
        async fn read(&self, _: &str) -> Result<String, SecretError> {
            Ok(self.0.to_owned())
        }
    }

    #[tokio::test]
    async fn a_user_is_read_from_its_secret_and_never_shown() {
        let user = login(&Text(r#"{"username":"fetch","password":"hunter2","note":1}"#), "arn:x").await.unwrap();
        assert_eq!((user.username.as_str(), user.password.expose()), ("fetch", "hunter2"));
        for text in ["hunter2", r#"{"user":"fetch","password":"hunter2"}"#, r#""hunter2""#] {
            let error = login(&Text(text), "arn:x").await.unwrap_err().to_string();
            assert_eq!(error, "the secret arn:x is not a JSON object with username and password");
        }
    }
}
