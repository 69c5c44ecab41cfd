//! Named queries: those of the template, and what has been made, changed and deleted since, in one file beside the results
//! under way.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::kept::Kept;
use super::{Athena, AthenaError, INVALID_REQUEST};
use crate::protocol::{ApiError, ApiResult, Input, page};

/// The longest name and description in characters, and the longest query in bytes.
const MAX_NAME: usize = 128;
const MAX_DESCRIPTION: usize = 1024;
const MAX_QUERY: usize = 262_144;

/// A saved query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The same name of the template has the same id at every start.
    fn id(&self) -> String {
        Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{}/{}", self.work_group, self.name).as_bytes()).to_string()
    }

    fn to_api(&self, id: &str) -> Value {
        json!({
            "NamedQueryId": id,
            "Name": self.name,
            "Description": self.description,
            "Database": self.database,
            "QueryString": self.query,
            "WorkGroup": self.work_group,
        })
    }
}

/// By id, what differs from the template: a query, or none where it was deleted.
type Changes = BTreeMap<String, Option<NamedQuery>>;

/// All named queries.
#[derive(Debug)]
pub(super) struct NamedQueries {
    template: BTreeMap<String, NamedQuery>,
    changes: Kept<Changes>,
}

impl NamedQueries {
    /// The template's, and the changes that were kept last in the folder.
    pub(super) fn open(folder: &Path, template: Vec<NamedQuery>) -> Result<Self, AthenaError> {
        let template = template.into_iter().map(|query| (query.id(), query)).collect();
        Ok(Self { template, changes: Kept::open(folder, "named-queries.json", "named queries")? })
    }

    fn find(&self, id: &str) -> Option<NamedQuery> {
        match self.changes.lock().get(id) {
            Some(changed) => changed.clone(),
            None => self.template.get(id).cloned(),
        }
    }

    /// The ids of a work group's, or of all; by name.
    fn ids(&self, work_group: Option<&str>) -> Vec<String> {
        let changes = self.changes.lock();
        let unchanged = self.template.iter().filter(|(id, _)| !changes.contains_key(*id));
        let changed = changes.iter().filter_map(|(id, query)| Some((id, query.as_ref()?)));
        let of_group = |(_, query): &(&String, &NamedQuery)| work_group.is_none_or(|name| name == query.work_group);
        let mut found: Vec<(&String, &NamedQuery)> = unchanged.chain(changed).filter(of_group).collect();
        found.sort_by_key(|(id, query)| (&query.name, *id));
        found.into_iter().map(|(id, _)| id.clone()).collect()
    }

    /// Puts a query in the place of an id's, or deletes it.
    fn put(&self, id: &str, query: Option<NamedQuery>) -> Result<(), ApiError> {
        self.changes.change(|changes| {
            changes.insert(id.to_owned(), query);
            Ok(())
        })
    }
}

impl Athena {
    pub(super) fn create_named_query(&self, input: &Input) -> ApiResult {
        let work_group = self.work_group(input.optional_string("WorkGroup")?.unwrap_or("primary"))?.name.clone();
        let query = NamedQuery {
            name: text(input, "Name", MAX_NAME)?,
            description: description(input)?,
            database: text(input, "Database", 255)?,
            query: text(input, "QueryString", MAX_QUERY)?,
            work_group,
        };
        // The same token makes the same query, once.
        let id = match input.optional_string("ClientRequestToken")? {
            Some(token) => Uuid::new_v5(&Uuid::NAMESPACE_OID, token.as_bytes()),
            None => Uuid::new_v4(),
        };
        let id = id.to_string();
        match self.inner.named_queries.find(&id) {
            Some(made) if made == query => {}
            Some(_) => return Err(input.invalid("Idempotent parameters do not match".to_owned())),
            None => self.inner.named_queries.put(&id, Some(query))?,
        }
        Ok(json!({ "NamedQueryId": id }))
    }

    pub(super) fn update_named_query(&self, input: &Input) -> ApiResult {
        let id = input.string("NamedQueryId")?;
        let query = NamedQuery {
            name: text(input, "Name", MAX_NAME)?,
            description: description(input)?,
            query: text(input, "QueryString", MAX_QUERY)?,
            ..self.named_query(id)?
        };
        self.inner.named_queries.put(id, Some(query))?;
        Ok(json!({}))
    }

    pub(super) fn delete_named_query(&self, input: &Input) -> ApiResult {
        let id = input.string("NamedQueryId")?;
        self.named_query(id)?;
        self.inner.named_queries.put(id, None)?;
        Ok(json!({}))
    }

    pub(super) fn get_named_query(&self, input: &Input) -> ApiResult {
        let id = input.string("NamedQueryId")?;
        Ok(json!({ "NamedQuery": self.named_query(id)?.to_api(id) }))
    }

    pub(super) fn list_named_queries(&self, input: &Input) -> ApiResult {
        let ids = self.inner.named_queries.ids(input.optional_string("WorkGroup")?);
        let (ids, token) = page(&ids, input, 50)?;
        Ok(json!({ "NamedQueryIds": ids, "NextToken": token }))
    }

    pub(super) fn batch_get_named_query(&self, input: &Input) -> ApiResult {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for id in input.strings("NamedQueryIds")? {
            match self.inner.named_queries.find(&id) {
                Some(query) => found.push(query.to_api(&id)),
                None => missing.push(json!({ "NamedQueryId": id, "ErrorCode": "404", "ErrorMessage": "not found" })),
            }
        }
        Ok(json!({ "NamedQueries": found, "UnprocessedNamedQueryIds": missing }))
    }

    fn named_query(&self, id: &str) -> Result<NamedQuery, ApiError> {
        let found = self.inner.named_queries.find(id);
        found.ok_or_else(|| ApiError::new(INVALID_REQUEST, format!("NamedQuery {id} was not found.")))
    }
}

fn text(input: &Input, member: &str, longest: usize) -> Result<String, ApiError> {
    let text = input.string(member)?;
    if text.is_empty() || text.len() > longest {
        return Err(input.invalid(format!("{member} must have 1 to {longest} characters.")));
    }
    Ok(text.to_owned())
}

fn description(input: &Input) -> Result<Option<String>, ApiError> {
    let description = input.optional_string("Description")?;
    if description.is_some_and(|text| text.chars().count() > MAX_DESCRIPTION) {
        return Err(input.invalid(format!("Description must have up to {MAX_DESCRIPTION} characters.")));
    }
    Ok(description.map(str::to_owned))
}
