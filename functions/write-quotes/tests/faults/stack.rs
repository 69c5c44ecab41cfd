//! The local S3 with its faults, the local Lambda, and functions that run the real binary.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use local_aws::gateway::{Gateway, GatewayConfig};
use local_aws::lambda::{Function, FunctionConfig, Invocation, Lambda, LambdaConfig};
use local_aws::s3::faults::Faults;
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::lake::Lake;

/// The longest that anything is waited for: only a failing test takes that long.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// How often a batch is delivered before the test gives up: what is to happen happens at the first try, but on a busy
/// machine one may run out of time.
const DELIVERIES: usize = 5;

/// One gateway and one Lambda; each test has buckets and functions of its own.
pub(crate) struct Stack {
    pub(crate) faults: Faults,
    gateway: Gateway,
    lambda: Lambda,
    folder: TempDir,
}

impl Stack {
    pub(crate) async fn start(buckets: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = GatewayConfig::new(folder.path().to_owned());
        config.buckets = buckets.iter().map(|&bucket| bucket.to_owned()).collect();
        let faults = config.faults.clone();
        let gateway = Gateway::start(config).await.unwrap();
        let lambda = Lambda::start(LambdaConfig { port: 0, logs: folder.path().join("logs") }).await.unwrap();
        Self { faults, gateway, lambda, folder }
    }

    /// A function with one environment.
    pub(crate) fn function(&self, name: &str, bucket: &str, timeout: Duration) -> Function {
        let mut environment: std::collections::BTreeMap<_, _> = self.gateway.client_environment().into_iter().collect();
        environment.insert("LAKE_BUCKET".to_owned(), bucket.to_owned());
        let config = FunctionConfig {
            name: name.to_owned(),
            arn: format!("arn:aws:lambda:us-east-1:000000000000:function:{name}"),
            binary: PathBuf::from(env!("CARGO_BIN_EXE_write-quotes")),
            environment,
            timeout,
            memory_mb: 512,
            concurrency: 1,
            observer: None,
        };
        self.lambda.add(config).unwrap()
    }

    pub(crate) fn lake(&self, bucket: &str) -> Lake {
        Lake(self.folder.path().join("s3").join(bucket))
    }

    pub(crate) async fn stop(self) {
        self.lambda.stop().await;
        self.gateway.stop().await;
    }
}

/// Delivers an event until it succeeds, as a mapping does.
pub(crate) async fn deliver(function: &Function, event: &Bytes) -> Result<Invocation, String> {
    let mut told = None;
    for _ in 0..DELIVERIES {
        let invocation = function.invoke(event.clone()).await.map_err(|error| error.to_string())?;
        match invocation.outcome.error() {
            None => return Ok(invocation),
            error => told = error,
        }
    }
    Err(format!("not stored in {DELIVERIES} deliveries: {told:?}"))
}

/// Kills a function's processes, as Lambda or the machine under it may at any time.
pub(crate) fn kill(function: &Function) {
    signal(function, Signal::KILL);
}

/// Stops a function's processes: they do nothing any more, and do not end.
pub(crate) fn freeze(function: &Function) {
    signal(function, Signal::STOP);
}

fn signal(function: &Function, signal: Signal) {
    for process in function.processes() {
        // One that has ended meanwhile needs no signal.
        let _ = kill_process_group(Pid::from_raw(process).unwrap(), signal);
    }
}
