//! Operators that mean something else in Trino than in DataFusion.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{ExprSchemable as _, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::functions::divide;

/// Plans the division of decimals as Trino's; any other operator is DataFusion's.
#[derive(Debug)]
pub(super) struct Operators {
    divide: Arc<ScalarUDF>,
}

impl Default for Operators {
    fn default() -> Self {
        Self { divide: Arc::new(divide::function()) }
    }
}

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::Divide {
            return Ok(PlannerResult::Original(expr));
        }
        let (Ok(left), Ok(right)) = (expr.left.get_type(schema), expr.right.get_type(schema)) else {
            return Ok(PlannerResult::Original(expr));
        };
        // Whole numbers alone have a division of their own.
        let decimals = divide::as_decimal(&left).is_some() && divide::as_decimal(&right).is_some();
        if decimals && !(left.is_integer() && right.is_integer()) {
            let division = self.divide.call(vec![expr.left, expr.right]);
            return Ok(PlannerResult::Planned(division));
        }
        Ok(PlannerResult::Original(expr))
    }
}
