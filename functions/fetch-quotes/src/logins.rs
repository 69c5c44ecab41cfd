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
