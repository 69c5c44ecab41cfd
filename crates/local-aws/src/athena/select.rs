//! A query's rows as CSV in S3.

use arrow::array::RecordBatch;
use datafusion::physical_plan::execute_stream;
use datafusion::sql::sqlparser::ast::Statement as Ast;
use futures::StreamExt as _;
use tokio::io::{AsyncWriteExt as _, BufWriter};

use super::columns::ColumnInfo;
use super::csv;
use super::failure::Failure;
use super::objects::Objects;
use super::running::{Finished, Rows, Running};
use super::text::Column;

/// Runs a query to its end.
pub(super) async fn run(running: &Running<'_>, ast: Ast) -> Result<Finished, Failure> {
    let (state, plan) = running.plan(ast).await?;
    let columns: Vec<ColumnInfo> = plan.schema().fields().iter().map(|field| ColumnInfo::of(field)).collect();
    let mut batches = execute_stream(plan, state.task_ctx())?;

    let objects = Objects::new(running);
    let part = objects.part("");
    // Made here and now: a file that another thread makes could come after the query was cancelled and stay.
    let mut file = BufWriter::new(tokio::fs::File::from_std(std::fs::File::create(part.path())?));
    let mut text = String::new();
    csv::write_row(&mut text, columns.iter().map(|column| Some(column.name.as_str())));
    file.write_all(text.as_bytes()).await?;
    while let Some(batch) = batches.next().await {
        file.write_all(rows_of(&batch?)?.as_bytes()).await?;
    }
    file.flush().await?;
    drop(file);
    let key = objects.put_result(&running.request.kind.result_name(running.id), "text/csv", part.path()).await?;
    objects.put_metadata(&columns).await?;
    Ok(Finished { columns, rows: Rows::Object(key), written: 0, manifest: None })
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
