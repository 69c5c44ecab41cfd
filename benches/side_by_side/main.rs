//! write-quotes beside a Python function that does the same job, on the same events and against the same local S3.
//!
//! What is timed runs in processes of its own: the function as it deploys (release), `decode` (release), Python. The
//! stand-ins for Lambda and S3 run in this process, in the profile that it was built with; both sides wait for them alike.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod decoding;
mod invoking;
mod table;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use benches::event::{self, Fields, LARGEST};
use clap::Parser;

use crate::decoding::Decoder;
use crate::invoking::StandIns;
use crate::table::Table;

/// Measures write-quotes beside a Python function.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder of the release binaries write-quotes and decode
    #[arg(long, value_name = "DIR")]
    binaries: PathBuf,
    /// A Python that has benches/requirements.txt
    #[arg(long, value_name = "FILE")]
    python: PathBuf,
    /// How often each thing is timed: the shortest time counts without S3, the median with it
    #[arg(long, value_name = "N", default_value_t = 21)]
    times: usize,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// Whatever ends a run is shown and no more.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(table) => {
            println!("{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<Table> {
    let folder = tempfile::tempdir()?;
    let mut table = Table::default();
    decode_all(arguments, folder.path(), &mut table)?;
    invoke_all(arguments, folder.path(), &mut table).await?;
    Ok(table)
}

/// From the event's bytes to the Parquet file's, without S3.
fn decode_all(arguments: &Arguments, folder: &Path, table: &mut Table) -> Result<()> {
    let decoder = Decoder::new(arguments, folder);
    let largest = decoder.compare("largest", &event::of_size(LARGEST, Fields::All, FIRST_OFFSET))?;
    let hundred = decoder.compare("hundred", &event::of(100, Fields::All, FIRST_OFFSET))?;
    let short = decoder.compare_short("short", &event::of(10_000, Fields::Few, FIRST_OFFSET))?;

    table.section(&format!("From the event to a Parquet file: every column, {} full quotes in 6 MB", largest.rust.records));
    table.milliseconds("largest event", largest.rust.decode_ms, largest.python.decode_ms);
    table.milliseconds("100 records", hundred.rust.decode_ms, hundred.python.decode_ms);
    table.microseconds("each record of the largest event", largest.rust.each_us(), largest.python.each_us());
    table.microseconds("each record of 100", hundred.rust.each_us(), hundred.python.each_us());
    table.bytes("file of the largest event", largest.rust.bytes, largest.python.bytes);
    table.milliseconds("10,000 short records (Python: 7 columns)", short.rust.decode_ms, short.python.decode_ms);

    let floor = largest.rust.floor;
    table.section("What the largest event costs anyone who uses serde_json and zstd");
    table.alone("the event's JSON", floor.event_ms, "ms");
    table.alone("base64", floor.base64_ms, "ms");
    table.alone("the quotes' JSON", floor.parse_ms, "ms");
    table.alone("zstd", floor.zstd_ms, "ms");
    table.alone("together: the floor", floor.sum(), "ms");
    table.alone("write-quotes, times its floor", largest.rust.decode_ms / floor.sum(), "×");
    Ok(())
}

/// Through the Runtime API, to S3 and back.
async fn invoke_all(arguments: &Arguments, folder: &Path, table: &mut Table) -> Result<()> {
    let stand_ins = StandIns::start(arguments, folder).await?;
    let cold = stand_ins.cold_starts(arguments.times).await?;
    let largest = stand_ins.invocations(arguments.times, |first| event::of_size(LARGEST, Fields::All, first)).await?;
    let hundred = stand_ins.invocations(arguments.times, |first| event::of(100, Fields::All, first)).await?;
    stand_ins.stop().await;

    let profile = if cfg!(debug_assertions) { "not optimised" } else { "optimised" };
    table.section(&format!("A whole invocation; the Lambda and S3 of this machine are {profile}"));
    table.milliseconds("largest event, warm (3 requests to S3; Python: 1)", largest.rust.warm_ms, largest.python.warm_ms);
    table.milliseconds("  of which the function's own processor time", largest.rust.processor_ms, largest.python.processor_ms);
    table.milliseconds("100 records, warm (3 requests to S3; Python: 1)", hundred.rust.warm_ms, hundred.python.warm_ms);
    table.milliseconds("cold start: from the process's start to its first /next", cold.rust, cold.python);
    table.megabytes("peak memory after the largest events", largest.rust.peak_bytes, largest.python.peak_bytes);
    table.megabytes("peak memory after events of 100 records", hundred.rust.peak_bytes, hundred.python.peak_bytes);
    Ok(())
}

/// Offsets of ten digits: events of any run have the same size.
const FIRST_OFFSET: i64 = 1_000_000_000;
