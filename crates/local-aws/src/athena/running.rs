//! A query under way: what was asked for, and what it has at hand.

use std::sync::Arc;

use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::sqlparser::ast::{Query, Statement as Ast};

use super::catalog::LakeCatalog;
use super::columns::ColumnInfo;
use super::failure::Failure;
use super::scan::ScannedBytes;
use super::sql::Kind;
use super::{Inner, csv, hidden, statement};
use crate::s3::S3Location;

/// What StartQueryExecution asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueryRequest {
    pub(super) sql: String,
    /// Values for question marks, as they were given.
    pub(super) parameters: Vec<String>,
    pub(super) database: String,
    /// The folder for the result.
    pub(super) output: S3Location,
    pub(super) work_group: String,
    pub(super) kind: Kind,
}

/// How a query ended well.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) columns: Vec<ColumnInfo>,
    pub(super) rows: Rows,
    /// Rows that it wrote into a table.
    pub(super) written: u64,
    /// The object that lists the files that it wrote.
    pub(super) manifest: Option<String>,
}

/// Where the rows are.
#[derive(Debug)]
pub(super) enum Rows {
    /// In S3, under this key, in Athena's CSV with a header.
    Object(String),
    /// Here.
    Memory(Vec<csv::Row>),
}

/// A query under way.
pub(super) struct Running<'a> {
    pub(super) service: &'a Inner,
    pub(super) id: &'a str,
    pub(super) request: &'a QueryRequest,
    pub(super) scanned: &'a ScannedBytes,
}

impl Running<'_> {
    /// A query's plan, and the session that it runs in.
    pub(super) async fn plan(&self, ast: Ast) -> Result<(SessionState, Arc<dyn ExecutionPlan>), Failure> {
        let root = self.service.store.root().to_owned();
        let catalog = LakeCatalog::new(self.service.glue.clone(), root, self.scanned.clone()).with_hidden(hidden::named(&ast.to_string()));
        let state = self.service.engine.session(Arc::new(catalog), &self.request.database)?;
        let plan = statement::plan(&state, ast).await?;
        let plan = state.create_physical_plan(&plan).await?;
        Ok((state, plan))
    }

    /// As [`Running::plan`], for the query inside a statement that writes.
    pub(super) async fn plan_query(&self, query: Box<Query>) -> Result<(SessionState, Arc<dyn ExecutionPlan>), Failure> {
        self.plan(Ast::Query(query)).await
    }
}
