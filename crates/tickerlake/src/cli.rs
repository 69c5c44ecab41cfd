//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::query::{Days, Moment};

/// Stock quotes through Kafka into a lake that SQL can query.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole pipeline on this machine: the functions that deploy, wired from template.yaml.
    ///
    /// Quotes are fetched, produced to Kafka, written to the lake as Parquet and made visible to SQL.
    /// Everything lies in the data folder and survives a restart. Ctrl-C drains and stops; a second
    /// Ctrl-C stops at once.
    #[command(after_help = "Examples:
  tickerlake local                                        simulated quotes, once a second
  tickerlake local --symbols AAPL,BRK.B --every 5s
  tickerlake local --source replay --replay-file day.csv.gz --speed max --until-drained
  tickerlake local --for 30s --data /tmp/lake

A replay file is a CSV whose header names quote columns: symbol, event_time and price at least.
While it runs, AWS clients work against it: export AWS_ENDPOINT_URL as it prints, with the access
key and secret `local`. TICKERLAKE_LOG=info shows what the local parts log.")]
    Local(LocalArgs),
    /// Print what a provider says now, without Kafka and without a lake.
    ///
    /// The first thing to try with a new API key. The market's hours don't matter: outside of them a
    /// provider tells its last trade. Exits 1 if there was no quote at all.
    #[command(after_help = "Examples:
  QUOTE_API_KEY=... tickerlake fetch --source finnhub --symbols AAPL,BRK.B
  QUOTE_API_KEY=ID:SECRET QUOTE_FEED=iex tickerlake fetch --source alpaca --format json

The sources are alpaca, finnhub, massive, tiingo, twelvedata, yahoo and simulated; docs/providers.md
compares them and lists the variables of each.")]
    Fetch(FetchArgs),
    /// Ask the lake a question in SQL.
    ///
    /// Works while `tickerlake local` runs on the data folder and after it stopped, and on a deployed stack.
    /// Ctrl-C cancels a query on the server.
    #[command(after_help = "Examples:
  tickerlake query \"SELECT symbol, max(price) FROM quotes GROUP BY symbol\"
  tickerlake query --format csv \"SELECT * FROM quotes WHERE dt = '2013-10-07'\"
  tickerlake query --list
  tickerlake query --name latest-quotes
  tickerlake query --name bars --day 2013-10-07
  tickerlake query --name latest-quotes-as-of --as-of 2013-10-07T15:30:00Z
  tickerlake query --stack tickerlake \"SELECT count(*) FROM quotes\"

A named query looks at the last days by the clock; in a lake that has none of them, at its newest day. --day names others.
The same queries are among the saved queries of a deployed stack's work group.")]
    Query(QueryArgs),
    /// Prove that every Kafka offset is in the lake exactly once.
    ///
    /// Compares Kafka's own offsets, the Parquet rows and the quarantine. Exits 0 only if every offset
    /// is there exactly once; else it lists gaps and doubles and exits 1.
    Audit(AuditArgs),
    /// Show how each stage stands: fetch, Kafka, files, crawl, freshness, quarantine, dead letters.
    ///
    /// Works while `tickerlake local` runs on the data folder and after it stopped, and on a deployed stack. What cannot be
    /// known from here is called unknown, with where to look instead: it is never shown as none or 0.
    #[command(after_help = "Examples:
  tickerlake status                              the folder .tickerlake
  tickerlake status --format json | jq .kafka
  tickerlake status --stack tickerlake           asks S3, Glue, Athena and SQS; CloudWatch is not asked

What to read first: `newest file` and `freshness` are some seconds old in market hours. If they are older, the first
stage above them that is old, failed or behind says where quotes have stopped.")]
    Status(StatusArgs),
    /// Look at the records that are not quotes, and produce them again once they are mended.
    #[command(after_help = "Examples:
  tickerlake quarantine list
  tickerlake quarantine list --format json > poison.jsonl    one record a line, its value as text
  tickerlake quarantine replay poison.jsonl                  after the values were mended in that file")]
    Quarantine(QuarantineArgs),
}

