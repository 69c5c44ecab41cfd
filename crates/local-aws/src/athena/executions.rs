//! Query executions: their states, and the operations that ask for them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::columns::ColumnInfo;
use super::query::{Finished, QueryRequest};
use super::workgroups::engine_version;
use super::{Athena, CATALOG, INVALID_REQUEST};
use crate::protocol::{ApiError, ApiResult, Input, now, page};
use crate::s3::S3Location;

/// The longest query that Athena takes, in bytes.
const MAX_QUERY: usize = 262_144;

/// How many finished executions are remembered; their results stay in S3.
const REMEMBERED: usize = 2_000;

/// The database of a request that names none.
const DEFAULT_DATABASE: &str = "default";

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

    fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// One execution.
#[derive(Debug)]
pub(super) struct Execution {
    request: QueryRequest,
    work_group: String,
    pub(super) state: State,
    pub(super) reason: Option<String>,
    submitted: f64,
    began: Option<f64>,
    completed: Option<f64>,
    /// Present once it succeeded.
    pub(super) finished: Option<Finished>,
    scanned_bytes: u64,
    task: Option<AbortHandle>,
}

/// All executions since the start.
#[derive(Debug, Default)]
pub(super) struct Executions {
    table: Mutex<Executed>,
}

#[derive(Debug, Default)]
struct Executed {
    by_id: HashMap<String, Execution>,
    /// Oldest first.
    order: VecDeque<String>,
    /// ClientRequestToken to execution.
    tokens: BTreeMap<String, String>,
}

impl Executions {
    fn lock(&self) -> MutexGuard<'_, Executed> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at one execution.
    pub(super) fn with<T>(&self, id: &str, look: impl FnOnce(&Execution) -> T) -> Result<T, ApiError> {
        self.lock().by_id.get(id).map(look).ok_or_else(|| not_found(id))
    }

    /// The queue is behind it.
    pub(super) fn began(&self, id: &str) {
        if let Some(execution) = self.lock().by_id.get_mut(id).filter(|execution| !execution.state.is_final()) {
            execution.state = State::Running;
            execution.began = Some(now());
        }
    }

    /// Ended by itself. A cancelled execution stays cancelled.
    pub(super) fn ended(&self, id: &str, scanned_bytes: u64, outcome: Result<Finished, String>) {
        let mut executed = self.lock();
        let Some(execution) = executed.by_id.get_mut(id).filter(|execution| !execution.state.is_final()) else { return };
        execution.scanned_bytes = scanned_bytes;
        execution.completed = Some(now());
        match outcome {
            Ok(finished) => {
                execution.state = State::Succeeded;
                execution.finished = Some(finished);
            }
            Err(reason) => {
                execution.state = State::Failed;
                execution.reason = Some(reason);
            }
        }
    }

    /// Cancels everything that has not ended.
    pub(super) fn cancel_all(&self) {
        self.lock().by_id.values_mut().for_each(Execution::cancel);
    }
}

impl Executed {
    fn insert(&mut self, id: String, token: Option<String>, execution: Execution) {
        if let Some(token) = token {
            self.tokens.insert(token, id.clone());
        }
        self.by_id.insert(id.clone(), execution);
        self.order.push_back(id);
        while self.order.len() > REMEMBERED {
            let oldest = self.order.front().and_then(|id| self.by_id.get(id));
            if oldest.is_some_and(|execution| !execution.state.is_final()) {
                break;
            }
            if let Some(id) = self.order.pop_front() {
                self.by_id.remove(&id);
                self.tokens.retain(|_, named| *named != id);
            }
        }
    }
}

