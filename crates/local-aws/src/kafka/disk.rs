//! A node's disk: formatted once, then kept.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{FlockOperation, fcntl_lock};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::access::Access;
use super::error::Error;
use super::files;
use super::jars::class_path;

/// How long a node that was killed may take to be gone.
const LET_GO: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The folder of one node.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    folder: PathBuf,
}

/// What the commands that work on a disk need.
pub(super) struct Tools<'a> {
    /// Kafka's jars.
    pub(super) libs: &'a Path,
    /// server.properties.
    pub(super) properties: &'a Path,
}

impl Disk {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The node's `log.dirs`.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where it is noted what the cluster was last provisioned with: it is gone with the disk.
    pub(super) fn provisioned(&self) -> PathBuf {
        self.folder.join("provisioned")
    }

    /// Formats the disk for this cluster and makes its users, unless that was done before. `quorum` is how it takes part in it.
    pub(super) async fn format(
        &self,
        tools: &Tools<'_>,
        environment: &BTreeMap<&'static str, String>,
        cluster_id: &str,
        quorum: &str,
        access: &Access,
    ) -> Result<(), Error> {
        if self.data().is_dir() {
            return Ok(());
        }
        files::make_folder(&self.folder)?;
        let half_made = self.folder.join("data.new");
        files::remove_folder(&half_made)?;
        // From a file: a process's arguments are for all users to see. `=`, because an id may begin with a hyphen.
        let mut arguments = format!("format\n--cluster-id={cluster_id}\n{quorum}\n--config={}\n", tools.properties.display());
        for user in access.users() {
            arguments.push_str(&format!("--add-scram=SCRAM-SHA-512=[name={},password={}]\n", user.username, user.password));
        }
        let arguments_file = self.folder.join("format");
        files::write(&arguments_file, &arguments)?;
        let mut at = OsString::from("@");
        at.push(&arguments_file);
        let output = java(tools.libs)
            .arg("kafka.tools.StorageTool")
            .arg(at)
            .envs(environment)
            .env("BROKER_DATA", &half_made)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await;
        let _ = std::fs::remove_file(&arguments_file);
        let output = output.map_err(|source| Error::Run { program: "java", source })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let reason = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says no more").to_owned();
            return Err(Error::Command { what: "formatting the disk of a Kafka node", reason });
        }
        files::put_in_place(&half_made, &self.data())
    }

    /// Waits until no process works on the disk: one whose stack was killed needs a moment to be gone.
    pub(super) async fn let_go(&self) -> Result<(), Error> {
        let path = self.data().join(".lock");
        let deadline = Instant::now() + LET_GO;
        while path.exists() {
            let lock = OpenOptions::new().write(true).open(&path);
            let lock = lock.map_err(|source| Error::File { what: "open", path: path.clone(), source })?;
            // As Java locks it.
            if fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Error::InUse { path: self.folder.clone() });
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }
}

/// A Java that runs one of Kafka's commands: for a second, so that compiling it well would take longer.
fn java(libs: &Path) -> Command {
    let mut command = Command::new("java");
    command.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]).arg(class_path(libs));
    command
}
