//! The queries that ship with the template.

use serde_json::{Value, json};
use uuid::Uuid;

use super::Athena;
use crate::protocol::{ApiError, ApiResult, Input, page};

/// A saved query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedQuery {
    /// Its name, by which people ask for it.
    pub name: String,
    /// What it answers.
    pub description: Option<String>,
    /// The database that it is run in.
    pub database: String,
    /// SQL.
    pub query: String,
    /// The work group that it belongs to.
    pub work_group: String,
}

impl NamedQuery {
    /// The same name has the same id at every start.
    fn id(&self) -> String {
        Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{}/{}", self.work_group, self.name).as_bytes()).to_string()
    }

    fn to_api(&self) -> Value {
        json!({
            "NamedQueryId": self.id(),
            "Name": self.name,
            "Description": self.description,
            "Database": self.database,
            "QueryString": self.query,
            "WorkGroup": self.work_group,
        })
    }
}

impl Athena {
    pub(super) fn get_named_query(&self, input: &Input) -> ApiResult {
        let id = input.string("NamedQueryId")?;
        let found = self.named_query(id);
        let found = found.ok_or_else(|| ApiError::new(super::INVALID_REQUEST, format!("NamedQuery {id} was not found.")))?;
        Ok(json!({ "NamedQuery": found.to_api() }))
    }

    pub(super) fn list_named_queries(&self, input: &Input) -> ApiResult {
        let work_group = input.optional_string("WorkGroup")?;
        let ids: Vec<String> = self
            .inner
            .named_queries
            .iter()
            .filter(|query| work_group.is_none_or(|name| name == query.work_group))
            .map(NamedQuery::id)
            .collect();
        let (ids, token) = page(&ids, input, 50)?;
        Ok(json!({ "NamedQueryIds": ids, "NextToken": token }))
    }

    pub(super) fn batch_get_named_query(&self, input: &Input) -> ApiResult {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for id in input.strings("NamedQueryIds")? {
            match self.named_query(&id) {
                Some(query) => found.push(query.to_api()),
                None => missing.push(json!({ "NamedQueryId": id, "ErrorCode": "404", "ErrorMessage": "not found" })),
            }
        }
        Ok(json!({ "NamedQueries": found, "UnprocessedNamedQueryIds": missing }))
    }

    fn named_query(&self, id: &str) -> Option<&NamedQuery> {
        self.inner.named_queries.iter().find(|query| query.id() == id)
    }
}
