//! `tickerlake query`: SQL over the lake.

use crate::cli::QueryArgs;
use crate::failure::Failure;
use crate::lake::Visit;
use crate::rows;

/// Runs the query and prints its rows.
pub(crate) async fn run(args: QueryArgs) -> Result<(), Failure> {
    let visit = Visit::open(&args.lake).await?;
    let answer = match (&args.name, &args.sql) {
        (Some(name), _) => match visit.lake.named_query(name).await {
            Ok(sql) => visit.lake.query(&sql).await,
            Err(failure) => Err(failure),
        },
        (None, Some(sql)) => visit.lake.query(sql).await,
        (None, None) => Err(Failure::usage("there is neither SQL nor --name")),
    };
    visit.close().await;
    rows::print(&answer?, args.format)
}
