//! Trino's functions that DataFusion lacks, or has with another meaning.

mod approx_percentile;
mod at_timezone;
mod date_add;
mod date_diff;
mod date_format;
pub(super) mod divide;
mod extreme_by;
mod from_unixtime;
mod instants;
mod scalar;
mod to_unixtime;
mod unit;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::AggregateUDF;

/// Adds them to a session, in the place of those of the same name.
pub(super) fn register(state: &mut SessionState) -> Result<()> {
    for function in [
        at_timezone::function(),
        date_add::function(),
        date_diff::function(),
        date_format::function(),
        from_unixtime::function(),
        to_unixtime::function(),
    ] {
        state.register_udf(Arc::new(function))?;
    }
    for function in [
        AggregateUDF::from(approx_percentile::ApproxPercentile::default()),
        AggregateUDF::from(extreme_by::ExtremeBy::max_by()),
        AggregateUDF::from(extreme_by::ExtremeBy::min_by()),
    ] {
        state.register_udaf(Arc::new(function))?;
    }
    Ok(())
}