#[derive(Debug, Args)]
pub(crate) struct QuarantineArgs {
    #[command(subcommand)]
    pub(crate) command: QuarantineCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// List the records in quarantine, with the reason why each is there
    List {
        #[command(flatten)]
        lake: LakeArgs,
        /// text for people; json has one record a line, for mending and for replay
        #[arg(long, value_enum, default_value_t = AuditFormat::Text)]
        format: AuditFormat,
    },
    /// Produce mended records to Kafka again
    ///
    /// Takes a file as `quarantine list --format json` prints it, with its values mended. A value that still is no quote
    /// is refused, and so is a record that was replayed before. Kafka must be reachable: `tickerlake local` is running,
    /// or KAFKA_BOOTSTRAP_SERVERS names it.
    Replay {
        #[command(flatten)]
        lake: LakeArgs,
        /// The mended records; - for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// Who is asked [default: $QUOTE_SOURCE, else alpaca]
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<String>,
    /// The symbols to fetch, comma-separated [default: $SYMBOLS, else some large ones]
    #[arg(long, value_name = "A,B")]
    pub(crate) symbols: Option<String>,
    /// How the quotes are printed; json has every column that the provider filled
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub(crate) format: TableFormat,
}

#[derive(Debug, Args)]
pub(crate) struct LocalArgs {
    /// Where quotes come from: simulated, replay, alpaca, finnhub, massive, tiingo, twelvedata or yahoo [default: $QUOTE_SOURCE, else simulated]
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<String>,
    /// The recorded quotes to replay, .csv or .csv.gz
    #[arg(long, value_name = "FILE")]
    pub(crate) replay_file: Option<PathBuf>,
    /// The symbols to fetch, comma-separated [default: $SYMBOLS, else the template's]
    #[arg(long, value_name = "A,B")]
    pub(crate) symbols: Option<String>,
    /// How often quotes are fetched
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1s")]
    pub(crate) every: Duration,
    /// How fast a replay goes: a factor such as 60x, or max
    #[arg(long, value_name = "SPEED", value_parser = speed, allow_hyphen_values = true, default_value = "max")]
    pub(crate) speed: String,
    /// The folder of everything that is kept
    #[arg(long, value_name = "DIR", default_value = ".tickerlake")]
    pub(crate) data: PathBuf,
    /// The Kafka cluster: embedded, real for Apache Kafka (needs Java and Maven), or the HOST:PORT of your own
    #[arg(long, value_name = "embedded|real|HOST:PORT", default_value = "embedded")]
    pub(crate) kafka: String,
    /// Keep the template's schedule, batch windows and delays instead of quick ones
    #[arg(long)]
    pub(crate) as_deployed: bool,
    /// Run for this long, then drain and stop
    #[arg(long = "for", value_name = "TIME", value_parser = duration, conflicts_with = "until_drained")]
    pub(crate) run_for: Option<Duration>,
    /// Run until the source is exhausted and every quote is queryable
    #[arg(long)]
    pub(crate) until_drained: bool,
    /// The port of the AWS endpoint on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 9470)]
    pub(crate) port: u16,
    /// The port of the embedded or real Kafka broker on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 9492)]
    pub(crate) kafka_port: u16,
    /// Another template than the one in this folder
    #[arg(long, value_name = "FILE")]
    pub(crate) template: Option<PathBuf>,
}

/// Which lake.
#[derive(Debug, Args)]
pub(crate) struct LakeArgs {
    /// The data folder of `tickerlake local`
    #[arg(long, value_name = "DIR", default_value = ".tickerlake", conflicts_with = "stack")]
    pub(crate) data: PathBuf,
    /// A deployed stack, with the AWS credentials and region of the environment
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
    /// How the rows are printed
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub(crate) format: TableFormat,
    /// A named query of the template instead of SQL; --list tells what there is
    #[arg(long, value_name = "NAMED_QUERY", conflicts_with = "sql")]
    pub(crate) name: Option<String>,
    /// The days that the named query looks at, New York's: 2026-11-20, or 2026-11-16..2026-11-20
    #[arg(long, value_name = "DAYS", conflicts_with_all = ["sql", "list"])]
    pub(crate) day: Option<Days>,
    /// The moment that latest-quotes-as-of looks back from: 2026-11-20T15:30:00Z
    #[arg(long, value_name = "TIME", conflicts_with_all = ["sql", "list"])]
    pub(crate) as_of: Option<Moment>,
    /// List the named queries and what they answer
    #[arg(long, conflicts_with_all = ["name", "sql"])]
    pub(crate) list: bool,
    /// The SQL; - reads it from standard input
    #[arg(value_name = "SQL", required_unless_present_any = ["name", "list"])]
    pub(crate) sql: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// Aligned columns
    Table,
    /// Comma-separated, with a header
    Csv,
    /// One JSON object a row, values as strings
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = AuditFormat::Text)]
    pub(crate) format: AuditFormat,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
    /// How the status is printed
    #[arg(long, value_enum, default_value_t = AuditFormat::Text)]
    pub(crate) format: AuditFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Reads `500ms`, `5s`, `2m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "not a time such as 500ms, 5s, 2m or 1h";
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| FORM)?;
    let millis = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    millis.filter(|millis| *millis > 0).map(Duration::from_millis).ok_or_else(|| FORM.to_owned())
}

/// Checks `60x` or `max`; the function that replays reads it.
fn speed(text: &str) -> Result<String, String> {
    let factor = || text.strip_suffix('x')?.parse().ok().filter(|factor: &f64| factor.is_finite() && *factor > 0.0);
    if text == "max" || factor().is_some() { Ok(text.to_owned()) } else { Err("not max, or a factor above 0 such as 60x".to_owned()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_read() {
        assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(duration("2m").unwrap(), Duration::from_secs(120));
        for text in ["", "5", "s", "0s", "1.5s", "-1s", "99999999999999999999s", "1d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn speeds_are_checked() {
        for text in ["max", "60x", "0.5x"] {
            assert_eq!(speed(text).unwrap(), text);
        }
        for text in ["", "x", "fast", "60", "0x", "-1x", "infx", "NaNx"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }
}
