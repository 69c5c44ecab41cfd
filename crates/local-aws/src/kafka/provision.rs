//! The topics and the users' rights, by the script that EC2 runs, too.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::access::Access;
use super::disk::Disk;
use super::error::Error;
use super::files;
use crate::broker::Topic;

const SCRIPT: &str = include_str!("../../../../broker/provision.sh");

/// What is to be provisioned.
pub(super) struct Provision<'a> {
    /// The topics.
    pub(super) topics: &'a [Topic],
    /// The group that the consumer reads in.
    pub(super) consumer_group: &'a str,
    /// Whether the producer may read how far a replay came.
    pub(super) replay: bool,
}

impl Provision<'_> {
    /// Runs the script, unless it ran to its end with the same arguments on this disk before.
    pub(super) async fn run(&self, folder: &Path, disk: &Disk, libs: &Path, servers: &str, access: &Access) -> Result<(), Error> {
        if self.is_done(files::read(&disk.provisioned())?.as_deref()) {
            return Ok(());
        }
        let (script, admin) = (folder.join("provision.sh"), folder.join("admin.properties"));
        files::write(&script, SCRIPT)?;
        files::write(&admin, &settings(folder, access))?;
        let mut result = Ok(());
        for topic in self.topics {
            result = self.topic(topic, &script, &admin, libs, servers).await;
            if result.is_err() {
                break;
            }
        }
        // It holds the administrator's password.
        let _ = std::fs::remove_file(&admin);
        result?;
        files::write(&disk.provisioned(), &self.done())
    }

    /// What is noted once the script ran to its end: itself, and a line for each run.
    fn done(&self) -> String {
        let runs = self.topics.iter().map(|topic| format!("# {}\n", self.arguments(topic).join(" ")));
        runs.fold(SCRIPT.to_owned(), |done, run| done + run.as_str())
    }

    /// Whether what was noted includes all that is wanted now.
    fn is_done(&self, noted: Option<&str>) -> bool {
        let with_replay = Provision { replay: true, ..*self };
        self.topics.is_empty() || noted.is_some_and(|noted| noted == self.done() || noted == with_replay.done())
    }

    fn arguments(&self, topic: &Topic) -> Vec<String> {
        let mut arguments = vec![topic.name.clone(), topic.partitions.to_string(), self.consumer_group.to_owned()];
        arguments.extend(self.replay.then(|| "replay".to_owned()));
        arguments
    }

    async fn topic(&self, topic: &Topic, script: &Path, admin: &Path, libs: &Path, servers: &str) -> Result<(), Error> {
        let output = Command::new("bash")
            .arg(script)
            .args(self.arguments(topic))
            .env("KAFKA_LIBS", libs)
            .env("KAFKA_SERVERS", servers)
            .env("KAFKA_ADMIN", admin)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await;
        let output = output.map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => Error::Missing { program: "bash", install: "bash" },
            _ => Error::Run { program: "bash", source },
        })?;
        if output.status.success() {
            return Ok(());
        }
        // Kafka's commands tell errors on either.
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let told = said.lines().find(|line| line.contains("Error") || line.contains("Exception"));
        let reason = told.or_else(|| said.lines().last()).unwrap_or("it says no more").to_owned();
        Err(Error::Command { what: "making the topic and the users' rights", reason })
    }
}

/// The client settings of the administrator, for Kafka's own commands.
fn settings(folder: &Path, access: &Access) -> String {
    let admin = &access.admin;
    format!(
        "security.protocol=SASL_SSL\n\
         sasl.mechanism=SCRAM-SHA-512\n\
         sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{}\" password=\"{}\";\n\
         ssl.truststore.type=PEM\n\
         ssl.truststore.location={}\n",
        admin.username,
        admin.password,
        folder.join("tls/ca.pem").display().to_string().replace('\\', "\\\\"),
    )
}
