//! `tickerlake query`: SQL over the lake, and the named queries that ship with it.

mod days;
mod execution;
mod moment;
mod named;
mod progress;

use std::io::{IsTerminal, stderr, stdin, stdout};
use std::time::Instant;

use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use days::Days;
pub(crate) use execution::Execution;
pub(crate) use moment::Moment;

use crate::cli::{QueryArgs, TableFormat};
use crate::failure::Failure;
use crate::lake::{Lake, Visit};
use crate::rows::{self, Rows};
use named::NamedQuery;
use progress::Progress;

/// Runs the query and prints its rows.
pub(crate) async fn run(args: QueryArgs) -> Result<(), Failure> {
    let visit = Visit::open(&args.lake).await?;
    let answer = answer(&visit.lake, &args).await;
    visit.close().await;
    let rows = answer?;
    // The handler of Ctrl-C stays once it is there, and printing a long result must end by it too.
    tokio::spawn(async {
        if ctrl_c().await.is_ok() {
            std::process::exit(i32::from(Failure::INTERRUPTED));
        }
    });
    rows::print(&rows, args.format)?;
    // For people only: an empty table is else nothing but a header.
    if matches!(args.format, TableFormat::Table) && stdout().is_terminal() {
        println!("  ({})", progress::counted(rows.rows.len()));
    }
    Ok(())
}

async fn answer(lake: &Lake, args: &QueryArgs) -> Result<Rows, Failure> {
    if args.list {
        return Ok(named::listed(&named::all(lake).await?));
    }
    match (&args.name, &args.sql) {
        (Some(name), _) => {
            let query = named::find(lake, name).await?;
            ask(lake, &prepared(lake, query, args).await?).await
        }
        (None, Some(sql)) if sql == "-" => {
            let sql = std::io::read_to_string(stdin()).map_err(|error| Failure::new("cannot read the SQL from standard input", error))?;
            ask(lake, &sql).await
        }
        (None, Some(sql)) => ask(lake, sql).await,
        (None, None) => Err(Failure::usage("there is neither SQL nor --name")),
    }
}

/// The named query's SQL: verbatim, or with the days and the moment that were asked for.
async fn prepared(lake: &Lake, query: NamedQuery, args: &QueryArgs) -> Result<String, Failure> {
    let mut sql = query.sql;
    if let Some(moment) = &args.as_of {
        sql = moment.put_into(&sql).ok_or_else(|| Failure::usage(format_args!("{} asks for no moment: leave --as-of out", query.name)))?;
    }
    let days = match (args.day, args.as_of) {
        (Some(days), _) => Some(days),
        (None, Some(moment)) => Some(moment.week_before()),
        (None, None) => days::instead_of_none(lake).await?,
    };
    let Some(days) = days else { return Ok(sql) };
    match days.put_into(&sql) {
        Some(sql) => {
            if args.day.is_none() && args.as_of.is_none() && stderr().is_terminal() {
                eprintln!("  of {}, the newest day in the lake; --day names others", days.last);
            }
            Ok(sql)
        }
        // A query that somebody saved beside ours.
        None if args.day.is_none() => Ok(sql),
        None => Err(Failure::usage(format_args!("{} asks for no days: leave --day out", query.name))),
    }
}

/// Runs SQL; tells how far it is where somebody waits at a terminal, and cancels it at Ctrl-C.
async fn ask(lake: &Lake, sql: &str) -> Result<Rows, Failure> {
    let began = Instant::now();
    // Before the start, so that no Ctrl-C is missed once there is something to cancel.
    let mut interrupts = signal(SignalKind::interrupt()).map_err(|error| Failure::new("cannot listen for Ctrl-C", error))?;
    let execution = Execution::start(lake, sql).await?;
    let mut progress = Progress::of_terminal(began);
    let rows = tokio::select! {
        biased;
        rows = execution.rows(|scanned| progress.show(scanned)) => rows,
        Some(()) = interrupts.recv() => {
            execution.stop().await?;
            Err(Failure::interrupted("the query was cancelled"))
        }
    };
    progress.end(rows.as_ref().ok().map(|rows| rows.rows.len()));
    rows
}
