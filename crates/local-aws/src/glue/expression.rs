//! The expressions that GetPartitions filters by: SQL conditions on the partition keys.
//!
//! Source: AWS Glue Web API Reference, GetPartitions, `Expression`.

use std::cmp::Ordering;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::INVALID_INPUT;
use super::catalog::Column;
use crate::protocol::ApiError;

/// A condition that a partition's values meet or not.
#[derive(Debug)]
pub(super) enum Condition {
    Compare {
        key: Key,
        operator: Operator,
        value: String,
    },
    Like {
        key: Key,
        pattern: String,
    },
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// Values of partitions are never null.
    Always,
}

/// A partition key: its place among the values, and how they compare.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    position: usize,
    order: Order,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Text,
    Whole,
    Fraction,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Condition {
    /// Reads an expression over these keys.
    pub(super) fn parse(text: &str, keys: &[Column]) -> Result<Self, ApiError> {
        let parser = Parser::new(&GenericDialect {}).try_with_sql(text);
        let expr = parser.and_then(|mut parser| {
            let expr = parser.parse_expr()?;
            parser.expect_token(&datafusion::sql::sqlparser::tokenizer::Token::EOF).map(|_| expr)
        });
        let expr = expr.map_err(|error| refused(format!("Expression {text:?} cannot be read: {error}.")))?;
        Reader { keys }.read(&expr)
    }

    /// Whether a partition with these values meets it. A value that does not compare meets nothing.
    pub(super) fn is_met(&self, values: &[String]) -> bool {
        match self {
            Self::Compare { key, operator, value } => {
                key.value(values).and_then(|found| key.compare(found, value)).is_some_and(|order| match operator {
                    Operator::Eq => order == Ordering::Equal,
                    Operator::Ne => order != Ordering::Equal,
                    Operator::Gt => order == Ordering::Greater,
                    Operator::Ge => order != Ordering::Less,
                    Operator::Lt => order == Ordering::Less,
                    Operator::Le => order != Ordering::Greater,
                })
            }
            Self::Like { key, pattern } => key.value(values).is_some_and(|found| like(found, pattern)),
            Self::And(one, other) => one.is_met(values) && other.is_met(values),
            Self::Or(one, other) => one.is_met(values) || other.is_met(values),
            Self::Not(inner) => !inner.is_met(values),
            Self::Always => true,
        }
    }
}

impl Key {
    fn value(self, values: &[String]) -> Option<&str> {
        values.get(self.position).map(String::as_str)
    }

    fn compare(self, one: &str, other: &str) -> Option<Ordering> {
        match self.order {
            Order::Text => Some(one.cmp(other)),
            Order::Whole => Some(one.parse::<i128>().ok()?.cmp(&other.parse().ok()?)),
            Order::Fraction => one.parse::<f64>().ok()?.partial_cmp(&other.parse().ok()?),
        }
    }
}

struct Reader<'a> {
    keys: &'a [Column],
}

impl Reader<'_> {
    fn read(&self, expr: &Expr) -> Result<Condition, ApiError> {
        Ok(match expr {
            Expr::Nested(inner) => self.read(inner)?,
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => Condition::Not(Box::new(self.read(expr)?)),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                Condition::And(Box::new(self.read(left)?), Box::new(self.read(right)?))
            }
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
                Condition::Or(Box::new(self.read(left)?), Box::new(self.read(right)?))
            }
            Expr::BinaryOp { left, op, right } => self.compare(left, op, right)?,
            Expr::Between { expr, negated, low, high } => {
                let key = self.key(expr)?;
                let bound = |operator, value| literal(value).map(|value| Box::new(Condition::Compare { key, operator, value }));
                negate(*negated, Condition::And(bound(Operator::Ge, low)?, bound(Operator::Le, high)?))
            }
            Expr::InList { expr, list, negated } => {
                let key = self.key(expr)?;
                let equals = |value| literal(value).map(|value| Condition::Compare { key, operator: Operator::Eq, value });
                let any = list.iter().map(equals).reduce(|one, other| Ok(Condition::Or(Box::new(one?), Box::new(other?))));
                negate(*negated, any.unwrap_or(Ok(Condition::Not(Box::new(Condition::Always))))?)
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char: None } => {
                negate(*negated, Condition::Like { key: self.key(expr)?, pattern: literal(pattern)? })
            }
            Expr::IsNotNull(inner) => self.key(inner).map(|_| Condition::Always)?,
            Expr::IsNull(inner) => self.key(inner).map(|_| Condition::Not(Box::new(Condition::Always)))?,
            other => return Err(refused(format!("{other} is no condition on a partition key."))),
        })
    }

    fn compare(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Condition, ApiError> {
        let (operator, turned) = match op {
            BinaryOperator::Eq => (Operator::Eq, Operator::Eq),
            BinaryOperator::NotEq => (Operator::Ne, Operator::Ne),
            BinaryOperator::Gt => (Operator::Gt, Operator::Lt),
            BinaryOperator::GtEq => (Operator::Ge, Operator::Le),
            BinaryOperator::Lt => (Operator::Lt, Operator::Gt),
            BinaryOperator::LtEq => (Operator::Le, Operator::Ge),
            other => return Err(refused(format!("The operator {other} is not known in an Expression."))),
        };
        match literal(left) {
            Ok(value) => Ok(Condition::Compare { key: self.key(right)?, operator: turned, value }),
            Err(_) => Ok(Condition::Compare { key: self.key(left)?, operator, value: literal(right)? }),
        }
    }

    fn key(&self, expr: &Expr) -> Result<Key, ApiError> {
        let Expr::Identifier(name) = expr else { return Err(refused(format!("{expr} is no partition key."))) };
        let wanted = name.value.to_lowercase();
        let position = self.keys.iter().position(|key| key.name == wanted);
        let position = position.ok_or_else(|| refused(format!("{} is no partition key of the table.", name.value)))?;
        let type_name = self.keys.get(position).map(|key| key.type_name.to_lowercase()).unwrap_or_default();
        let order = match type_name.as_str() {
            "tinyint" | "smallint" | "int" | "integer" | "bigint" | "long" => Order::Whole,
            "float" | "double" => Order::Fraction,
            decimal if decimal.starts_with("decimal") => Order::Fraction,
            _ => Order::Text,
        };
        Ok(Key { position, order })
    }
}

