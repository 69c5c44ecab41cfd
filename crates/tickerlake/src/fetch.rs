//! `tickerlake fetch`: what a provider says now.
//!
//! The function's own binary asks, so that what is seen here is what a deployment gets.

use std::process::{Output, Stdio};

use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::process::Command;

use crate::cli::{FetchArgs, TableFormat};
use crate::failure::Failure;
use crate::rows::{self, Rows};

/// The columns of a table: what fits on a screen.
const COLUMNS: [(&str, &str); 12] = [
    ("symbol", "varchar"),
    ("price", "decimal"),
    ("currency", "varchar"),
    ("event_time", "varchar"),
    ("bid", "decimal"),
    ("ask", "decimal"),
    ("day_date", "varchar"),
    ("day_volume", "decimal"),
    ("previous_close", "decimal"),
    ("bar_start", "varchar"),
    ("bar_close", "decimal"),
    ("feed", "varchar"),
];

/// One symbol without a quote.
#[derive(Deserialize)]
struct Miss {
    symbol: Option<String>,
    kind: Option<String>,
    reason: String,
}

/// Runs the subcommand.
pub(crate) async fn run(args: FetchArgs) -> Result<(), Failure> {
    let source = args.source.or_else(|| std::env::var("QUOTE_SOURCE").ok().filter(|source| !source.is_empty()));
    let source = source.unwrap_or_else(|| "alpaca".to_owned());
    if source == "replay" {
        return Err(Failure::usage("a replay has no quotes of now: use `tickerlake local --source replay`"));
    }
    let output = ask(&source, args.symbols.as_deref()).await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, told) = (text(&output.stdout), text(&output.stderr));
    let quotes: Vec<Map<String, Value>> = stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    match args.format {
        _ if quotes.is_empty() => {}
        // The form that goes into Kafka, a quote a line.
        TableFormat::Json => stdout.lines().for_each(|line| println!("{line}")),
        format => rows::print(&table(&quotes, format), format)?,
    }
    for line in told.lines().filter(|_| !quotes.is_empty()) {
        eprintln!("tickerlake: {}", said(line));
    }
    match told.lines().next() {
        Some(line) if quotes.is_empty() => Err(Failure::plain(format_args!("{source}: {}", said(line)))),
        None if quotes.is_empty() => Err(Failure::plain(format_args!("{source} has no quote"))),
        _ => Ok(()),
    }
}

/// Has the function print. Its hours and its second of the minute are not waited for.
async fn ask(source: &str, symbols: Option<&str>) -> Result<Output, Failure> {
    let this = std::env::current_exe().map_err(|error| Failure::new("cannot tell where this program lies", error))?;
    let binary = this.with_file_name("fetch-quotes");
    let mut command = Command::new(&binary);
    command.arg("print").env("QUOTE_SOURCE", source).env("MARKET_HOURS", "always").env("POLL_AT", ":00").stdin(Stdio::null());
    if let Some(symbols) = symbols {
        command.env("SYMBOLS", symbols).env_remove("SYMBOLS_S3_URI");
    }
    let failed = |error| Failure::new(format_args!("cannot run {}: build all with `cargo build --workspace`", binary.display()), error);
    command.output().await.map_err(failed)
}

/// A miss in words; a setting that is wrong comes as the function's own words.
fn said(line: &str) -> String {
    match serde_json::from_str(line) {
        Ok(Miss { symbol, kind, reason }) => {
            [symbol, kind.map(|kind| kind.replace('_', " ")), Some(reason)].into_iter().flatten().collect::<Vec<_>>().join(": ")
        }
        // `main` returned its error, which Rust prints in its Debug form.
        Err(_) => line.trim_start_matches("Error: ").trim_matches('"').replace("\\\"", "\""),
    }
}

/// Quotes as rows: on a screen what fits, else every column that any of them has.
fn table(quotes: &[Map<String, Value>], format: TableFormat) -> Rows {
    let mut columns: Vec<(String, String)> = COLUMNS.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect();
    if !matches!(format, TableFormat::Table) {
        let known = |columns: &[(String, String)], name: &str| columns.iter().any(|(column, _)| column == name);
        for (name, value) in quotes.iter().flatten() {
            if !known(&columns, name) {
                let kind = if value.is_number() { "bigint" } else { "varchar" };
                columns.push((name.clone(), kind.to_owned()));
            }
        }
    }
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let row = |quote: &Map<String, Value>| columns.iter().map(|(name, _)| quote.get(name).map(cell)).collect();
    let rows = quotes.iter().map(row).collect();
    Rows { columns, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_are_told_in_words() {
        assert_eq!(said(r#"{"symbol":"FB","kind":"unknown_symbol","reason":"nobody knows it"}"#), "FB: unknown symbol: nobody knows it");
        assert_eq!(said(r#"{"reason":"no API key"}"#), "no API key");
        assert_eq!(said(r#"Error: "MARKET_HOURS is \"x\": allowed is always""#), r#"MARKET_HOURS is "x": allowed is always"#);
    }

    #[test]
    fn a_table_has_what_fits_and_csv_has_all() {
        let quote: Map<_, _> =
            [("symbol", "AAPL"), ("price", "1.5"), ("source", "finnhub")].map(|(k, v)| (k.to_owned(), v.into())).into_iter().collect();
        let rows = table(std::slice::from_ref(&quote), TableFormat::Table);
        assert_eq!(rows.columns.len(), COLUMNS.len());
        assert_eq!(rows.rows[0][..3], [Some("AAPL".to_owned()), Some("1.5".to_owned()), None]);
        assert!(table(&[quote], TableFormat::Csv).columns.iter().any(|(name, _)| name == "source"));
    }
}
