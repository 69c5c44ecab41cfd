//! Invokes the two functions as Lambda does, one after the other, against one S3.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use benches::figures::{median, millis, processor_ms};
use local_aws::gateway::{Gateway, GatewayConfig};
use local_aws::lambda::{Function, FunctionConfig, Lambda, LambdaConfig, Start};

use crate::{Arguments, FIRST_OFFSET, Result};

const BUCKET: &str = "lake";

/// An event without records: the process starts, and has nothing to do.
const EMPTY: &str = r#"{"records":{}}"#;

/// The same figure of both functions.
#[derive(Debug)]
pub(crate) struct Pair<T> {
    pub(crate) rust: T,
    pub(crate) python: T,
}

/// What a function's invocations came to.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Half of the invocations of a warm process took no longer.
    pub(crate) warm_ms: f64,
    /// What an invocation of a warm process took of a processor: without waiting for S3.
    pub(crate) processor_ms: f64,
    /// The process's peak resident memory after all of them.
    pub(crate) peak_bytes: u64,
}

/// Lambda and S3 of this machine, and the two functions' programs.
pub(crate) struct StandIns {
    gateway: Gateway,
    lambda: Lambda,
    programs: Pair<PathBuf>,
    /// Functions and events so far: each has a name and offsets of its own.
    count: AtomicU32,
}

impl StandIns {
    pub(crate) async fn start(arguments: &Arguments, folder: &Path) -> Result<Self> {
        let mut config = GatewayConfig::new(folder.join("data"));
        config.buckets = vec![BUCKET.to_owned()];
        let gateway = Gateway::start(config).await?;
        let lambda = Lambda::start(LambdaConfig { port: 0, logs: folder.join("logs") }).await?;
        let programs = Pair { rust: arguments.binaries.join("write-quotes").canonicalize()?, python: bootstrap(arguments, folder)? };
        Ok(Self { gateway, lambda, programs, count: AtomicU32::new(0) })
    }

    /// Milliseconds from the start of a process until it asks for its first event: the medians of `times` processes.
    pub(crate) async fn cold_starts(&self, times: usize) -> Result<Pair<f64>> {
        let (mut rust, mut python) = (Vec::new(), Vec::new());
        for _ in 0..times {
            rust.push(self.cold_start("rust", &self.programs.rust).await?);
            python.push(self.cold_start("python", &self.programs.python).await?);
        }
        Ok(Pair { rust: median(rust), python: median(python) })
    }

    async fn cold_start(&self, name: &str, program: &Path) -> Result<f64> {
        let function = self.function(name, program)?;
        let invocation = function.invoke(EMPTY.into()).await?;
        function.stop().await;
        let init = invocation.init_duration.ok_or("the process was not started for the invocation")?;
        Ok(millis(init))
    }

    /// Invokes each function `times` times after a first invocation that warms it up. `event` makes an event that begins
    /// at an offset: never the same one twice, since write-quotes would store nothing the second time.
    pub(crate) async fn invocations(&self, times: usize, event: impl Fn(i64) -> String) -> Result<Pair<Measured>> {
        let rust = self.function("rust", &self.programs.rust)?;
        let python = self.function("python", &self.programs.python)?;
        let mut rust = Series::new(rust);
        let mut python = Series::new(python);
        for _ in 0..=times {
            let event = event(self.next_offset());
            rust.invoke(&event).await?;
            python.invoke(&event).await?;
        }
        Ok(Pair { rust: rust.end().await?, python: python.end().await? })
    }

    pub(crate) async fn stop(self) {
        self.lambda.stop().await;
        self.gateway.stop().await;
    }

    fn function(&self, name: &str, program: &Path) -> Result<Function> {
        let name = format!("{name}-{}", self.count());
        let mut environment: BTreeMap<String, String> = self.gateway.client_environment().into_iter().collect();
        environment.insert("LAKE_BUCKET".to_owned(), BUCKET.to_owned());
        Ok(self.lambda.add(FunctionConfig {
            arn: format!("arn:aws:lambda:us-east-1:000000000000:function:{name}"),
            name,
            binary: program.to_owned(),
            environment,
            timeout: Duration::from_secs(60),
            memory_mb: 512,
            concurrency: 1,
            observer: None,
        })?)
    }

    fn next_offset(&self) -> i64 {
        FIRST_OFFSET + i64::from(self.count()) * 100_000
    }

    fn count(&self) -> u32 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }
}

/// The invocations of one function, one after the other in the same process.
struct Series {
    function: Function,
    durations: Vec<f64>,
    /// What the process had taken of a processor after its first invocation, which warmed it up.
    processor_before: f64,
    peak_bytes: u64,
}

impl Series {
    fn new(function: Function) -> Self {
        Self { function, durations: Vec::new(), processor_before: 0.0, peak_bytes: 0 }
    }

    async fn invoke(&mut self, event: &str) -> Result<()> {
        let invocation = self.function.invoke(event.to_owned().into()).await?;
        if let Some((error_type, message)) = invocation.outcome.error() {
            return Err(format!("{}: {error_type}: {message}", self.function.name()).into());
        }
        match invocation.start {
            Start::Cold => self.processor_before = self.processor()?,
            Start::Warm => self.durations.push(millis(invocation.duration)),
        }
        self.peak_bytes = invocation.peak_memory.unwrap_or_default();
        Ok(())
    }

    async fn end(self) -> Result<Measured> {
        let processor_ms = (self.processor()? - self.processor_before) / self.durations.len() as f64;
        self.function.stop().await;
        Ok(Measured { warm_ms: median(self.durations), processor_ms, peak_bytes: self.peak_bytes })
    }

    /// Milliseconds that the process has taken of a processor so far.
    fn processor(&self) -> Result<f64> {
        let process = self.function.processes().first().copied().ok_or("the process has ended")?;
        Ok(processor_ms(process)?)
    }
}

/// The program that Lambda would call `bootstrap`: Python on the loop around the handler.
fn bootstrap(arguments: &Arguments, folder: &Path) -> Result<PathBuf> {
    let python = std::path::absolute(&arguments.python)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/bootstrap.py");
    let program = folder.join("bootstrap");
    fs::write(&program, format!("#!/bin/sh\nexec '{}' '{}'\n", python.display(), script.display()))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(program)
}
