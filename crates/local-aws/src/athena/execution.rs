//! One query execution: its state, and how the API shows it.

use serde_json::{Value, json};
use tokio::task::AbortHandle;

use super::CATALOG;
use super::columns::ColumnInfo;
use super::failure::Failure;
use super::running::{Finished, QueryRequest};
use super::scan::ScannedBytes;
use super::workgroups::engine_version;
use crate::protocol::now;

/// Athena's states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// One execution.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) request: QueryRequest,
    pub(super) state: State,
    pub(super) reason: Option<String>,
    submitted: f64,
    began: Option<f64>,
    completed: Option<f64>,
    /// Present once it succeeded.
    pub(super) finished: Option<Finished>,
    scanned: ScannedBytes,
    task: Option<AbortHandle>,
}

impl Execution {
    pub(super) fn new(request: QueryRequest, scanned: ScannedBytes, task: Option<AbortHandle>) -> Self {
        Self { request, state: State::Queued, reason: None, submitted: now(), began: None, completed: None, finished: None, scanned, task }
    }

    pub(super) fn begin(&mut self) {
        self.state = State::Running;
        self.began = Some(now());
    }

    /// Ended by itself.
    pub(super) fn end(&mut self, outcome: Result<Finished, Failure>) {
        self.completed = Some(now());
        match outcome {
            Ok(finished) => {
                self.state = State::Succeeded;
                self.finished = Some(finished);
            }
            Err(failure) => {
                self.state = if matches!(failure, Failure::ScanLimit(_)) { State::Cancelled } else { State::Failed };
                self.reason = Some(failure.to_string());
            }
        }
    }

    pub(super) fn cancel(&mut self) {
        if !self.state.is_final() {
            self.state = State::Cancelled;
            self.reason = Some("Query cancelled by user".to_owned());
            self.completed = Some(now());
            if let Some(task) = &self.task {
                task.abort();
            }
        }
    }

    /// The columns of a result that can be fetched.
    pub(super) fn columns(&self) -> &[ColumnInfo] {
        self.finished.as_ref().map_or(&[], |finished| &finished.columns)
    }

    pub(super) fn to_api(&self, id: &str) -> Value {
        let QueryRequest { sql, parameters, database, output, work_group, kind } = &self.request;
        let mut execution = json!({
            "QueryExecutionId": id,
            "Query": sql,
            "StatementType": kind.statement_type,
            "SubstatementType": kind.substatement_type,
            "ResultConfiguration": { "OutputLocation": format!("{output}{}", kind.result_name(id)) },
            "ResultReuseConfiguration": { "ResultReuseByAgeConfiguration": { "Enabled": false } },
            "QueryExecutionContext": { "Database": database, "Catalog": CATALOG },
            "Status": self.status(),
            "Statistics": self.statistics(),
            "WorkGroup": work_group,
            "EngineVersion": engine_version(),
        });
        if !parameters.is_empty() {
            execution["ExecutionParameters"] = json!(parameters);
        }
        execution
    }

    fn status(&self) -> Value {
        let mut status = json!({ "State": self.state.name(), "SubmissionDateTime": self.submitted });
        if let Some(completed) = self.completed {
            status["CompletionDateTime"] = json!(completed);
        }
        if let Some(reason) = &self.reason {
            status["StateChangeReason"] = json!(reason);
            if self.state == State::Failed {
                // 1: the system's fault. 2: the query's.
                let category = if reason.starts_with("GENERIC_INTERNAL_ERROR") { 1 } else { 2 };
                status["AthenaError"] = json!({ "ErrorCategory": category, "ErrorType": 1006, "Retryable": false, "ErrorMessage": reason });
            }
        }
        status
    }

    fn statistics(&self) -> Value {
        let completed = self.completed.unwrap_or_else(now);
        let queued_until = self.began.unwrap_or(completed);
        let millis = |from: f64, to: f64| ((to - from).max(0.0) * 1000.0).round() as u64;
        let mut statistics = json!({
            "EngineExecutionTimeInMillis": self.began.map_or(0, |began| millis(began, completed)),
            "DataScannedInBytes": self.scanned.get(),
            "TotalExecutionTimeInMillis": millis(self.submitted, completed),
            "QueryQueueTimeInMillis": millis(self.submitted, queued_until),
            "ServicePreProcessingTimeInMillis": 0,
            "ServiceProcessingTimeInMillis": 0,
            "ResultReuseInformation": { "ReusedPreviousResult": false },
        });
        if let Some(manifest) = self.finished.as_ref().and_then(|finished| finished.manifest.as_ref()) {
            statistics["DataManifestLocation"] = json!(manifest);
        }
        statistics
    }
}
