//! One query from its slot in the queue to its end.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};

use futures::FutureExt as _;

use super::columns::ColumnInfo;
use super::failure::Failure;
use super::objects::Objects;
use super::running::{Finished, QueryRequest, Rows, Running};
use super::scan::{LimitExceeded, ScannedBytes};
use super::sql::Statement;
use super::{Inner, csv, partitions, select, show, write};
use crate::protocol::ApiError;

/// Waits for a slot, runs, records the end. Whatever happens inside, the execution ends.
pub(super) async fn run(
    service: Weak<Inner>,
    id: String,
    request: QueryRequest,
    statement: Result<Statement, Failure>,
    scanned: ScannedBytes,
) {
    let Some(service) = service.upgrade() else { return };
    let Ok(_slot) = Arc::clone(&service.slots).acquire_owned().await else { return };
    service.executions.began(&id);
    let running = Running { service: &service, id: &id, request: &request, scanned: &scanned };
    let outcome = match statement {
        Ok(statement) => AssertUnwindSafe(execute(&running, statement)).catch_unwind().await,
        Err(failure) => Ok(Err(failure)),
    };
    let outcome = match outcome {
        // The engine wraps the refusal of a read in errors of its own.
        Ok(Err(_)) if scanned.exceeded() => Err(Failure::ScanLimit(LimitExceeded)),
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::Plain("GENERIC_INTERNAL_ERROR: the query engine panicked".to_owned())),
    };
    if let Err(reason) = &outcome {
        tracing::debug!(id, %reason, "A query failed.");
    }
    service.executions.ended(&id, outcome);
}

async fn execute(running: &Running<'_>, statement: Statement) -> Result<Finished, Failure> {
    match statement {
        Statement::Query(ast) => select::run(running, *ast).await,
        Statement::Show(sql) => {
            let shown = running.service.glue.read(|catalog| show::answer(&sql, &running.request.database, catalog))?;
            text(running, shown.columns, shown.rows).await
        }
        Statement::Unload(unload) => write::unload(running, unload).await,
        Statement::CreateTableAs(create) => write::create_table_as(running, create).await,
        Statement::Insert(insert) => write::insert(running, insert).await,
        Statement::AddPartitions { table, if_not_exists, partitions } => {
            partitions::add(running, &table, if_not_exists, &partitions).await?;
            done(running).await
        }
        Statement::DropPartitions { table, if_exists, partitions } => {
            partitions::drop(running, &table, if_exists, &partitions).await?;
            done(running).await
        }
        Statement::Repair(table) => {
            let lines = partitions::repair(running, &table).await?;
            let rows = lines.into_iter().map(|line| vec![Some(line)]).collect();
            text(running, vec![ColumnInfo::text("result")], rows).await
        }
        Statement::DropTable { table, if_exists } => {
            partitions::drop_table(running, &table, if_exists).await?;
            done(running).await
        }
        Statement::Prepare { name, query } => {
            running.service.prepared.put(&running.request.work_group, &name, query, None).map_err(refused)?;
            done(running).await
        }
        Statement::Deallocate(name) => {
            running.service.prepared.remove(&running.request.work_group, &name).map_err(refused)?;
            done(running).await
        }
        Statement::Execute { name, .. } => Err(Failure::Refused(format!("the local engine does not execute {name} inside of EXECUTE"))),
        Statement::Elsewhere(what) => Err(Failure::Refused(format!("the local engine does not do {what}; Athena does"))),
    }
}

/// Ends with lines of text.
async fn text(running: &Running<'_>, columns: Vec<ColumnInfo>, rows: Vec<csv::Row>) -> Result<Finished, Failure> {
    let lines = rows.iter().map(|row| row.iter().map(|value| value.as_deref().unwrap_or_default()));
    let lines: Vec<String> = lines.map(|row| row.collect::<Vec<_>>().join("\t") + "\n").collect();
    let objects = Objects::new(running);
    objects.put_bytes(&running.request.kind.result_name(running.id), "text/plain", lines.concat().as_bytes()).await?;
    objects.put_metadata(&columns).await?;
    Ok(Finished { columns, rows: Rows::Memory(rows), written: 0, manifest: None })
}

/// What the API would refuse, as a statement.
fn refused(error: ApiError) -> Failure {
    Failure::Plain(error.message().to_owned())
}

/// Ends without a result.
async fn done(running: &Running<'_>) -> Result<Finished, Failure> {
    text(running, Vec::new(), Vec::new()).await
}
