//! Question marks, and what stands for them.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, Value, ValueWithSpan, visit_expressions, visit_expressions_mut};
use datafusion::sql::sqlparser::tokenizer::Location;

/// Another number of values than of question marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Incorrect number of parameters: expected {expected} but found {found}")]
pub(in crate::athena) struct WrongCount {
    expected: usize,
    found: usize,
}

/// Puts the values in the places of the question marks, in the order of the text.
pub(super) fn bind(query: &mut Query, values: &[Expr]) -> Result<(), WrongCount> {
    // The syntax tree is not walked in the order of the text: LIMIT is an outer part of it, for example.
    let mut places: Vec<Location> = Vec::new();
    let _ = visit_expressions(query, |expr| {
        places.extend(place(expr));
        ControlFlow::<()>::Continue(())
    });
    places.sort_unstable();
    if places.len() != values.len() {
        return Err(WrongCount { expected: places.len(), found: values.len() });
    }
    let _ = visit_expressions_mut(query, |expr| {
        let value = place(expr).and_then(|place| places.binary_search(&place).ok()).and_then(|position| values.get(position));
        if let Some(value) = value {
            *expr = value.clone();
        }
        ControlFlow::<()>::Continue(())
    });
    Ok(())
}

/// A statement without a place for values takes none.
pub(super) fn none_wanted(values: &[Expr]) -> Result<(), WrongCount> {
    if values.is_empty() { Ok(()) } else { Err(WrongCount { expected: 0, found: values.len() }) }
}

/// Where a question mark stands, if the expression is one.
fn place(expr: &Expr) -> Option<Location> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Placeholder(mark), span }) if mark == "?" => Some(span.start),
        _ => None,
    }
}
