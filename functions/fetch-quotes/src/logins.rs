//! The cluster's user, where a secret holds it.

use std::sync::Arc;

use crate::aws;
use crate::config::{KafkaConfig, Login};
use crate::error::chain;
use crate::producer::Producer;
use crate::sources::provider::key::{SecretError, Secrets};

/// Reads the user from its secret, at start and again after a failure: a password is changed in
/// Secrets Manager and in Kafka without a deployment.
pub(crate) struct Logins {
    secrets: Arc<dyn Secrets>,
    arn: String,
    kafka: KafkaConfig,
}

impl Logins {
    /// Sets the user of `kafka`.
    pub(crate) async fn read(secrets: Arc<dyn Secrets>, arn: String, kafka: &mut KafkaConfig) -> Result<Self, SecretError> {
        let login = aws::login(secrets.as_ref(), &arn).await?;
        set(kafka, login);
        Ok(Self { secrets, arn, kafka: kafka.clone() })
    }

    /// After producing failed as a whole: a producer with the user that the secret has by now, where
    /// that is another. Whatever the failure was, because brokers tell a wrong password and a
    /// broken connection apart only sometimes.
    pub(crate) async fn another_producer(&mut self) -> Option<Producer> {
        let found = aws::login(self.secrets.as_ref(), &self.arn).await;
        let login = found.inspect_err(|error| tracing::warn!(%error, "The Kafka user cannot be read again.")).ok()?;
        if self.kafka.security.login() == Some(&login) {
            return None;
        }
        set(&mut self.kafka, login);
        tracing::info!("The Kafka user was changed: the new one is used.");
        let made = Producer::new(self.kafka.clone());
        made.inspect_err(|error| tracing::error!(error = chain(error), "The Kafka client cannot be made anew.")).ok()
    }
}

fn set(kafka: &mut KafkaConfig, login: Login) {
    if let Some(user) = kafka.security.login_mut() {
        *user = login;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::config::{Secret, Security};

    struct Vault(Mutex<Vec<&'static str>>);

    #[async_trait]
    impl Secrets for Vault {
        async fn read(&self, arn: &str) -> Result<String, SecretError> {
            let unread = || SecretError::Unread { arn: arn.to_owned(), reason: "denied".to_owned() };
            self.0.lock().unwrap().pop().map(str::to_owned).ok_or_else(unread)
        }
    }

    #[tokio::test]
    async fn a_changed_password_makes_another_producer_and_the_same_one_none() {
        const OLD: &str = r#"{"username":"fetch","password":"old"}"#;
        const NEW: &str = r#"{"username":"fetch","password":"new"}"#;
        let login = Login { username: String::new(), password: Secret::new(String::new()) };
        let security = Security::SaslPlaintext { login };
        let mut kafka = KafkaConfig { bootstrap_servers: "127.0.0.1:1".to_owned(), topic: "quotes".to_owned(), security };
        // Taken from the end; then there is none.
        let vault = Arc::new(Vault(Mutex::new(vec![NEW, OLD, OLD])));
        let mut logins = Logins::read(vault, "arn".to_owned(), &mut kafka).await.unwrap();
        assert_eq!(kafka.security.login().map(|login| login.password.expose()), Some("old"));
        assert!(logins.another_producer().await.is_none(), "the same password");
        assert!(logins.another_producer().await.is_some(), "another password");
        assert!(logins.another_producer().await.is_none(), "the secret cannot be read");
    }
}