impl Execution {
    fn cancel(&mut self) {
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

    fn to_api(&self, id: &str) -> Value {
        let (queued_until, completed) = (self.began.or(self.completed), self.completed.unwrap_or_else(now));
        let millis = |from: f64, to: f64| ((to - from).max(0.0) * 1000.0).round() as u64;
        let mut status = json!({ "State": self.state.name(), "SubmissionDateTime": self.submitted });
        if let Value::Object(status) = &mut status {
            if let Some(completed) = self.completed {
                status.insert("CompletionDateTime".to_owned(), json!(completed));
            }
            if let Some(reason) = &self.reason {
                status.insert("StateChangeReason".to_owned(), json!(reason));
                if self.state == State::Failed {
                    let error = json!({ "ErrorCategory": 2, "ErrorType": 1006, "Retryable": false, "ErrorMessage": reason });
                    status.insert("AthenaError".to_owned(), error);
                }
            }
        }
        let kind = self.request.kind;
        json!({
            "QueryExecutionId": id,
            "Query": self.request.sql,
            "StatementType": kind.statement_type(),
            "SubstatementType": kind.substatement_type(),
            "ResultConfiguration": { "OutputLocation": self.request.output_location(id) },
            "QueryExecutionContext": { "Database": self.request.database, "Catalog": CATALOG },
            "Status": status,
            "Statistics": {
                "EngineExecutionTimeInMillis": self.began.map_or(0, |began| millis(began, completed)),
                "DataScannedInBytes": self.scanned_bytes,
                "TotalExecutionTimeInMillis": millis(self.submitted, completed),
                "QueryQueueTimeInMillis": millis(self.submitted, queued_until.unwrap_or(completed)),
                "ServiceProcessingTimeInMillis": 0,
            },
            "WorkGroup": self.work_group,
            "EngineVersion": engine_version(),
        })
    }
}

impl Athena {
    pub(super) fn start_query_execution(&self, input: &Input) -> ApiResult {
        let sql = input.string("QueryString")?;
        if sql.len() > MAX_QUERY {
            return Err(input.invalid(format!("The query is longer than {MAX_QUERY} bytes.")));
        }
        if sql.trim().is_empty() {
            return Err(input.invalid("The query is empty.".to_owned()));
        }
        if !input.array("ExecutionParameters")?.is_empty() {
            input.refuse("ExecutionParameters")?;
        }
        let (work_group, output) = self.output(input)?;
        let request = QueryRequest::new(sql.to_owned(), database(input)?, output);
        let token = input.optional_string("ClientRequestToken")?.map(str::to_owned);

        let mut executed = self.inner.executions.lock();
        if let Some(id) = token.as_ref().and_then(|token| executed.tokens.get(token)) {
            return match executed.by_id.get(id) {
                Some(execution) if execution.request.sql == sql => Ok(json!({ "QueryExecutionId": id })),
                _ => Err(input.invalid("Idempotent parameters do not match".to_owned())),
            };
        }
        let id = Uuid::new_v4().to_string();
        let mut execution = Execution::new(request.clone(), work_group);
        if let Some(threads) = &self.inner.threads {
            // Holds no handle: a service that is dropped takes its queries along.
            let task = super::query::run(std::sync::Arc::downgrade(&self.inner), id.clone(), request);
            execution.task = Some(threads.spawn(task).abort_handle());
        }
        executed.insert(id.clone(), token, execution);
        Ok(json!({ "QueryExecutionId": id }))
    }

    pub(super) fn get_query_execution(&self, input: &Input) -> ApiResult {
        let id = input.string("QueryExecutionId")?;
        self.inner.executions.with(id, |execution| json!({ "QueryExecution": execution.to_api(id) }))
    }

    pub(super) fn batch_get_query_execution(&self, input: &Input) -> ApiResult {
        let executed = self.inner.executions.lock();
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for id in input.strings("QueryExecutionIds")? {
            match executed.by_id.get(&id) {
                Some(execution) => found.push(execution.to_api(&id)),
                None => missing.push(json!({ "QueryExecutionId": id, "ErrorCode": "404", "ErrorMessage": "not found" })),
            }
        }
        Ok(json!({ "QueryExecutions": found, "UnprocessedQueryExecutionIds": missing }))
    }

    pub(super) fn list_query_executions(&self, input: &Input) -> ApiResult {
        let work_group = input.optional_string("WorkGroup")?.unwrap_or("primary");
        self.work_group(work_group)?;
        let executed = self.inner.executions.lock();
        let of_group = |id: &&String| executed.by_id.get(*id).is_some_and(|execution| execution.work_group == work_group);
        let ids: Vec<&String> = executed.order.iter().rev().filter(of_group).collect();
        let (ids, token) = page(&ids, input, 50)?;
        Ok(json!({ "QueryExecutionIds": ids, "NextToken": token }))
    }

    pub(super) fn stop_query_execution(&self, input: &Input) -> ApiResult {
        let id = input.string("QueryExecutionId")?;
        let mut executed = self.inner.executions.lock();
        executed.by_id.get_mut(id).ok_or_else(|| not_found(id))?.cancel();
        Ok(json!({}))
    }
}

impl Execution {
    fn new(request: QueryRequest, work_group: String) -> Self {
        Self {
            request,
            work_group,
            state: State::Queued,
            reason: None,
            submitted: now(),
            began: None,
            completed: None,
            finished: None,
            scanned_bytes: 0,
            task: None,
        }
    }

    /// Where its result lies.
    pub(super) fn output(&self) -> &S3Location {
        &self.request.output
    }
}

/// The database of the request's context.
fn database(input: &Input) -> Result<String, ApiError> {
    let Some(_) = input.get("QueryExecutionContext") else { return Ok(DEFAULT_DATABASE.to_owned()) };
    let context = input.object("QueryExecutionContext")?;
    if let Some(catalog) = context.optional_string("Catalog")?.filter(|catalog| !catalog.eq_ignore_ascii_case(CATALOG)) {
        return Err(input.invalid(format!("Catalog {catalog} is not found.")));
    }
    Ok(context.optional_string("Database")?.unwrap_or(DEFAULT_DATABASE).to_lowercase())
}

fn not_found(id: &str) -> ApiError {
    ApiError::new(INVALID_REQUEST, format!("QueryExecution {id} was not found"))
}