fn negate(negated: bool, condition: Condition) -> Condition {
    if negated { Condition::Not(Box::new(condition)) } else { condition }
}

fn literal(expr: &Expr) -> Result<String, ApiError> {
    let value = match expr {
        Expr::Value(value) => &value.value,
        // DATE '2026-11-23'
        Expr::TypedString(typed) => &typed.value.value,
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => return Ok(format!("-{}", literal(expr)?)),
        other => return Err(refused(format!("{other} is no literal."))),
    };
    match value {
        Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) | Value::Number(text, _) => Ok(text.clone()),
        other => Err(refused(format!("{other} is no text or number."))),
    }
}

/// SQL's LIKE: `%` stands for any text, `_` for one character.
fn like(text: &str, pattern: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('%') => {
            let rest = rest.as_str();
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| text.get(at..).is_some_and(|tail| like(tail, rest)))
        }
        Some(wanted) => {
            let mut found = text.chars();
            found.next().is_some_and(|found| wanted == '_' || wanted == found) && like(found.as_str(), rest.as_str())
        }
    }
}

fn refused(message: String) -> ApiError {
    ApiError::new(INVALID_INPUT, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn keys() -> Vec<Column> {
        [("dt", "string"), ("hour", "int"), ("share", "decimal(4,2)")]
            .map(|(name, type_name)| Column { name: name.into(), type_name: type_name.into(), comment: None })
            .into()
    }

    fn is_met(expression: &str) -> bool {
        Condition::parse(expression, &keys()).unwrap().is_met(&["2026-11-23".into(), "9".into(), "0.50".into()])
    }

    #[test]
    fn conditions_compare_as_their_keys_types_do() {
        for met in [
            "dt = '2026-11-23'",
            "DT >= '2026-11-01' AND dt < '2026-12-01'",
            "'2026-11-23' <= dt",
            "hour < 10",
            "hour = '9'",
            "hour > -1",
            "share = 0.5",
            "dt IN ('2026-11-22', '2026-11-23')",
            "dt NOT IN ('2026-11-22')",
            "hour BETWEEN 8 AND 9",
            "dt LIKE '2026-%-2_'",
            "NOT (dt <> '2026-11-23')",
            "dt = 'x' OR (hour >= 9 AND dt != 'x')",
            "dt = DATE '2026-11-23'",
            "dt IS NOT NULL",
        ] {
            assert!(is_met(met), "{met}");
        }
        for not_met in
            ["dt > '2026-11-23'", "hour >= 10", "hour = 'nine'", "hour NOT BETWEEN 8 AND 9", "dt NOT LIKE '2026%'", "dt LIKE '2026'"]
        {
            assert!(!is_met(not_met), "{not_met}");
        }
    }

    #[test]
    fn what_is_no_condition_on_the_keys_is_refused() {
        for text in ["price > 1", "dt", "dt = hour", "upper(dt) = 'X'", "dt = 'a' dt = 'b'", "dt =", "dt || 'x' = 'y'", "1 = 1"] {
            assert_eq!(Condition::parse(text, &keys()).unwrap_err().kind(), INVALID_INPUT, "{text}");
        }
    }
}
