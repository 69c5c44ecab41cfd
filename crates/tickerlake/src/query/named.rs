//! The queries that ship with the lake, as Athena keeps them.

use crate::failure::Failure;
use crate::lake::{Lake, aws};
use crate::rows::Rows;

/// A query and what it answers.
pub(super) struct NamedQuery {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) sql: String,
}

/// All of the lake's work group, by name.
pub(super) async fn all(lake: &Lake) -> Result<Vec<NamedQuery>, Failure> {
    let mut found = Vec::new();
    let mut pages = lake.athena().list_named_queries().work_group(lake.work_group()).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| aws("cannot list the named queries", &error))?;
        let ids = page.named_query_ids.unwrap_or_default();
        if ids.is_empty() {
            continue;
        }
        let queries = lake.athena().batch_get_named_query().set_named_query_ids(Some(ids)).send().await;
        let queries = queries.map_err(|error| aws("cannot read the named queries", &error))?;
        found.extend(queries.named_queries.unwrap_or_default().into_iter().map(|query| NamedQuery {
            name: query.name,
            description: query.description,
            sql: query.query_string,
        }));
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// The one of this name.
pub(super) async fn find(lake: &Lake, name: &str) -> Result<NamedQuery, Failure> {
    let mut queries = all(lake).await?;
    if let Some(position) = queries.iter().position(|query| query.name == name) {
        return Ok(queries.swap_remove(position));
    }
    let names: Vec<&str> = queries.iter().map(|query| query.name.as_str()).collect();
    let known = if names.is_empty() { "there are none".to_owned() } else { format!("there are {}", names.join(", ")) };
    Err(Failure::usage(format_args!("no named query {name:?}: {known}")))
}

/// Names and what they answer.
pub(super) fn listed(queries: &[NamedQuery]) -> Rows {
    let columns = ["name", "answers"].map(|name| (name.to_owned(), "varchar".to_owned()));
    let rows = queries.iter().map(|query| vec![Some(query.name.clone()), query.description.clone()]);
    Rows { columns: columns.to_vec(), rows: rows.collect() }
}
