//! The stack's Kafka: its own, embedded or real, or the user's.

use std::collections::BTreeMap;
use std::path::Path;

use local_aws::broker::{Broker, Topic};
use local_aws::kafka::{KafkaConfig, RealKafka};
use local_aws::mapping::Security;
use local_aws::template::Deployment;

use super::plan::{Cluster, Plan};
use crate::data_folder::{self, REAL_KAFKA};
use crate::failure::Failure;

/// The group of a mapping for which the template names none.
pub(super) const CONSUMER_GROUP: &str = "tickerlake";
/// Partitions of the topic that is made in the stack's own broker.
const PARTITIONS: i32 = 3;

/// The cluster that the stack uses.
pub(super) enum Kafka {
    /// In this process.
    Embedded(Broker),
    /// Apache Kafka, in a process of its own.
    Real(Box<RealKafka>),
    /// The user's.
    Own {
        /// `host:port`, separated by commas.
        bootstrap_servers: String,
        /// How producer and mapping connect.
        security: Security,
    },
}

impl Kafka {
    /// Starts the cluster that is planned, with the topics that the template's mappings read.
    pub(super) async fn start(plan: &Plan, data: &Path, deployment: &Deployment) -> Result<Self, Failure> {
        let triggers: Vec<_> = deployment.functions.iter().flat_map(|function| &function.kafka).collect();
        let topics: Vec<_> = triggers.iter().map(|trigger| Topic { name: trigger.topic.clone(), partitions: PARTITIONS }).collect();
        match &plan.cluster {
            Cluster::Embedded(port) => {
                let broker = Broker::start(&data.join("kafka"), *port, &topics).await;
                broker.map(Self::Embedded).map_err(|error| Failure::new("the embedded Kafka broker cannot start", error))
            }
            Cluster::Real(port) => {
                let group = triggers.iter().find_map(|trigger| trigger.consumer_group.clone());
                let config = KafkaConfig {
                    port: *port,
                    nodes: 1,
                    topics,
                    consumer_group: group.unwrap_or_else(|| CONSUMER_GROUP.to_owned()),
                    replay: plan.source == "replay",
                    logs: data.join("logs"),
                };
                let kafka = RealKafka::start(&data.join(REAL_KAFKA), &config).await;
                kafka.map(|kafka| Self::Real(Box::new(kafka))).map_err(|error| Failure::new("Apache Kafka cannot start", error))
            }
            Cluster::Own { bootstrap_servers, security } => {
                Ok(Self::Own { bootstrap_servers: bootstrap_servers.clone(), security: security.clone() })
            }
        }
    }

    /// `host:port`, separated by commas.
    pub(super) fn bootstrap_servers(&self) -> String {
        match self {
            Self::Embedded(broker) => broker.bootstrap_servers(),
            Self::Real(kafka) => kafka.bootstrap_servers(),
            Self::Own { bootstrap_servers, .. } => bootstrap_servers.clone(),
        }
    }

    /// Whose it is, for those who want to ask it.
    pub(super) fn kind(&self, data: &Path) -> data_folder::Broker {
        match self {
            Self::Embedded(_) => data_folder::Broker::Embedded,
            Self::Real(_) => data_folder::Broker::Real(data.join(REAL_KAFKA)),
            Self::Own { .. } => data_folder::Broker::Own,
        }
    }

    /// How the mapping connects.
    pub(super) fn consumer(&self) -> Security {
        match self {
            Self::Embedded(_) => Security::Plaintext,
            Self::Real(kafka) => kafka.access().security(&kafka.access().consumer),
            Self::Own { security, .. } => security.clone(),
        }
    }

    /// The variables by which `fetch-quotes` finds it. Those of the user's own cluster come with the plan's.
    pub(super) fn producer_environment(&self) -> BTreeMap<String, String> {
        let mut variables = vec![("KAFKA_BOOTSTRAP_SERVERS", self.bootstrap_servers())];
        match self {
            Self::Embedded(_) => variables.push(("KAFKA_SECURITY_PROTOCOL", "plaintext".to_owned())),
            Self::Real(kafka) => {
                let access = kafka.access();
                variables.extend([
                    ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl".to_owned()),
                    ("KAFKA_USERNAME", access.producer.username.clone()),
                    ("KAFKA_PASSWORD", access.producer.password.clone()),
                    ("KAFKA_CA_CERTIFICATE", access.ca_pem.clone()),
                ]);
            }
            Self::Own { security: Security::Plaintext, .. } => {
                variables.push(("KAFKA_SECURITY_PROTOCOL", "plaintext".to_owned()));
            }
            Self::Own { security: Security::SaslSsl { .. }, .. } => {}
        }
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Returns once it has ended for good, and says why. What was acknowledged is kept.
    pub(super) async fn ended(&self) -> Failure {
        match self {
            Self::Embedded(broker) => Failure::new("the embedded Kafka broker serves no more", broker.ended().await),
            Self::Real(_) | Self::Own { .. } => std::future::pending().await,
        }
    }

    /// Ends it, unless it is the user's.
    pub(super) async fn stop(self) {
        match self {
            Self::Embedded(broker) => broker.stop().await,
            Self::Real(kafka) => kafka.stop().await,
            Self::Own { .. } => {}
        }
    }
}
