//! fetch-quotes beside nothing but the wait for its provider: 500 symbols of one that answers after 20 ms, fetched and
//! acknowledged by Kafka.
//!
//! The function is the one that deploys (release), in processes of its own. The stand-ins for Lambda, Kafka and the provider run
//! in this process, in the profile that it was built with.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod provider;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use benches::figures::{median, millis, processor_ms, shown};
use clap::Parser;
use local_aws::broker::{Broker, Topic};
use local_aws::lambda::{Function, FunctionConfig, Invocation, Lambda, LambdaConfig, Outcome, Start};
use serde::Deserialize;

use crate::provider::{Provider, Seen};

/// Measures fetch-quotes.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder of the release binary fetch-quotes
    #[arg(long, value_name = "DIR")]
    binaries: PathBuf,
    /// How often each thing is timed: the median counts
    #[arg(long, value_name = "N", default_value_t = 21)]
    times: usize,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// Whatever ends a run is shown and no more.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const SYMBOLS: usize = 500;

/// What a provider takes to answer.
const LATENCY: Duration = Duration::from_millis(20);

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
    let stack = Stack::start(arguments, folder.path()).await?;
    let mut cold = Series::default();
    for number in 0..arguments.times {
        let function = stack.function(&format!("cold-{number}"))?;
        cold.add(stack.invoke(&function, Start::Cold).await?);
        function.stop().await;
    }
    let function = stack.function("warm")?;
    let mut warm = Series::default();
    stack.invoke(&function, Start::Cold).await?;
    let before = processor(&function)?;
    for _ in 0..arguments.times {
        warm.add(stack.invoke(&function, Start::Warm).await?);
    }
    let processor_ms = (processor(&function)? - before) / arguments.times as f64;
    function.stop().await;
    stack.stop().await;
    print(&cold, &warm, processor_ms);
    Ok(())
}

fn processor(function: &Function) -> Result<f64> {
    Ok(processor_ms(function.processes().first().copied().ok_or("the process has ended")?)?)
}

/// Lambda, Kafka and a provider of this machine.
struct Stack {
    lambda: Lambda,
    broker: Broker,
    provider: Provider,
    program: PathBuf,
    symbols: String,
}

impl Stack {
    async fn start(arguments: &Arguments, folder: &Path) -> Result<Self> {
        let symbols: Vec<_> = (0..SYMBOLS).map(|number| format!("S{number:03}")).collect();
        let topic = Topic { name: "quotes".to_owned(), partitions: 3 };
        Ok(Self {
            lambda: Lambda::start(LambdaConfig { port: 0, logs: folder.join("logs") }).await?,
            broker: Broker::start(&folder.join("kafka"), 0, &[topic]).await?,
            provider: Provider::start(&symbols, LATENCY).await?,
            program: arguments.binaries.join("fetch-quotes").canonicalize()?,
            symbols: symbols.join(","),
        })
    }

    fn function(&self, name: &str) -> Result<Function> {
        let environment: BTreeMap<_, _> = [
            ("QUOTE_SOURCE", "alpaca"),
            ("QUOTE_API_URL", &self.provider.url()),
            ("QUOTE_API_KEY", "ID:SECRET"),
            ("QUOTE_RATE_LIMIT", "1000000/1m"),
            ("SYMBOLS", &self.symbols),
            ("MARKET_HOURS", "always"),
            ("POLL_AT", ":00"),
            ("KAFKA_BOOTSTRAP_SERVERS", &self.broker.bootstrap_servers()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        Ok(self.lambda.add(FunctionConfig {
            arn: format!("arn:aws:lambda:us-east-1:000000000000:function:{name}"),
            name: name.to_owned(),
            binary: self.program.clone(),
            environment,
            timeout: Duration::from_secs(55),
            memory_mb: 256,
            concurrency: 1,
            observer: None,
        })?)
    }

    /// One invocation, which must store a quote of each symbol.
    async fn invoke(&self, function: &Function, expected: Start) -> Result<(Invocation, Seen)> {
        #[derive(Deserialize)]
        struct Answer {
            produced: usize,
        }
        self.provider.take_seen();
        let invocation = function.invoke("{}".into()).await?;
        let seen = self.provider.take_seen();
        let Outcome::Success(answer) = &invocation.outcome else {
            return Err(format!("fetch-quotes failed: {:?}", invocation.outcome.error()).into());
        };
        let Answer { produced } = serde_json::from_slice(answer)?;
        if produced != SYMBOLS || invocation.start != expected {
            return Err(format!("{produced} of {SYMBOLS} quotes are stored, {:?}", invocation.start).into());
        }
        Ok((invocation, seen))
    }

    async fn stop(self) {
        self.lambda.stop().await;
        self.broker.stop().await;
    }
}

/// Invocations of the same kind, in milliseconds.
#[derive(Debug, Default)]
struct Series {
    starting: Vec<f64>,
    all: Vec<f64>,
    provider: Vec<f64>,
    overhead: Vec<f64>,
    requests: u32,
    connections: u32,
    peak_bytes: u64,
}

impl Series {
    fn add(&mut self, (invocation, seen): (Invocation, Seen)) {
        let (all, provider) = (millis(invocation.duration), millis(seen.answering));
        self.starting.extend(invocation.init_duration.map(millis));
        self.all.push(all);
        self.provider.push(provider);
        self.overhead.push(all - provider);
        self.requests += seen.requests;
        self.connections += seen.connections;
        self.peak_bytes = self.peak_bytes.max(invocation.peak_memory.unwrap_or_default());
    }

    /// How many of something an invocation took.
    fn each(&self, count: u32) -> String {
        format!("{:.1}", f64::from(count) / self.all.len() as f64)
    }
}

/// Markdown, so that it can stand in the documentation as it was printed.
fn print(cold: &Series, warm: &Series, processor_ms: f64) {
    let profile = if cfg!(debug_assertions) { "not optimised" } else { "optimised" };
    println!(
        "\n{SYMBOLS} symbols of a provider that answers after {LATENCY:?}; the Lambda, Kafka and provider of this machine are {profile}\n"
    );
    let row = |name: &str, cold: String, warm: String| println!("| {name:<58} | {cold:>8} | {warm:>8} |");
    let figure = |figures: &[f64]| shown(median(figures.to_vec()), "ms");
    let megabytes = |bytes: u64| shown(bytes as f64 / 1e6, "MB");
    row("fetch-quotes", "cold".to_owned(), "warm".to_owned());
    println!("|:{:-<58}-|-{:->8}:|-{:->8}:|", "", "", "");
    row("from the process's start to its first /next", figure(&cold.starting), String::new());
    row("from the event to the answer: fetched and acknowledged", figure(&cold.all), figure(&warm.all));
    row("  from the first request's arrival to the last answer", figure(&cold.provider), figure(&warm.provider));
    row("  the overhead over that", figure(&cold.overhead), figure(&warm.overhead));
    row("the function's own processor time", String::new(), shown(processor_ms, "ms"));
    row("requests to the provider", cold.each(cold.requests), warm.each(warm.requests));
    row("connections that it accepted", cold.each(cold.connections), warm.each(warm.connections));
    row("peak memory", megabytes(cold.peak_bytes), megabytes(warm.peak_bytes));
}
