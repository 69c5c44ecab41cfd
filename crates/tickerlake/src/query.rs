//! `tickerlake query`: SQL over the lake.

mod table;

use std::io::Write;

use crate::cli::{QueryArgs, TableFormat};
use crate::failure::Failure;
use crate::lake::{Rows, Visit};

/// Runs the query and prints its rows.
pub(crate) async fn run(args: QueryArgs) -> Result<(), Failure> {
    let visit = Visit::open(&args.lake).await?;
    let rows = match (&args.name, &args.sql) {
        (Some(name), _) => match visit.lake.named_query(name).await {
            Ok(sql) => visit.lake.query(&sql).await,
            Err(failure) => Err(failure),
        },
        (None, Some(sql)) => visit.lake.query(sql).await,
        (None, None) => Err(Failure::usage("there is neither SQL nor --name")),
    };
    visit.close().await;
    print(&rows?, args.format)
}

/// Prints rows. A reader that closes the pipe early, as `head` does, has seen what it wanted.
pub(crate) fn print(rows: &Rows, format: TableFormat) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let printed = table::write(&mut out, rows, format).and_then(|()| out.flush());
    match printed {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new("cannot print the rows", error)),
        _ => Ok(()),
    }
}
