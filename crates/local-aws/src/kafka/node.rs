//! One node: a Java process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::disk::{Disk, Tools};
use super::error::Error;
use super::jars::class_path;
use crate::process::{Group, Watchdog};

/// Enough for a laptop's rates; Kafka's own default would be 1 GB.
const HEAP: &str = "-Xmx512m";
/// How long a node may take to hand over and end before it is killed.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// Where a node listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) client: u16,
    pub(super) nodes: u16,
    pub(super) controller: u16,
}

/// A node, running or not.
pub(super) struct Node {
    pub(super) id: u16,
    pub(super) ports: Ports,
    pub(super) disk: Disk,
    pub(super) log: PathBuf,
    /// What server.properties asks of the environment.
    pub(super) environment: BTreeMap<&'static str, String>,
    process: Option<Process>,
}

/// A running node. Dropping it kills it.
struct Process {
    child: Child,
    group: Group,
    watchdog: Arc<Watchdog>,
}

impl Node {
    pub(super) fn new(id: u16, ports: Ports, disk: Disk, log: PathBuf, environment: BTreeMap<&'static str, String>) -> Self {
        Self { id, ports, disk, log, environment, process: None }
    }

    /// Starts the process; it does not answer yet.
    pub(super) fn start(&mut self, tools: &Tools<'_>, log_settings: &Path, watchdog: &Arc<Watchdog>) -> Result<(), Error> {
        let failed = |source| Error::File { what: "open the log", path: self.log.clone(), source };
        let log = OpenOptions::new().create(true).append(true).open(&self.log).map_err(failed)?;
        let errors = log.try_clone().map_err(failed)?;
        let mut log_setting = OsString::from("-Dlog4j2.configurationFile=");
        log_setting.push(log_settings);
        let child = Command::new("java")
            .args([HEAP, "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"])
            .arg(log_setting)
            .arg("-cp")
            .arg(class_path(tools.libs))
            .arg("kafka.Kafka")
            .arg(tools.properties)
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // Ctrl-C is for the stack, which first stores what the node still holds.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| Error::Run { program: "java", source })?;
        let group = Group::of(&child).ok_or_else(|| self.ended())?;
        watchdog.started(group);
        self.process = Some(Process { child, group, watchdog: Arc::clone(watchdog) });
        Ok(())
    }

    /// Whether the process has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| !matches!(process.child.try_wait(), Ok(None)))
    }

    /// Kills it, as a power cut would.
    pub(super) async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.group.kill();
            let _ = process.child.wait().await;
        }
    }

    /// Lets it hand over and end.
    pub(super) async fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.group.terminate();
            if tokio::time::timeout(SHUTDOWN, process.child.wait()).await.is_err() {
                process.group.kill();
                let _ = process.child.wait().await;
            }
        }
    }

    /// That it ended while it was being started, with what it said last.
    pub(super) fn ended(&self) -> Error {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let is_reason = |line: &&str| line.contains(" ERROR ") || line.contains(" FATAL ") || line.contains("Exception");
        let mut latest = log.lines().rev();
        let reason = latest.clone().find(is_reason).or_else(|| latest.next()).unwrap_or("it says nothing");
        Error::Ended { node: self.id, reason: reason.to_owned(), log: self.log.clone() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.group.kill();
        self.watchdog.ended(self.group);
    }
}
