//! A function: its configuration, its environments, and who waits for one.

use super::PAYLOAD_LIMIT;
use super::environment::{Environment, Living, end_all};
use super::error::InvokeError;
use super::invocation::{Invocation, Invoke, Outcome, Start};
use super::logs::{Log, Observer};
use super::mailbox::Job;
use super::service::Host;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use uuid::Uuid;

/// Lambda's limit for a function's initialisation; a longer timeout of the function's own prolongs it.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// What a function is and how it runs.
#[derive(Clone)]
pub struct FunctionConfig {
    /// Its name, in paths, logs and `AWS_LAMBDA_FUNCTION_NAME`.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The binary to run.
    pub binary: PathBuf,
    /// The function's own variables together with those that stand for Lambda's credentials and endpoints
    /// (`AWS_ENDPOINT_URL`, `AWS_REGION`, …). Nothing else is inherited.
    pub environment: BTreeMap<String, String>,
    /// The longest that one invocation may take.
    pub timeout: Duration,
    /// Told to the function; not enforced.
    pub memory_mb: u32,
    /// The most invocations at once, each in a process of its own; further ones wait. 0 counts as 1.
    pub concurrency: usize,
    /// Sees output and invocations.
    pub observer: Option<Arc<dyn Observer>>,
}

/// A function that can be invoked. Clones are the same function.
#[derive(Clone)]
pub struct Function(Arc<Inner>);

struct Inner {
    config: FunctionConfig,
    log: Arc<Log>,
    host: Arc<Host>,
    /// One permit for each environment that may be at work.
    slots: Arc<Semaphore>,
    /// Frozen environments, the most recently used last.
    idle: Mutex<Vec<Environment>>,
    living: Living,
}

impl Function {
    pub(super) fn new(config: FunctionConfig, log: Log, host: Arc<Host>) -> Self {
        let slots = Arc::new(Semaphore::new(config.concurrency.max(1)));
        let (living, _) = watch::channel(Vec::new());
        Self(Arc::new(Inner { config, log: Arc::new(log), host, slots, idle: Mutex::new(Vec::new()), living }))
    }

    /// The function's name.
    pub fn name(&self) -> &str {
        &self.0.config.name
    }

    /// The function's ARN.
    pub fn arn(&self) -> &str {
        &self.0.config.arn
    }

    /// The ids of the processes that live now, frozen or at work. Each leads a process group of its own.
    pub fn processes(&self) -> Vec<i32> {
        self.0.living.borrow().iter().map(|group| group.id()).collect()
    }

    /// Invokes the function and waits for the outcome. Dropping the future kills the environment that is at work on it.
    pub async fn invoke(&self, payload: Bytes) -> Result<Invocation, InvokeError> {
        let inner = &self.0;
        if payload.len() > PAYLOAD_LIMIT {
            return Err(InvokeError::PayloadTooLarge { function: self.name().to_owned(), bytes: payload.len() });
        }
        let slot = inner.slots.clone().acquire_owned().await.map_err(|_| self.stopped())?;
        let request_id = Uuid::new_v4().to_string();
        let (mut environment, init) = match self.warm() {
            Some(environment) => (environment, None),
            None => {
                let mut environment = Environment::start(&inner.host, &inner.config, &inner.log, &inner.living)
                    .map_err(|source| InvokeError::Spawn { binary: inner.config.binary.clone(), source })?;
                let started = Instant::now();
                match environment.initialise(inner.config.timeout.max(INIT_LIMIT)).await {
                    Ok(took) => (environment, Some(took)),
                    Err(outcome) => {
                        let invocation = Invocation {
                            request_id,
                            outcome,
                            duration: started.elapsed(),
                            init_duration: None,
                            peak_memory: None,
                            start: Start::Cold,
                        };
                        inner.log.invoked(&invocation);
                        return Ok(invocation);
                    }
                }
            }
        };
        let timeout = inner.config.timeout;
        let job =
            Job { request_id: request_id.clone(), deadline: SystemTime::now() + timeout, function_arn: inner.config.arn.clone(), payload };
        let started = Instant::now();
        let outcome = environment.invoke(job, timeout).await;
        let invocation = Invocation {
            request_id,
            outcome,
            duration: started.elapsed(),
            init_duration: init,
            peak_memory: environment.peak_memory(),
            start: if init.is_some() { Start::Cold } else { Start::Warm },
        };
        inner.log.invoked(&invocation);
        if matches!(invocation.outcome, Outcome::Success(_) | Outcome::FunctionError { .. }) {
            // The caller need not wait until the process asks for more, but the next invocation must.
            tokio::spawn(self.clone().put_back(environment, slot));
        }
        Ok(invocation)
    }

    /// Ends the function's processes (SIGTERM, then SIGKILL). Invocations under way crash, waiting and later ones are refused.
    pub async fn stop(&self) {
        self.0.slots.close();
        let idle = std::mem::take(&mut *self.idle());
        futures::future::join_all(idle.into_iter().map(Environment::stop)).await;
        end_all(&self.0.living).await;
    }

    /// Kills the function's processes at once.
    pub(super) fn kill(&self) {
        self.0.slots.close();
        self.idle().clear();
        self.0.living.borrow().iter().for_each(|group| group.kill());
    }

    async fn put_back(self, mut environment: Environment, slot: OwnedSemaphorePermit) {
        if environment.settle(self.0.config.timeout).await && !self.0.slots.is_closed() {
            self.idle().push(environment);
        }
        drop(slot);
        // Closed in between: `stop` may already have looked for idle environments.
        if self.0.slots.is_closed() {
            self.idle().clear();
        }
    }

    /// A frozen environment that is still alive.
    fn warm(&self) -> Option<Environment> {
        let mut idle = self.idle();
        while let Some(mut environment) = idle.pop() {
            if environment.is_alive() {
                return Some(environment);
            }
        }
        None
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Environment>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> InvokeError {
        InvokeError::Stopped { function: self.name().to_owned() }
    }
}

#[async_trait::async_trait]
impl Invoke for Function {
    fn name(&self) -> &str {
        Function::name(self)
    }

    async fn invoke(&self, payload: Bytes) -> Result<Invocation, InvokeError> {
        Function::invoke(self, payload).await
    }
}
