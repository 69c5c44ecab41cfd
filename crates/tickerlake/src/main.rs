//! The command a person types: the pipeline on one machine, and questions to a lake.

// The command's product is what it prints.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod audit;
mod cli;
mod data_folder;
mod deployment;
mod failure;
mod fetch;
mod kafka;
mod lake;
mod local;
mod quarantine;
mod query;
mod rows;
mod status;
mod stored;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are what was asked for.
        Err(answer) if !answer.use_stderr() => answer.exit(),
        Err(error) => return fail(&Failure::command_line(&error)),
    };
    // What the local parts log is for whoever mends them; what the user needs to know is printed.
    let filter = EnvFilter::try_from_env("TICKERLAKE_LOG").unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    // Two cryptography providers come with the dependencies, so rustls cannot choose by itself.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();

    let result = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(run(cli.command)),
        Err(error) => Err(Failure::new("the runtime cannot start", error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    eprintln!("tickerlake: {failure}");
    failure.exit_code()
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Local(args) => local::run(args).await,
        Command::Fetch(args) => fetch::run(args).await,
        Command::Query(args) => query::run(args).await,
        Command::Audit(args) => audit::run(args).await,
        Command::Status(args) => status::run(args).await,
        Command::Quarantine(args) => quarantine::run(args).await,
    }
}
