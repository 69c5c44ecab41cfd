//! One execution environment: one process of a function, from its start to its end.

use super::function::FunctionConfig;
use super::invocation::Outcome;
use super::logs::{Log, LogStream, Tail, follow};
use super::mailbox::{Job, Line, Message};
use super::service::Host;
use crate::process::Group;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// How long a process may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);
/// How long to wait for the rest of the output of a process that has ended; a grandchild may hold the pipe open.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);

/// The process groups of a function that live now.
pub(super) type Living = watch::Sender<Vec<Group>>;

pub(super) struct Environment {
    id: String,
    child: Child,
    group: Group,
    line: Line,
    tail: Tail,
    output: Vec<JoinHandle<()>>,
    started: Instant,
    living: Living,
    host: Arc<Host>,
}

/// What an environment can wait for.
enum Step {
    Told(Message),
    Ended,
}

impl Environment {
    /// Starts a process. It is not ready before `initialise`.
    pub(super) fn start(host: &Arc<Host>, config: &FunctionConfig, log: &Arc<Log>, living: &Living) -> io::Result<Self> {
        let id = Uuid::new_v4().simple().to_string();
        let folder = config.binary.parent().unwrap_or(&config.binary);
        let mut command = Command::new(&config.binary);
        command
            .env_clear()
            // As on Lambda; a function that starts programs is found out here.
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin")
            .env("TZ", ":UTC")
            .env("LANG", "en_US.UTF-8")
            .env("LAMBDA_TASK_ROOT", folder)
            .env("_HANDLER", "bootstrap")
            .envs(&config.environment)
            .env("AWS_LAMBDA_RUNTIME_API", format!("http://{}/{}/{id}", host.address, config.name))
            .env("AWS_LAMBDA_FUNCTION_NAME", &config.name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", config.memory_mb.to_string())
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", config.name))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", &id)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal goes to the whole foreground group: functions must not end while the stack drains.
            .process_group(0)
            .kill_on_drop(true);
        let line = host.registry.open(&id);
        let spawned = command.spawn().and_then(|child| match Group::of(&child) {
            Some(group) => Ok((child, group)),
            None => Err(io::Error::other("the process has no id")),
        });
        let (mut child, group) = match spawned {
            Ok(spawned) => spawned,
            Err(error) => {
                host.registry.close(&id);
                return Err(error);
            }
        };
        host.watchdog.started(group);
        living.send_modify(|living| living.push(group));
        let tail = Tail::default();
        let mut output = Vec::new();
        output.extend(child.stdout.take().map(|pipe| follow(pipe, LogStream::Stdout, log.clone(), tail.clone())));
        output.extend(child.stderr.take().map(|pipe| follow(pipe, LogStream::Stderr, log.clone(), tail.clone())));
        Ok(Self { id, child, group, line, tail, output, started: Instant::now(), living: living.clone(), host: host.clone() })
    }

    /// Waits until the process asks for its first event; tells how long that took.
    pub(super) async fn initialise(&mut self, limit: Duration) -> Result<Duration, Outcome> {
        let reported = match timeout(limit, self.first_message()).await {
            Ok(Ok(())) => return Ok(self.started.elapsed()),
            Ok(Err(reported)) => reported,
            Err(_) => {
                self.kill().await;
                let seconds = limit.as_secs();
                Some(("Init.Timeout".to_owned(), format!("no first event was asked for within {seconds} seconds")))
            }
        };
        let exit = self.exit().await;
        let (error_type, error_message) =
            reported.unwrap_or_else(|| ("Runtime.ExitError".to_owned(), format!("Runtime exited with error: {exit}")));
        Err(Outcome::InitError { error_type, error_message, stderr: self.tail.text() })
    }

    async fn first_message(&mut self) -> Result<(), Option<(String, String)>> {
        loop {
            match self.step().await {
                Step::Told(Message::Next) => return Ok(()),
                Step::Told(Message::InitError { error_type, error_message }) => {
                    self.kill().await;
                    return Err(Some((error_type, error_message)));
                }
                Step::Told(_) => {}
                Step::Ended => return Err(None),
            }
        }
    }

