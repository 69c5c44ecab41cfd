//! One query from its slot in the queue to its result in S3.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use arrow::array::RecordBatch;
use datafusion::physical_plan::execute_stream;
use futures::{FutureExt as _, StreamExt as _};
use tokio::io::{AsyncWriteExt as _, BufWriter};

use super::catalog::{LakeCatalog, ScannedBytes};
use super::columns::ColumnInfo;
use super::failure::Failure;
use super::text::Column;
use super::{Inner, csv, show, statement};
use crate::s3::S3Location;

/// What a statement is, by its first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its result is a CSV file with a header.
    Select,
    /// Its result is a few lines of text.
    Show,
}

impl Kind {
    fn of(sql: &str) -> Self {
        let first = sql.split_whitespace().next().unwrap_or_default().to_lowercase();
        if matches!(first.as_str(), "show" | "describe" | "desc") { Self::Show } else { Self::Select }
    }

    /// Athena's StatementType.
    pub(super) fn statement_type(self) -> &'static str {
        match self {
            Self::Select => "DML",
            Self::Show => "UTILITY",
        }
    }

    /// Athena's SubstatementType.
    pub(super) fn substatement_type(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Show => "SHOW",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Select => "csv",
            Self::Show => "txt",
        }
    }
}

/// What StartQueryExecution asked for.
#[derive(Debug, Clone)]
pub(super) struct QueryRequest {
    pub(super) sql: String,
    pub(super) database: String,
    /// The folder for the result.
    pub(super) output: S3Location,
    pub(super) kind: Kind,
}

impl QueryRequest {
    pub(super) fn new(sql: String, database: String, output: S3Location) -> Self {
        let kind = Kind::of(&sql);
        Self { sql, database, output, kind }
    }

    /// The result's address.
    pub(super) fn output_location(&self, id: &str) -> String {
        format!("{}{}", self.output, self.file_name(id))
    }

    fn file_name(&self, id: &str) -> String {
        format!("{id}.{}", self.kind.extension())
    }
}

/// A result that can be fetched.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) columns: Vec<ColumnInfo>,
    pub(super) rows: Rows,
}

/// Where the rows are.
#[derive(Debug)]
pub(super) enum Rows {
    /// In S3, under this key, in Athena's CSV with a header.
    Object(String),
    /// Here.
    Memory(Vec<csv::Row>),
}

/// Waits for a slot, runs, records the end. Whatever happens inside, the execution ends.
pub(super) async fn run(service: Weak<Inner>, id: String, request: QueryRequest) {
    let Some(service) = service.upgrade() else { return };
    let Ok(_slot) = Arc::clone(&service.slots).acquire_owned().await else { return };
    service.executions.began(&id);
    let scanned = ScannedBytes::default();
    let outcome = AssertUnwindSafe(execute(&service, &id, &request, &scanned)).catch_unwind().await;
    let outcome = match outcome {
        Ok(outcome) => outcome.map_err(|failure| failure.to_string()),
        Err(_) => Err("GENERIC_INTERNAL_ERROR: the query engine panicked".to_owned()),
    };
    if let Err(reason) = &outcome {
        tracing::debug!(id, reason, "A query failed.");
    }
    service.executions.ended(&id, scanned.get(), outcome);
}

async fn execute(service: &Inner, id: &str, request: &QueryRequest, scanned: &ScannedBytes) -> Result<Finished, Failure> {
    let shown = service.glue.read(|catalog| show::answer(&request.sql, &request.database, catalog));
    match shown {
        Some(shown) => {
            let shown = shown?;
            let lines = shown.rows.iter().map(|row| row.iter().map(|value| value.as_deref().unwrap_or_default()));
            let lines: Vec<String> = lines.map(|row| row.collect::<Vec<_>>().join("\t") + "\n").collect();
            store(service, id, request, "text/plain", lines.concat()).await?;
            Ok(Finished { columns: shown.columns, rows: Rows::Memory(shown.rows) })
        }
        None => select(service, id, request, scanned).await,
    }
}

async fn select(service: &Inner, id: &str, request: &QueryRequest, scanned: &ScannedBytes) -> Result<Finished, Failure> {
    let catalog = LakeCatalog::new(service.glue.clone(), service.store.root().to_owned(), scanned.clone());
    let state = service.engine.session(Arc::new(catalog), &request.database)?;
    let plan = statement::plan(&state, &request.sql).await?;
    let plan = state.create_physical_plan(&plan).await?;
    let columns: Vec<ColumnInfo> = plan.schema().fields().iter().map(|field| ColumnInfo::of(field)).collect();
    let mut batches = execute_stream(plan, state.task_ctx())?;

    let path = service.folder.join(format!("{id}.part"));
    let part = PartFile(path.clone());
    // Made here and now: a file that another thread makes could come after the query was cancelled and stay.
    let mut file = BufWriter::new(tokio::fs::File::from_std(std::fs::File::create(&path)?));
    let mut text = String::new();
    csv::write_row(&mut text, columns.iter().map(|column| Some(column.name.as_str())));
    file.write_all(text.as_bytes()).await?;
    while let Some(batch) = batches.next().await {
        file.write_all(rows_of(&batch?)?.as_bytes()).await?;
    }
    file.flush().await?;
    drop(file);
    let key = put(service, id, request, "text/csv", &path).await?;
    drop(part);
    Ok(Finished { columns, rows: Rows::Object(key) })
}

/// A batch as CSV.
fn rows_of(batch: &RecordBatch) -> Result<String, Failure> {
    let columns = batch.columns().iter().map(Column::new).collect::<Result<Vec<_>, _>>()?;
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        let values = columns.iter().map(|column| column.value(row)).collect::<Result<Vec<_>, _>>()?;
        csv::write_row(&mut text, values.iter().map(Option::as_deref));
    }
    Ok(text)
}

async fn store(service: &Inner, id: &str, request: &QueryRequest, content_type: &str, content: String) -> Result<(), Failure> {
    let path = service.folder.join(format!("{id}.part"));
    let _part = PartFile(path.clone());
    std::fs::write(&path, content)?;
    put(service, id, request, content_type, &path).await?;
    Ok(())
}

/// Makes a finished file the result's object; answers its key.
async fn put(service: &Inner, id: &str, request: &QueryRequest, content_type: &str, file: &std::path::Path) -> Result<String, Failure> {
    let key = request.output.key(&request.file_name(id));
    service
        .store
        .put_file(request.output.bucket(), &key, content_type, file)
        .await
        .map_err(|source| Failure::Store { location: request.output.to_string(), source })?;
    Ok(key)
}

/// A file that is gone when the query has ended, cancelled or not.
struct PartFile(PathBuf);

impl Drop for PartFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::debug!(%error, path = %self.0.display(), "A result's file was left behind.");
        }
    }
}
