//! Prepared statements: kept by work group and name, in one file beside the results under way.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::kept::Kept;
use super::{Athena, AthenaError, INVALID_REQUEST, failure, sql};
use crate::protocol::{ApiError, ApiResult, Input, now, page};

/// The longest name.
const MAX_NAME: usize = 256;

/// By work group, then by name.
type ByWorkGroup = BTreeMap<String, BTreeMap<String, Prepared>>;

/// A statement.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Prepared {
    query: String,
    description: Option<String>,
    modified: f64,
}

/// All prepared statements.
#[derive(Debug)]
pub(super) struct PreparedStatements(Kept<ByWorkGroup>);

impl PreparedStatements {
    /// What was kept last in the folder.
    pub(super) fn open(folder: &Path) -> Result<Self, AthenaError> {
        Kept::open(folder, "prepared-statements.json", "prepared statements").map(Self)
    }

    /// A statement's text.
    pub(super) fn find(&self, work_group: &str, name: &str) -> Option<String> {
        self.0.lock().get(work_group)?.get(name).map(|prepared| prepared.query.clone())
    }

    /// Keeps a statement that there is none of yet.
    pub(super) fn put(&self, work_group: &str, name: &str, query: String, description: Option<String>) -> Result<(), ApiError> {
        let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '@' | ':');
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) || name.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(invalid(format!("StatementName {name:?} is not a name of up to {MAX_NAME} letters, digits, _, @ and :.")));
        }
        self.0.change(|kept| {
            let of_group = kept.entry(work_group.to_owned()).or_default();
            if of_group.contains_key(name) {
                return Err(invalid(format!("PreparedStatement {name} already exists in workGroup {work_group}")));
            }
            of_group.insert(name.to_owned(), Prepared { query, description, modified: now() });
            Ok(())
        })
    }

    /// Forgets a statement.
    pub(super) fn remove(&self, work_group: &str, name: &str) -> Result<(), ApiError> {
        self.0.change(|kept| {
            let removed = kept.get_mut(work_group).and_then(|of_group| of_group.remove(name));
            removed.map(|_| ()).ok_or_else(|| not_found(work_group, name))
        })
    }
}

impl Athena {
    pub(super) fn create_prepared_statement(&self, input: &Input) -> ApiResult {
        let (work_group, name) = self.prepared_name(input)?;
        let (query, description) = statement(input)?;
        self.inner.prepared.put(work_group, name, query, description)?;
        Ok(json!({}))
    }

    pub(super) fn update_prepared_statement(&self, input: &Input) -> ApiResult {
        let (work_group, name) = self.prepared_name(input)?;
        let (query, description) = statement(input)?;
        self.inner.prepared.0.change(|kept| {
            let prepared = kept.get_mut(work_group).and_then(|of_group| of_group.get_mut(name));
            let prepared = prepared.ok_or_else(|| not_found(work_group, name))?;
            *prepared = Prepared { query, description, modified: now() };
            Ok(json!({}))
        })
    }

    pub(super) fn delete_prepared_statement(&self, input: &Input) -> ApiResult {
        let (work_group, name) = self.prepared_name(input)?;
        self.inner.prepared.remove(work_group, name)?;
        Ok(json!({}))
    }

    pub(super) fn get_prepared_statement(&self, input: &Input) -> ApiResult {
        let (work_group, name) = self.prepared_name(input)?;
        let kept = self.inner.prepared.0.lock();
        let prepared = kept.get(work_group).and_then(|of_group| of_group.get(name)).ok_or_else(|| not_found(work_group, name))?;
        Ok(json!({ "PreparedStatement": prepared.to_api(work_group, name) }))
    }

    pub(super) fn batch_get_prepared_statement(&self, input: &Input) -> ApiResult {
        let work_group = &self.work_group(input.string("WorkGroup")?)?.name;
        let kept = self.inner.prepared.0.lock();
        let (mut found, mut missing): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
        for name in input.strings("PreparedStatementNames")? {
            match kept.get(work_group).and_then(|of_group| of_group.get(&name)) {
                Some(prepared) => found.push(prepared.to_api(work_group, &name)),
                None => missing.push(json!({ "StatementName": name, "ErrorCode": "STATEMENT_NOT_FOUND", "ErrorMessage": "not found" })),
            }
        }
        Ok(json!({ "PreparedStatements": found, "UnprocessedPreparedStatementNames": missing }))
    }

    pub(super) fn list_prepared_statements(&self, input: &Input) -> ApiResult {
        let work_group = &self.work_group(input.string("WorkGroup")?)?.name;
        let kept = self.inner.prepared.0.lock();
        let of_group = kept.get(work_group).into_iter().flatten();
        let listed: Vec<Value> =
            of_group.map(|(name, prepared)| json!({ "StatementName": name, "LastModifiedTime": prepared.modified })).collect();
        let (listed, token) = page(&listed, input, 50)?;
        Ok(json!({ "PreparedStatements": listed, "NextToken": token }))
    }

    fn prepared_name<'a>(&'a self, input: &'a Input) -> Result<(&'a str, &'a str), ApiError> {
        Ok((&self.work_group(input.string("WorkGroup")?)?.name, input.string("StatementName")?))
    }
}

impl Prepared {
    fn to_api(&self, work_group: &str, name: &str) -> Value {
        json!({
            "StatementName": name,
            "QueryStatement": self.query,
            "WorkGroupName": work_group,
            "Description": self.description,
            "LastModifiedTime": self.modified,
        })
    }
}

/// The SQL and the description of a request. What is no SQL is refused before it is kept.
fn statement(input: &Input) -> Result<(String, Option<String>), ApiError> {
    let query = input.string("QueryStatement")?;
    sql::parse(query).map_err(|error| input.invalid(failure::refusal(&error)))?;
    Ok((query.to_owned(), input.optional_string("Description")?.map(str::to_owned)))
}

fn invalid(message: String) -> ApiError {
    ApiError::new(INVALID_REQUEST, message)
}

fn not_found(work_group: &str, name: &str) -> ApiError {
    ApiError::new("ResourceNotFoundException", format!("PreparedStatement {name} was not found in workGroup {work_group}"))
}
