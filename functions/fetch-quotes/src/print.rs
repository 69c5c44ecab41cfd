//! What the source says now, printed: for `tickerlake fetch`, which needs no Kafka.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::aws::Aws;
use crate::config::Config;
use crate::error::{StartError, chain};
use crate::source::Invocation;
use crate::sources;
use crate::summary::Failure;
use crate::symbols::SymbolList;

/// The only argument of the function's binary: without it, it serves invocations.
pub(crate) const ARGUMENT: &str = "print";

/// As long as Lambda gives it.
const TIME: Duration = Duration::from_secs(55);

/// Asks the source once. A line of JSON on the standard output for each quote, on the standard
/// error for each failure; whether there was a quote.
pub(crate) async fn run() -> Result<bool, StartError> {
    let mut config = Config::without_kafka()?;
    let aws = Arc::new(Aws::default());
    SymbolList::of(&mut config, aws.clone()).await?;
    let mut source = sources::build(&config, aws)?;
    let fetched = source.fetch(&Invocation::new(TIME)).await;
    let (rows, failures): (Vec<_>, &[Failure]) = match &fetched {
        Ok(batch) => (batch.rows.iter().collect(), &batch.failures),
        Err(error) => (Vec::new(), error.failures()),
    };
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    // Where nobody reads, there is nobody to tell.
    for row in &rows {
        let _ = serde_json::to_writer(&mut out, &row.quote).map(|()| writeln!(out));
    }
    for failure in failures {
        let _ = serde_json::to_writer(&mut err, failure).map(|()| writeln!(err));
    }
    if let Err(error) = &fetched
        && failures.is_empty()
    {
        let _ = writeln!(err, "{}", serde_json::json!({"reason": chain(error)}));
    }
    Ok(!rows.is_empty())
}
