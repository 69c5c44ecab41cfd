//! How the command connects to Kafka.

use local_aws::kafka::Access;
use local_aws::mapping::Security;
use quotes::schema;
use rdkafka::ClientConfig;

use crate::data_folder::{Broker, Endpoints};
use crate::failure::Failure;

/// A cluster, and how to come in.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// `host:port`, separated by commas.
    pub(crate) servers: String,
    /// How to connect.
    pub(crate) security: Security,
}

/// What is to be done there: the local Kafka has a user for each, with the rights of its namesake on AWS.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    /// Produce.
    Producer,
    /// Read, or look at offsets.
    Consumer,
}

impl Cluster {
    /// A client's settings.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers);
        self.security.apply(&mut config);
        config
    }

    /// The cluster of a running stack.
    pub(crate) fn of_stack(stack: &Endpoints, role: Role) -> Result<Self, Failure> {
        let security = match &stack.broker {
            Broker::Embedded => Security::Plaintext,
            Broker::Own => security(variable)?,
            Broker::Real(folder) => {
                let access = Access::of(folder).map_err(|error| Failure::new("the local Kafka's users cannot be read", error))?;
                let access = access.ok_or_else(|| Failure::plain(format_args!("the local Kafka has no users in {}", folder.display())))?;
                let user = match role {
                    Role::Producer => &access.producer,
                    Role::Consumer => &access.consumer,
                };
                access.security(user)
            }
        };
        Ok(Self { servers: stack.kafka.clone(), security })
    }

    /// The cluster that `KAFKA_BOOTSTRAP_SERVERS` names.
    pub(crate) fn of_environment() -> Result<Option<Self>, Failure> {
        let Some(servers) = variable("KAFKA_BOOTSTRAP_SERVERS") else { return Ok(None) };
        Ok(Some(Self { servers, security: security(variable)? }))
    }
}

/// How to connect, by the same variables that `fetch-quotes` reads.
pub(crate) fn security(get: impl Fn(&str) -> Option<String>) -> Result<Security, Failure> {
    match get("KAFKA_SECURITY_PROTOCOL").as_deref() {
        None | Some("plaintext") => Ok(Security::Plaintext),
        Some("sasl_ssl") => match (get("KAFKA_USERNAME"), get("KAFKA_PASSWORD")) {
            (Some(username), Some(password)) => Ok(Security::SaslSsl { username, password, ca_pem: get("KAFKA_CA_CERTIFICATE") }),
            _ => Err(Failure::usage("KAFKA_SECURITY_PROTOCOL is sasl_ssl: set KAFKA_USERNAME and KAFKA_PASSWORD too")),
        },
        Some(other) => {
            Err(Failure::usage(format_args!("KAFKA_SECURITY_PROTOCOL is {other:?}: the local stack takes plaintext and sasl_ssl")))
        }
    }
}

/// The topic: `KAFKA_TOPIC`, or `quotes`.
pub(crate) fn topic() -> String {
    variable("KAFKA_TOPIC").unwrap_or_else(|| schema::TABLE.to_owned())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