    /// Hands over one event and waits for its outcome. After a time-out or a crash the environment is of no more use.
    pub(super) async fn invoke(&mut self, job: Job, limit: Duration) -> Outcome {
        let request_id = job.request_id.clone();
        // There is a place for one event, and it is free: this cannot wait. If it fails, the process has ended.
        let _ = self.line.jobs.send(job).await;
        self.group.thaw();
        match timeout(limit, self.answer(&request_id)).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => Outcome::Crashed { exit: self.exit().await, stderr: self.tail.text() },
            Err(_) => {
                self.kill().await;
                Outcome::TimedOut { after: limit }
            }
        }
    }

    /// `None` if the process ended without an answer.
    async fn answer(&mut self, current: &str) -> Option<Outcome> {
        loop {
            match self.step().await {
                Step::Told(Message::Response { request_id, payload }) if request_id == current => {
                    return Some(Outcome::Success(payload));
                }
                Step::Told(Message::ResponseTooLarge { request_id, bytes }) if request_id == current => {
                    return Some(Outcome::FunctionError {
                        error_type: "Function.ResponseSizeTooLarge".to_owned(),
                        error_message: format!("the response has {bytes} bytes or more, above {}", super::PAYLOAD_LIMIT),
                    });
                }
                Step::Told(Message::Error { request_id, error_type, error_message }) if request_id == current => {
                    return Some(Outcome::FunctionError { error_type, error_message });
                }
                Step::Told(_) => {}
                Step::Ended => return None,
            }
        }
    }

    /// Waits until the process asks for its next event, then freezes it. False if it ended or did not ask in time.
    pub(super) async fn settle(&mut self, limit: Duration) -> bool {
        let asked = timeout(limit, async {
            loop {
                match self.step().await {
                    Step::Told(Message::Next) => return true,
                    Step::Told(_) => {}
                    Step::Ended => return false,
                }
            }
        });
        let asked = asked.await.unwrap_or(false);
        if asked {
            self.group.freeze();
        }
        asked
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(super) fn peak_memory(&self) -> Option<u64> {
        self.child.id().and_then(|_| self.group.peak_memory())
    }

    /// Asks the process to end, and kills it if it does not.
    pub(super) async fn stop(mut self) {
        self.group.terminate();
        if timeout(GRACE, self.child.wait()).await.is_err() {
            self.kill().await;
        }
    }

    /// Messages come first: what a process said before it ended counts.
    async fn step(&mut self) -> Step {
        tokio::select! {
            biased;
            Some(message) = self.line.messages.recv() => Step::Told(message),
            _ = self.child.wait() => Step::Ended,
        }
    }

    async fn kill(&mut self) {
        self.group.kill();
        if let Err(error) = self.child.wait().await {
            tracing::warn!(error = %error, "A function's process could not be waited for.");
        }
    }

    /// How the process ended, once all that it wrote has been read.
    async fn exit(&mut self) -> String {
        let status = self.child.wait().await;
        for reader in &mut self.output {
            let _ = timeout(OUTPUT_GRACE, reader).await;
        }
        self.output.clear();
        match status {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        // Without an id it has been waited for: the number may belong to another process by now.
        if self.child.id().is_some() {
            self.group.kill();
        }
        self.host.watchdog.ended(self.group);
        self.host.registry.close(&self.id);
        self.living.send_modify(|living| living.retain(|group| *group != self.group));
    }
}

/// Ends every living process of a function: SIGTERM, then SIGKILL.
pub(super) async fn end_all(living: &Living) {
    let mut ended = living.subscribe();
    living.borrow().iter().for_each(|group| group.terminate());
    if timeout(GRACE, ended.wait_for(Vec::is_empty)).await.is_err() {
        living.borrow().iter().for_each(|group| group.kill());
    }
}
