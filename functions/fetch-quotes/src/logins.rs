//! The cluster's user and authority, where secrets hold them.

use std::sync::Arc;

use crate::aws;
use crate::config::{KafkaConfig, KafkaSecrets};
use crate::error::chain;
use crate::producer::Producer;
use crate::sources::provider::key::{SecretError, Secrets};

/// Reads the user and the certificate authority from their secrets, at start and again after a failure: a password or an
/// authority is changed in Secrets Manager and in Kafka without a deployment.
pub(crate) struct Logins {
    secrets: Arc<dyn Secrets>,
    arns: KafkaSecrets,
    kafka: KafkaConfig,
}

impl Logins {
    /// Sets what of `kafka` lies in secrets; `None` where nothing does.
    pub(crate) async fn read(secrets: Arc<dyn Secrets>, arns: KafkaSecrets, kafka: &mut KafkaConfig) -> Result<Option<Self>, SecretError> {
        if arns == KafkaSecrets::default() {
            return Ok(None);
        }
        *kafka = filled_in(secrets.as_ref(), &arns, kafka.clone()).await?;
        Ok(Some(Self { secrets, arns, kafka: kafka.clone() }))
    }

    /// After producing failed as a whole: a producer with the user and the authority that the secrets have by now, where
    /// one of them is another. Whatever the failure was, because brokers tell a wrong password and a
    /// broken connection apart only sometimes.
    pub(crate) async fn another_producer(&mut self) -> Option<Producer> {
        let found = filled_in(self.secrets.as_ref(), &self.arns, self.kafka.clone()).await;
        let kafka = found.inspect_err(|error| tracing::warn!(%error, "The Kafka user cannot be read again.")).ok()?;
        if self.kafka.security == kafka.security {
            return None;
        }
        self.kafka = kafka;
        tracing::info!("The Kafka user or authority was changed: the new one is used.");
        let made = Producer::new(self.kafka.clone());
        made.inspect_err(|error| tracing::error!(error = chain(error), "The Kafka client cannot be made anew.")).ok()
    }
}

async fn filled_in(secrets: &dyn Secrets, arns: &KafkaSecrets, mut kafka: KafkaConfig) -> Result<KafkaConfig, SecretError> {
    if let (Some(arn), Some(user)) = (&arns.user, kafka.security.login_mut()) {
        *user = aws::login(secrets, arn).await?;
    }
    if let (Some(arn), Some(authority)) = (&arns.authority, kafka.security.authority_mut()) {
        *authority = Some(aws::authority(secrets, arn).await?);
    }
    Ok(kafka)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::config::{Login, Secret, Security};

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
        let arns = KafkaSecrets { user: Some("arn".to_owned()), authority: None };
        let mut logins = Logins::read(vault, arns, &mut kafka).await.unwrap().unwrap();
        assert_eq!(kafka.security.login().map(|login| login.password.expose()), Some("old"));
        assert!(logins.another_producer().await.is_none(), "the same password");
        assert!(logins.another_producer().await.is_some(), "another password");
        assert!(logins.another_producer().await.is_none(), "the secret cannot be read");
    }

    #[tokio::test]
    async fn the_authority_comes_from_its_own_secret_and_without_secrets_there_is_nothing_to_read() {
        let security = Security::Ssl { ca: None };
        let mut kafka = KafkaConfig { bootstrap_servers: "127.0.0.1:1".to_owned(), topic: "quotes".to_owned(), security };
        let vault = Arc::new(Vault(Mutex::new(vec![r#"{"certificate":"one"}"#])));
        let arns = KafkaSecrets { user: None, authority: Some("arn".to_owned()) };
        assert!(Logins::read(vault.clone(), arns, &mut kafka).await.unwrap().is_some());
        assert_eq!(kafka.security, Security::Ssl { ca: Some("one".to_owned()) });
        assert!(Logins::read(vault, KafkaSecrets::default(), &mut kafka).await.unwrap().is_none());
    }
}
