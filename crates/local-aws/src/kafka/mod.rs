//! What stands in for Kafka on EC2 when the embedded broker is not enough: Apache Kafka itself, from `broker/`'s own files.
//!
//! One node or several, each a Java process, all on 127.0.0.1: TLS with an authority of the folder's own, SCRAM-SHA-512 users
//! with random passwords, ACLs as on EC2. The jars come through Maven once and lie in the user's cache.
//!
//! ```text
//! <folder>/cluster-id              made once
//! <folder>/users.json              the passwords, readable by the owner only
//! <folder>/tls/                    ca.pem, broker.pem (key and certificate)
//! <folder>/node-1/data/            the node's disk: log.dirs
//! <folder>/node-1/provisioned      what provision.sh was last run with
//! ```
//!
//! One process per folder: the caller locks it.

mod access;
mod disk;
mod error;
mod files;
mod jars;
mod node;
mod port;
mod provision;
mod server;
mod tls;

pub use access::{Access, Credentials};
pub use error::Error;
pub use server::{KafkaConfig, RealKafka};
