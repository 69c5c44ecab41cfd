//! One query on Athena, from its start to its rows.

use std::time::Duration;

use aws_sdk_athena::types::{QueryExecutionContext, QueryExecutionState, StatementType};

use crate::failure::Failure;
use crate::lake::{Lake, aws};
use crate::rows::Rows;

/// The first wait before the state is asked for again; each wait is twice the one before, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(5);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A query that was started.
pub(crate) struct Execution<'l> {
    athena: &'l aws_sdk_athena::Client,
    id: String,
}

impl<'l> Execution<'l> {
    /// Starts SQL in the lake's work group and database.
    pub(crate) async fn start(lake: &'l Lake, sql: &str) -> Result<Self, Failure> {
        let athena = lake.athena();
        let context = QueryExecutionContext::builder().database(lake.database()).build();
        let started = athena.start_query_execution().query_string(sql).query_execution_context(context).work_group(lake.work_group());
        let started = started.send().await.map_err(|error| aws("the query was refused", &error))?;
        Ok(Self { athena, id: started.query_execution_id.unwrap_or_default() })
    }

    /// Waits for the end and reads all rows. `running` is told the bytes scanned so far each time the query still runs.
    pub(crate) async fn rows(&self, running: impl FnMut(u64)) -> Result<Rows, Failure> {
        let statement = self.finished(running).await?;
        let mut result = Rows::default();
        let mut pages = self.athena.get_query_results().query_execution_id(&self.id).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws("cannot read the query's rows", &error))?;
            let Some(set) = page.result_set else { continue };
            if result.columns.is_empty() {
                let columns = set.result_set_metadata.and_then(|metadata| metadata.column_info).unwrap_or_default();
                result.columns = columns.into_iter().map(|column| (column.name, column.r#type)).collect();
            }
            for row in set.rows.unwrap_or_default() {
                result.rows.push(row.data.unwrap_or_default().into_iter().map(|datum| datum.var_char_value).collect());
            }
        }
        // Athena puts the columns' names before the rows of a SELECT, not before those of a SHOW.
        if statement == Some(StatementType::Dml) && !result.rows.is_empty() {
            result.rows.remove(0);
        }
        Ok(result)
    }

    /// Cancels it on the server. What has ended already stays as it is.
    pub(crate) async fn stop(&self) -> Result<(), Failure> {
        let stopped = self.athena.stop_query_execution().query_execution_id(&self.id).send().await;
        stopped.map(drop).map_err(|error| aws(format_args!("cannot cancel the query {}", self.id), &error))
    }

    /// Waits for the query to end well.
    async fn finished(&self, mut running: impl FnMut(u64)) -> Result<Option<StatementType>, Failure> {
        let mut wait = FIRST_WAIT;
        loop {
            let found = self.athena.get_query_execution().query_execution_id(&self.id).send().await;
            let execution = found.map_err(|error| aws("cannot ask for the query", &error))?.query_execution;
            let status = execution.as_ref().and_then(|execution| execution.status.as_ref());
            let reason = || status.and_then(|status| status.state_change_reason.as_deref()).unwrap_or("no reason given");
            match status.and_then(|status| status.state.as_ref()) {
                Some(QueryExecutionState::Succeeded) => return Ok(execution.and_then(|execution| execution.statement_type)),
                Some(QueryExecutionState::Failed) => return Err(Failure::plain(format_args!("the query failed: {}", reason()))),
                Some(QueryExecutionState::Cancelled) => {
                    return Err(Failure::plain(format_args!("the query was cancelled: {}", reason())));
                }
                _ => {
                    let statistics = execution.as_ref().and_then(|execution| execution.statistics.as_ref());
                    let scanned = statistics.and_then(|statistics| statistics.data_scanned_in_bytes).unwrap_or(0);
                    running(u64::try_from(scanned).unwrap_or(0));
                    tokio::time::sleep(wait).await;
                }
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}
