//! One query, from StartQueryExecution to its results.

use std::time::{Duration, Instant};

use aws_sdk_athena::types::{QueryExecutionContext, QueryExecutionState, ResultConfiguration};
use benches::figures::millis;

use crate::Result;
use crate::lake::{BUCKET, DATABASE, Lake};

/// What a query gave, and what it took.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The rows of all pages, as texts.
    pub(crate) rows: Vec<Vec<Option<String>>>,
    /// Bytes that it read.
    pub(crate) scanned: i64,
    /// Milliseconds until the last page of its results was there.
    pub(crate) millis: f64,
}

impl Lake {
    /// Runs SQL and fetches all of its rows.
    pub(crate) async fn ask(&self, sql: &str) -> Result<Asked> {
        let began = Instant::now();
        let context = QueryExecutionContext::builder().database(DATABASE).build();
        let results = ResultConfiguration::builder().output_location(format!("s3://{BUCKET}/results/")).build();
        let start = self.athena.start_query_execution().query_string(sql).query_execution_context(context).result_configuration(results);
        let id = start.send().await?.query_execution_id.ok_or("a query without an id")?;
        let scanned = loop {
            let execution =
                self.athena.get_query_execution().query_execution_id(&id).send().await?.query_execution.ok_or("no execution")?;
            let status = execution.status.ok_or("no status")?;
            match status.state {
                Some(QueryExecutionState::Succeeded) => break execution.statistics.and_then(|all| all.data_scanned_in_bytes).unwrap_or(0),
                Some(QueryExecutionState::Queued | QueryExecutionState::Running) => tokio::time::sleep(Duration::from_millis(1)).await,
                _ => return Err(status.state_change_reason.unwrap_or_default().into()),
            }
        };
        let mut rows = Vec::new();
        let mut pages = self.athena.get_query_results().query_execution_id(&id).into_paginator().send();
        while let Some(page) = pages.next().await {
            for row in page?.result_set.and_then(|set| set.rows).unwrap_or_default() {
                rows.push(row.data.unwrap_or_default().into_iter().map(|datum| datum.var_char_value).collect());
            }
        }
        Ok(Asked { rows, scanned, millis: millis(began.elapsed()) })
    }
}
