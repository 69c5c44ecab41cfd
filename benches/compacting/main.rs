//! compact-day on a day of many small files, and what queries over that day take before and after.
//!
//! The function is the one that deploys (release). The stand-ins for Lambda, S3, Glue and Athena run in this process, in the
//! profile that it was built with: the times of queries are theirs, the bytes are those that any engine has to read.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod asking;
mod lake;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use benches::figures::{median, millis};
use clap::Parser;

use crate::asking::Asked;
use crate::lake::Lake;

/// Measures compact-day, and queries before and after it.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder of the release binary compact-day
    #[arg(long, value_name = "DIR")]
    binaries: PathBuf,
    /// How often each query is timed: the median counts; 0 leaves the queries out
    #[arg(long, value_name = "N", default_value_t = 21)]
    times: usize,
    /// Rows of the day: as many as four symbols have in a session, recorded by the second
    #[arg(long, value_name = "N", default_value_t = 38_000)]
    rows: usize,
    /// Rows in a file: what a batch window of 30 seconds brings of one partition
    #[arg(long, value_name = "N", default_value_t = 25)]
    rows_in_a_file: usize,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// Whatever ends a run is shown and no more.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The queries as they ship, and a look at one symbol, which is where sorting shows.
const QUERIES: [(&str, &str); 3] = [
    ("latest-quotes", include_str!("../../queries/latest-quotes.sql")),
    ("bars", include_str!("../../queries/bars.sql")),
    (
        "one symbol's prices",
        "SELECT event_time, price FROM quotes WHERE dt >= CAST(current_date AS varchar) AND symbol = 'GPDB' ORDER BY 1",
    ),
];

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = Lake::start(folder.path()).await?;
    lake.write(arguments.rows, arguments.rows_in_a_file).await?;
    let (files_before, bytes_before) = lake.files().await?;
    let before = ask_all(&lake, arguments.times).await?;
    let compacted = lake.compact(arguments).await?;
    let (files_after, bytes_after) = lake.files().await?;
    let after = ask_all(&lake, arguments.times).await?;
    lake.stop().await;

    let profile = if cfg!(debug_assertions) { "not optimised" } else { "optimised" };
    println!("\nA day of {} full quotes of 500 symbols; the stand-ins of this machine are {profile}\n", arguments.rows);
    println!("| {:<58} | {:>10} | {:>10} | {:>8} |", "", "before", "after", "ratio");
    println!("|:{:-<58}-|-{:->10}:|-{:->10}:|-{:->8}:|", "", "", "", "");
    row("files", files_before as f64, files_after as f64, "");
    row("bytes in them", bytes_before as f64 / 1e3, bytes_after as f64 / 1e3, " kB");
    for ((name, _), (before, after)) in QUERIES.iter().zip(before.iter().zip(&after)) {
        if before.rows != after.rows {
            return Err(format!("{name} gives other rows after compaction").into());
        }
        row(&format!("{name}: bytes scanned"), before.scanned as f64 / 1e3, after.scanned as f64 / 1e3, " kB");
        row(&format!("{name}: StartQueryExecution to results"), before.millis, after.millis, " ms");
    }
    println!("\ncompact-day: {:.0} ms, peak memory {:.1} MB", millis(compacted.duration), compacted.peak as f64 / 1e6);
    Ok(())
}

async fn ask_all(lake: &Lake, times: usize) -> Result<Vec<Asked>> {
    let mut all = Vec::new();
    for (name, sql) in QUERIES.into_iter().filter(|_| times > 0) {
        // The days that the query ships with become the one that there is.
        let (head, rest) = sql.split_once("dt >= CAST(").ok_or(name)?;
        let (_, tail) = rest.split_once("AS varchar)").ok_or(name)?;
        let sql = format!("{head}dt = '{}'{tail}", lake::DAY);
        let mut asked = lake.ask(&sql).await?;
        let mut timed = Vec::new();
        for _ in 0..times {
            timed.push(lake.ask(&sql).await?.millis);
        }
        asked.millis = median(timed);
        all.push(asked);
    }
    Ok(all)
}

fn row(name: &str, before: f64, after: f64, unit: &str) {
    let shown = |value: f64| if value < 100.0 && !unit.is_empty() { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") };
    println!("| {name:<58} | {:>10} | {:>10} | {:>7.1}× |", shown(before), shown(after), before / after);
}
