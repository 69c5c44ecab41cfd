//! What may be run: queries, and looking at what there is. Everything else is refused before it is planned.

use std::fmt;
use std::ops::ControlFlow;

use datafusion::config::Dialect;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::Spanned as _;
use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement, visit_relations};

use super::failure::Failure;
use super::rewrite;

/// A place in the SQL text, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: u64,
    pub(super) column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}:{}", self.line, self.column)
    }
}

/// Parses, checks, brings Trino's dialect to DataFusion's, and plans.
pub(super) async fn plan(state: &SessionState, sql: &str) -> Result<LogicalPlan, Failure> {
    let mut statement = state.sql_to_statement(sql, &Dialect::Generic)?;
    let query = query_mut(&mut statement)?;
    let tables = tables(query);
    rewrite::to_datafusion(query);
    let plan = state.statement_to_plan(statement).await.map_err(|error| Failure::from(error).with_tables(&tables))?;
    // The plan says it too: COPY, CREATE, INSERT and SET hidden anywhere in it are refused.
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false).verify_plan(&plan)?;
    Ok(plan)
}

/// The query of a statement that is one, or explains one.
fn query_mut(statement: &mut EngineStatement) -> Result<&mut Query, Failure> {
    match statement {
        EngineStatement::Statement(plain) => match plain.as_mut() {
            Statement::Query(query) => {
                if reads(&query.body) {
                    Ok(query)
                } else {
                    Err(refused(&query.to_string()))
                }
            }
            other => Err(refused(&other.to_string())),
        },
        EngineStatement::Explain(explain) => query_mut(&mut explain.statement),
        other => Err(refused(&other.to_string())),
    }
}

/// SQL allows a change in a query's place.
fn reads(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.into.is_none(),
        SetExpr::Values(_) | SetExpr::Table(_) => true,
        SetExpr::Query(query) => reads(&query.body),
        SetExpr::SetOperation { left, right, .. } => reads(left) && reads(right),
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => false,
    }
}

fn refused(statement: &str) -> Failure {
    let words: Vec<&str> = statement.split_whitespace().take(2).collect();
    Failure::Refused(format!("the local Athena runs SELECT, WITH, VALUES, SHOW, DESCRIBE and EXPLAIN, not {}", words.join(" ")))
}

/// Each table's own name, in lower case, and where it stands.
fn tables(query: &Query) -> Vec<(String, Position)> {
    let mut tables = Vec::new();
    let _ = visit_relations(query, |relation| {
        if let Some(name) = relation.0.last().and_then(|part| part.as_ident()) {
            let start = relation.span().start;
            tables.push((name.value.to_lowercase(), Position { line: start.line, column: start.column }));
        }
        ControlFlow::<()>::Continue(())
    });
    tables
}
