//! One query in Athena, from its start to its last row.

use std::time::Duration;

use aws_sdk_athena::Client;
use aws_sdk_athena::types::{QueryExecution, QueryExecutionContext, QueryExecutionState};
use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep, timeout_at};

use crate::error::Error;

/// The most rows that Athena gives in a page, the header's among them.
const PAGE: i32 = 1000;

/// How soon the query is looked at again: at first, and at the most.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LATER_LOOKS: Duration = Duration::from_secs(1);

/// A workgroup and a database to ask.
#[derive(Debug)]
pub(crate) struct Athena {
    client: Client,
    workgroup: String,
    database: String,
}

/// What a query came to.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The query's execution id.
    pub(crate) query: String,
    /// When Athena took the query: its rows are at least as new as that.
    pub(crate) asked_at: Option<DateTime<Utc>>,
    /// What it read, in bytes.
    pub(crate) bytes_scanned: u64,
    /// The rows, without the columns' names. Each cell is a text or null.
    pub(crate) rows: Vec<Vec<Option<String>>>,
}

impl Athena {
    pub(crate) fn new(client: Client, workgroup: String, database: String) -> Self {
        Self { client, workgroup, database }
    }

    /// Runs `sql`, or finds the query that ran under the same token, and reads all its rows. At `deadline` a query that
    /// still runs is stopped, so that it does not scan for nobody.
    pub(crate) async fn ask(&self, sql: &str, token: &str, deadline: Instant) -> Result<Answer, Error> {
        let query = self.start(sql, token).await?;
        let mut state = QueryExecutionState::Queued;
        let ended = match timeout_at(deadline, self.ended(&query, &mut state)).await {
            Ok(ended) => ended,
            Err(_) => {
                let stopped = self.stop(&query).await;
                return Err(Error::TimedOut { query, state: state.as_str().to_owned(), stopped });
            }
        };
        let execution = match ended {
            Ok(execution) => execution,
            Err(error) => {
                // Nobody will read its rows.
                self.stop(&query).await;
                return Err(error);
            }
        };
        succeeded(&query, &execution)?;
        let rows = timeout_at(deadline, self.rows(&query)).await;
        let rows = rows.map_err(|_| Error::OutOfTime { what: format!("reading the rows of query {query}") })??;
        let scanned = execution.statistics.as_ref().and_then(|statistics| statistics.data_scanned_in_bytes);
        let submitted = execution.status.as_ref().and_then(|status| status.submission_date_time);
        Ok(Answer {
            query,
            asked_at: submitted.and_then(|time| DateTime::from_timestamp_millis(time.to_millis().ok()?)),
            bytes_scanned: scanned.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
            rows,
        })
    }

    async fn start(&self, sql: &str, token: &str) -> Result<String, Error> {
        let context = QueryExecutionContext::builder().database(&self.database).build();
        let request = self.client.start_query_execution().query_string(sql).query_execution_context(context);
        let started = request.work_group(&self.workgroup).client_request_token(token).send().await;
        let started = started.map_err(|error| Error::call("StartQueryExecution", format!("workgroup {}", self.workgroup), error))?;
        Ok(started.query_execution_id.unwrap_or_default())
    }

    /// Waits until the query has ended, however it did. A query that was RUNNING may be QUEUED again.
    async fn ended(&self, query: &str, last_known: &mut QueryExecutionState) -> Result<QueryExecution, Error> {
        let mut wait = FIRST_LOOK;
        loop {
            match self.client.get_query_execution().query_execution_id(query).send().await {
                Ok(found) => {
                    let execution = found.query_execution.unwrap_or_else(|| QueryExecution::builder().build());
                    let state = execution.status.as_ref().and_then(|status| status.state.clone());
                    match state.unwrap_or(QueryExecutionState::Queued) {
                        state @ (QueryExecutionState::Queued | QueryExecutionState::Running) => *last_known = state,
                        _ => return Ok(execution),
                    }
                }
                Err(error) => {
                    let error = Error::call("GetQueryExecution", query, error);
                    // The query goes on, whether it can be looked at or not.
                    if !error.is_retryable() {
                        return Err(error);
                    }
                    tracing::warn!(query, error = %error.chain(), "The query could not be looked at; it is looked at again.");
                }
            }
            sleep(wait).await;
            wait = (wait * 2).min(LATER_LOOKS);
        }
    }

    async fn rows(&self, query: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        let mut rows = Vec::new();
        let mut pages = self.client.get_query_results().query_execution_id(query).into_paginator().page_size(PAGE).send();
        let mut header = true;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::call("GetQueryResults", query, error))?;
            let found = page.result_set.and_then(|set| set.rows).unwrap_or_default().into_iter();
            // The first row of the first page has the columns' names.
            let found = found.skip(usize::from(header));
            rows.extend(found.map(|row| row.data.unwrap_or_default().into_iter().map(|datum| datum.var_char_value).collect()));
            header = false;
        }
        Ok(rows)
    }

    /// Asks Athena to stop the query; whether it took that.
    async fn stop(&self, query: &str) -> bool {
        match self.client.stop_query_execution().query_execution_id(query).send().await {
            Ok(_) => true,
            Err(error) => {
                let error = Error::call("StopQueryExecution", query, error);
                tracing::error!(query, error = %error.chain(), "The query could not be stopped.");
                false
            }
        }
    }
}

/// Whether a query that ended did so well; if not, Athena's reason.
fn succeeded(query: &str, execution: &QueryExecution) -> Result<(), Error> {
    let query = query.to_owned();
    let status = execution.status.as_ref();
    let reason = || status.and_then(|status| status.state_change_reason.clone()).unwrap_or_else(|| "no reason given".to_owned());
    match status.and_then(|status| status.state.as_ref()) {
        Some(QueryExecutionState::Succeeded) => Ok(()),
        Some(QueryExecutionState::Cancelled) => Err(Error::Cancelled { query, reason: reason() }),
        Some(QueryExecutionState::Failed) => {
            let error = status.and_then(|status| status.athena_error.as_ref());
            Err(Error::Failed { query, reason: reason(), retryable: error.is_some_and(|error| error.retryable) })
        }
        other => Err(Error::Unreadable { query, reason: format!("its state is {other:?}") }),
    }
}
