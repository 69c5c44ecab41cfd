//! Who is not let in is told why: the producer in the function's error, the mapping in its progress.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use local_aws::kafka::Access;
use local_aws::lambda::{Invocation, Invoke, InvokeError};
use local_aws::mapping::{Backoff, KafkaMapping, KafkaMappingConfig, Security};
use local_aws::template::StartingPosition;
use tokio::net::{TcpListener, TcpStream};

use crate::harness::LIMIT;
use crate::kafka::{GROUP, Kafka, TOPIC, local, security_variables};

/// A way to come in that must fail, and what is to be told.
struct Attempt {
    name: &'static str,
    servers: String,
    security: Security,
    told: String,
}

#[test]
fn who_is_refused_is_told_why() {
    let kafka = Kafka::one();
    let access = kafka.access().clone();
    let (user, servers) = (&access.producer, kafka.servers());
    // An authority of the same name that signed something else.
    let folder = tempfile::tempdir().unwrap();
    let stranger = Access::make(folder.path()).unwrap().ca_pem;
    let elsewhere = kafka.runtime().block_on(under_another_name(servers.parse().unwrap()));
    let secured = |username: &str, password: &str, ca_pem: &str| Security::SaslSsl {
        username: username.to_owned(),
        password: password.to_owned(),
        ca_pem: Some(ca_pem.to_owned()),
    };
    let attempts = |user: &str, password: &str| {
        [
            Attempt {
                name: "a wrong password",
                servers: servers.clone(),
                security: secured(user, "wrong", &access.ca_pem),
                told: format!("the broker {servers} refuses the user {user}: wrong user name or password"),
            },
            Attempt {
                name: "an unknown authority",
                servers: servers.clone(),
                security: secured(user, password, &stranger),
                told: format!("the certificate of the broker {servers} is not to be trusted"),
            },
            Attempt {
                name: "another name",
                servers: elsewhere.to_string(),
                security: secured(user, password, &access.ca_pem),
                told: format!("the certificate of the broker {elsewhere} is for other hosts"),
            },
        ]
    };

    let mut of_producer = Vec::from(attempts(&user.username, &user.password));
    of_producer.push(Attempt {
        name: "a user who may not produce",
        servers: servers.clone(),
        security: access.security(&access.consumer),
        told: "the user consumer may not produce to topic quotes".to_owned(),
    });
    let mut running: Vec<_> = of_producer
        .iter()
        .map(|attempt| {
            let flags = ["--kafka", &attempt.servers, "--every", "100ms"];
            (attempt, local(&folder.path().join(attempt.name), &flags, security_variables(&attempt.security)))
        })
        .collect();

    let consumer = &access.consumer;
    let mut of_mapping = Vec::from(attempts(&consumer.username, &consumer.password));
    of_mapping.push(Attempt {
        name: "a user who may not join the group",
        servers: servers.clone(),
        security: access.security(&access.producer),
        told: format!("the user producer may not read the consumer group {GROUP}"),
    });
    kafka.runtime().block_on(async {
        let told = of_mapping.iter().map(|attempt| async move {
            let mapping = KafkaMapping::start(mapping(attempt), Arc::new(Never)).unwrap();
            let mut progress = mapping.progress();
            let told = progress.wait_for(|progress| progress.last_error.as_ref().is_some_and(|error| error.contains(&attempt.told)));
            let in_time = tokio::time::timeout(LIMIT, told).await.is_ok();
            assert!(in_time, "{}: {:?}", attempt.name, mapping.progress().borrow().last_error);
            mapping.stop().await;
        });
        futures::future::join_all(told).await;
    });

    for (attempt, process) in &mut running {
        process.wait_for(attempt.name, |lines| {
            let is_told = |who: &str| lines.iter().any(|line| line.contains(who) && line.contains(&attempt.told));
            // The mapping has the same user here, and `consumer` may consume.
            let is_mappings = attempt.name != "a user who may not produce";
            (is_told("fetch-quotes failed") && (!is_mappings || is_told("the Kafka mapping waits"))).then_some(())
        });
    }
}

fn mapping(attempt: &Attempt) -> KafkaMappingConfig {
    KafkaMappingConfig {
        bootstrap_servers: attempt.servers.clone(),
        security: attempt.security.clone(),
        topic: TOPIC.to_owned(),
        consumer_group: GROUP.to_owned(),
        batch_size: 10,
        batch_window: Duration::ZERO,
        payload_limit: 6 * 1024 * 1024,
        starting_position: StartingPosition::TrimHorizon,
        backoff: Backoff::default(),
        refresh: Duration::from_millis(100),
    }
}

/// The broker under 127.0.0.2, which is not in its certificate.
async fn under_another_name(broker: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.2", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                if let Ok(mut server) = TcpStream::connect(broker).await {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    address
}

/// A function that is never invoked.
struct Never;

#[async_trait]
impl Invoke for Never {
    fn name(&self) -> &str {
        "never"
    }

    async fn invoke(&self, _: Bytes) -> Result<Invocation, InvokeError> {
        panic!("records came through a mapping that must be refused")
    }
}
