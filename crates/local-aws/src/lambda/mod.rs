//! What stands in for AWS Lambda: runs the functions' unmodified binaries as processes and serves them the Runtime API.
//!
//! One listener serves all functions. Each process finds its own part of it through a path in `AWS_LAMBDA_RUNTIME_API`
//! (`http://127.0.0.1:PORT/<function>/<environment id>`), as cargo-lambda does it; `lambda_runtime` keeps that path in front of
//! its requests. The same listener answers Lambda's public Invoke API, for `aws lambda invoke --endpoint-url` and
//! `cargo lambda invoke`.
//!
//! As on Lambda, a process is kept warm, frozen (SIGSTOP) between invocations, killed when an invocation times out and
//! replaced when it ends. Memory limits are reported on, not enforced.
//!
//! No process outlives the stack: dropping an environment kills its process group, and `watchdog` does so when the stack
//! itself was killed. (A process that is not frozen would also end by itself: `lambda_runtime` gives up when the
//! Runtime API cannot be reached.)

mod api;
mod environment;
mod error;
mod function;
mod invocation;
mod invoke_api;
mod logs;
mod mailbox;
mod service;

pub use error::{Error, InvokeError};
pub use function::{Function, FunctionConfig};
pub use invocation::{Invocation, Invoke, Outcome, Start};
pub use logs::{LogStream, Observer};
pub use service::{Lambda, LambdaConfig};

pub(crate) use invoke_api::{function_of, invoke};
pub(crate) use service::Functions;

/// The largest event of a synchronous invocation, and the largest response: 6 MB.
pub const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024;
