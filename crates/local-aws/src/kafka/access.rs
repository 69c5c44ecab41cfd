//! Who may come in, and by which certificate the brokers are known.

use std::fmt;
use std::path::Path;

use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::Error;
use super::{files, tls};
use crate::mapping::Security;

/// A user of the cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub username: String,
    /// The password. Never printed.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// What clients need: one user for each of them, and the authority behind the brokers' certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// May do everything.
    pub admin: Credentials,
    /// May produce: `fetch-quotes`.
    pub producer: Credentials,
    /// May consume and look at offsets: the event source mapping, and whoever audits.
    pub consumer: Credentials,
    /// The authority, as PEM text.
    pub ca_pem: String,
}

/// The passwords as they are kept.
#[derive(Serialize, Deserialize)]
struct Users {
    admin: String,
    producer: String,
    consumer: String,
}

impl Access {
    /// The access to the Kafka whose folder this is; `None` if there never was one.
    pub fn of(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join("users.json");
        let (Some(users), Some(ca_pem)) = (files::read(&path)?, tls::authority(folder)?) else { return Ok(None) };
        let users: Users = serde_json::from_str(&users).map_err(|error| Error::Unusable { path, reason: error.to_string() })?;
        let user = |username: &str, password| Credentials { username: username.to_owned(), password };
        Ok(Some(Self {
            admin: user("admin", users.admin),
            producer: user("producer", users.producer),
            consumer: user("consumer", users.consumer),
            ca_pem,
        }))
    }

    /// The same, made at the first time.
    pub fn make(folder: &Path) -> Result<Self, Error> {
        tls::make(folder)?;
        if let Some(access) = Self::of(folder)? {
            return Ok(access);
        }
        let path = folder.join("users.json");
        // 122 random bits each.
        let password = || Uuid::new_v4().simple().to_string();
        let users = Users { admin: password(), producer: password(), consumer: password() };
        let unusable = |reason: String| Error::Unusable { path: path.clone(), reason };
        let json = serde_json::to_string(&users).map_err(|error| unusable(error.to_string()))?;
        files::write(&path, &json)?;
        Self::of(folder)?.ok_or_else(|| unusable("it vanished".to_owned()))
    }

    /// How a client connects as one of the users.
    pub fn security(&self, user: &Credentials) -> Security {
        Security::SaslSsl { username: user.username.clone(), password: user.password.clone(), ca_pem: Some(self.ca_pem.clone()) }
    }

    /// A client's settings as one of the users.
    pub fn client_config(&self, bootstrap_servers: &str, user: &Credentials) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap_servers);
        self.security(user).apply(&mut config);
        config
    }

    /// All of them.
    pub(super) fn users(&self) -> [&Credentials; 3] {
        [&self.admin, &self.producer, &self.consumer]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn access_is_made_once_and_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Access::of(folder.path()).unwrap(), None);
        let made = Access::make(folder.path()).unwrap();
        assert_eq!(Access::make(folder.path()).unwrap(), made);
        assert_ne!(made.producer.password, made.consumer.password);
        for file in ["users.json", "tls/broker.pem"] {
            let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{file}");
        }
        assert!(!format!("{made:?}").contains(&made.admin.password));
    }
}
