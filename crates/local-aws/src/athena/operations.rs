//! The operations on query executions.

use serde_json::{Value, json};
use uuid::Uuid;

use super::execution::Execution;
use super::executions::Started;
use super::failure::{self, Failure};
use super::query;
use super::running::QueryRequest;
use super::scan::ScannedBytes;
use super::sql::{self, Kind, Statement};
use super::{Athena, CATALOG};
use crate::protocol::{ApiError, ApiResult, Input, page};

/// The longest query that Athena takes, in bytes.
const MAX_QUERY: usize = 262_144;

/// The database of a request that names none.
const DEFAULT_DATABASE: &str = "default";

/// The most executions that one request may ask for.
const MAX_BATCH: usize = 50;

impl Athena {
    pub(super) fn start_query_execution(&self, input: &Input) -> ApiResult {
        let sql = input.string("QueryString")?;
        if sql.len() > MAX_QUERY {
            return Err(input.invalid(format!("The query is longer than {MAX_QUERY} bytes.")));
        }
        if sql.trim().is_empty() {
            return Err(input.invalid("The query is empty.".to_owned()));
        }
        let (work_group, output) = self.output(input)?;
        let parameters = input.strings("ExecutionParameters")?;
        // What is no SQL starts no execution.
        let statement = sql::parse(sql).map_err(|error| input.invalid(failure::refusal(&error)))?;
        let statement = self.bound(&work_group.name, statement, &parameters, input)?;
        let request = QueryRequest {
            sql: sql.to_owned(),
            parameters,
            database: database(input)?,
            output,
            work_group: work_group.name.clone(),
            kind: statement.as_ref().map_or_else(|(kind, _)| *kind, Kind::of),
        };
        let token = input.optional_string("ClientRequestToken")?.map(str::to_owned);
        let scanned = ScannedBytes::up_to(work_group.bytes_scanned_cutoff);
        let id = Uuid::new_v4().to_string();
        let execution = || {
            // Holds no handle: a service that is dropped takes its queries along.
            let service = std::sync::Arc::downgrade(&self.inner);
            let statement = statement.map_err(|(_, failure)| failure);
            let task = query::run(service, id.clone(), request.clone(), statement, scanned.clone());
            let task = self.inner.threads.as_ref().map(|threads| threads.spawn(task).abort_handle());
            Execution::new(request.clone(), scanned.clone(), task)
        };
        match self.inner.executions.start(id.clone(), token, &request, execution) {
            Started::Now(id) | Started::Before(id) => Ok(json!({ "QueryExecutionId": id })),
            Started::ByAnother => Err(input.invalid("Idempotent parameters do not match".to_owned())),
        }
    }

    /// The statement with its parameters' values; EXECUTE becomes the prepared one. Values that do not fit make an
    /// execution that fails.
    fn bound(
        &self,
        work_group: &str,
        statement: Statement,
        parameters: &[String],
        input: &Input,
    ) -> Result<Result<Statement, (Kind, Failure)>, ApiError> {
        let given = parameters.iter().map(|text| sql::expression(text)).collect::<Result<Vec<_>, _>>();
        let (statement, values) = match statement {
            Statement::Execute { name, using } => {
                let prepared = self.inner.prepared.find(work_group, &name);
                let prepared =
                    prepared.ok_or_else(|| input.invalid(format!("PreparedStatement {name} was not found in workGroup {work_group}")))?;
                let statement = sql::parse(&prepared).map_err(|error| input.invalid(failure::refusal(&error)))?;
                (statement, if using.is_empty() { given } else { Ok(using) })
            }
            statement => (statement, given),
        };
        let kind = Kind::of(&statement);
        Ok(match values {
            Ok(values) => statement.bind(&values).map_err(|error| (kind, Failure::from(error))),
            Err(error) => Err((kind, Failure::from(error))),
        })
    }

    pub(super) fn get_query_execution(&self, input: &Input) -> ApiResult {
        let id = input.string("QueryExecutionId")?;
        self.inner.executions.with(id, |execution| json!({ "QueryExecution": execution.to_api(id) }))
    }

    pub(super) fn batch_get_query_execution(&self, input: &Input) -> ApiResult {
        let ids = input.strings("QueryExecutionIds")?;
        if ids.is_empty() || ids.len() > MAX_BATCH {
            return Err(input.invalid(format!("QueryExecutionIds must hold from 1 to {MAX_BATCH} ids.")));
        }
        let (mut found, mut missing): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
        for id in ids {
            match self.inner.executions.with(&id, |execution| execution.to_api(&id)) {
                Ok(execution) => found.push(execution),
                Err(error) => {
                    missing.push(json!({ "QueryExecutionId": id, "ErrorCode": "INVALID_REQUEST", "ErrorMessage": error.message() }));
                }
            }
        }
        Ok(json!({ "QueryExecutions": found, "UnprocessedQueryExecutionIds": missing }))
    }

    pub(super) fn list_query_executions(&self, input: &Input) -> ApiResult {
        let work_group = &self.work_group_of(input)?.name;
        let ids = self.inner.executions.ids_of(work_group);
        let (ids, token) = page(&ids, input, 50)?;
        Ok(json!({ "QueryExecutionIds": ids, "NextToken": token }))
    }

    pub(super) fn stop_query_execution(&self, input: &Input) -> ApiResult {
        self.inner.executions.cancel(input.string("QueryExecutionId")?)?;
        Ok(json!({}))
    }
}

/// The database of the request's context. Hive's quotes around it are no part of the name.
fn database(input: &Input) -> Result<String, ApiError> {
    let Some(_) = input.get("QueryExecutionContext") else { return Ok(DEFAULT_DATABASE.to_owned()) };
    let context = input.object("QueryExecutionContext")?;
    if let Some(catalog) = context.optional_string("Catalog")?.filter(|catalog| !catalog.eq_ignore_ascii_case(CATALOG)) {
        return Err(input.invalid(format!("Catalog {catalog} is not found.")));
    }
    Ok(context.optional_string("Database")?.unwrap_or(DEFAULT_DATABASE).trim_matches('`').to_lowercase())
}
