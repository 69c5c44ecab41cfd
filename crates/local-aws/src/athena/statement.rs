//! From a statement to a plan: Trino's dialect is brought to DataFusion's, and whatever would write is refused.

use std::fmt;
use std::ops::ControlFlow;

use datafusion::execution::context::SQLOptions;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::{Query, Spanned as _, Statement as Ast, visit_relations};

use super::failure::Failure;
use super::sql::inner_query_mut;
use super::{hidden, rewrite};

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

/// Plans a query, or EXPLAIN of one.
pub(super) async fn plan(state: &SessionState, mut ast: Ast) -> Result<LogicalPlan, Failure> {
    let Some(query) = inner_query_mut(&mut ast) else {
        return Err(Failure::Plain("NOT_SUPPORTED: only a query can be planned".to_owned()));
    };
    let tables = tables(query);
    hidden::leave_out_of_stars(query);
    rewrite::to_datafusion(query);
    let statement = EngineStatement::Statement(Box::new(ast));
    let plan = state.statement_to_plan(statement).await.map_err(|error| Failure::from(error).with_tables(&tables))?;
    // The plan says it too: COPY, CREATE, INSERT and SET hidden anywhere in it are refused.
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false).verify_plan(&plan)?;
    Ok(plan)
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
