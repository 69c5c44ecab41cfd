//! The listener, and the functions behind it.

use super::error::Error;
use super::function::{Function, FunctionConfig};
use super::logs::Log;
use super::mailbox::Registry;
use super::{api, invoke_api};
use crate::process::Watchdog;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// Where the stand-in listens and logs.
#[derive(Debug, Clone)]
pub struct LambdaConfig {
    /// The port on 127.0.0.1; 0 for any.
    pub port: u16,
    /// The folder of the functions' log files, `<function>.log`.
    pub logs: PathBuf,
}

/// What all environments share.
pub(super) struct Host {
    pub(super) address: SocketAddr,
    pub(super) registry: Registry,
    pub(super) watchdog: Watchdog,
}

/// The functions by name.
pub(crate) type Functions = Arc<RwLock<BTreeMap<String, Function>>>;

/// The Lambda stand-in. Dropping it kills all processes; `stop` ends them in good order.
pub struct Lambda {
    host: Arc<Host>,
    functions: Functions,
    logs: PathBuf,
    _server: AbortOnDropHandle<()>,
}

impl Lambda {
    /// Binds the listener and starts to serve.
    pub async fn start(config: LambdaConfig) -> Result<Self, Error> {
        let listen = |source| Error::Listen { port: config.port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let host = Arc::new(Host { address, registry: Registry::default(), watchdog: Watchdog::start() });
        let functions = Functions::default();
        let router = api::router(host.registry.clone()).merge(invoke_api::router(functions.clone()));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(error = %error, "The Lambda API has ended.");
            }
        });
        Ok(Self { host, functions, logs: config.logs, _server: AbortOnDropHandle::new(server) })
    }

    /// The functions, now and later, for another listener to invoke.
    pub(crate) fn functions(&self) -> Functions {
        Arc::clone(&self.functions)
    }

    /// Where the Runtime API and the Invoke API listen.
    pub fn address(&self) -> SocketAddr {
        self.host.address
    }

    /// Adds a function. Its binary is started by its first invocation.
    pub fn add(&self, config: FunctionConfig) -> Result<Function, Error> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !(1..=64).contains(&config.name.len()) || !config.name.bytes().all(is_plain) {
            return Err(Error::Name { name: config.name });
        }
        let mut functions = self.functions.write().unwrap_or_else(PoisonError::into_inner);
        if functions.contains_key(&config.name) {
            return Err(Error::Duplicate { name: config.name });
        }
        let log = Log::open(&self.logs, &config.name, config.observer.clone())?;
        let name = config.name.clone();
        let function = Function::new(config, log, self.host.clone());
        functions.insert(name, function.clone());
        Ok(function)
    }

    /// The function of this name.
    pub fn function(&self, name: &str) -> Option<Function> {
        self.functions.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Ends all functions' processes: SIGTERM, then SIGKILL.
    pub async fn stop(self) {
        let functions: Vec<_> = self.functions.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        futures::future::join_all(functions.iter().map(Function::stop)).await;
    }
}

impl Drop for Lambda {
    /// Handles to the functions may live on elsewhere; their processes must not.
    fn drop(&mut self) {
        let functions = self.functions.read().unwrap_or_else(PoisonError::into_inner);
        functions.values().for_each(Function::kill);
    }
}
