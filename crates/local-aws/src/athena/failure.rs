//! Why a query failed, in one line and as Athena says it where the cause is plain.

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use parquet::errors::ParquetError;
use s3s::S3Error;

use super::scan::LimitExceeded;
use super::sql::{PropertyError, WrongCount};
use super::statement::Position;
use crate::protocol::ApiError;
use crate::s3::LocationError;

/// Why a query failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A statement that the local Athena does not run.
    #[error("NOT_SUPPORTED: {0}")]
    Refused(String),
    /// What Athena says in these words.
    #[error("{0}")]
    Plain(String),
    /// Not a statement.
    #[error("{}", syntax(&.0.to_string()))]
    Syntax(#[from] ParserError),
    /// A property of the statement.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// Too many or too few values for question marks.
    #[error("INVALID_PARAMETER_USAGE: line 1:1: {0}")]
    Parameters(#[from] WrongCount),
    /// The work group's limit. Athena calls such a query cancelled.
    #[error(transparent)]
    ScanLimit(#[from] LimitExceeded),
    /// The catalog's answer to a change.
    #[error("FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. {}(message:{})", .0.kind(), .0.message())]
    Catalog(#[from] ApiError),
    /// No place in S3.
    #[error("INVALID_LOCATION: {0}")]
    Location(#[from] LocationError),
    /// A file that cannot be written.
    #[error("HIVE_WRITER_DATA_ERROR: {0}")]
    Parquet(#[from] ParquetError),
    /// The engine's own.
    #[error("{}", describe(.0, .1))]
    Engine(#[source] Box<DataFusionError>, Vec<(String, Position)>),
    /// A value that cannot be written as text.
    #[error("GENERIC_INTERNAL_ERROR: {0}")]
    Value(#[from] ArrowError),
    /// The result file.
    #[error("GENERIC_INTERNAL_ERROR: the result cannot be written: {0}")]
    Write(#[from] std::io::Error),
    /// The result object.
    #[error("HIVE_FILESYSTEM_ERROR: the result cannot be stored in {location}: {}", .source.code().as_str())]
    Store { location: String, source: S3Error },
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Self {
        Self::Engine(Box::new(error), Vec::new())
    }
}

impl Failure {
    /// Says where the statement names its tables, for errors that only name the table.
    pub(super) fn with_tables(self, tables: &[(String, Position)]) -> Self {
        match self {
            Self::Engine(error, _) => Self::Engine(error, tables.to_vec()),
            other => other,
        }
    }
}

/// Kind, place and text.
fn describe(error: &DataFusionError, tables: &[(String, Position)]) -> String {
    let place =
        error.diagnostic().and_then(|diagnostic| diagnostic.span).map(|span| Position { line: span.start.line, column: span.start.column });
    let at = |place: Option<Position>| place.map(|place| format!("{place}: ")).unwrap_or_default();
    let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    match error.find_root() {
        DataFusionError::SQL(error, _) => syntax(&error.to_string()),
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { field, .. } => {
                format!(
                    "COLUMN_NOT_FOUND: {}Column '{}' cannot be resolved or requester is not authorized to access requested resources",
                    at(place),
                    field.flat_name()
                )
            }
            SchemaError::AmbiguousReference { field } => {
                format!("AMBIGUOUS_NAME: {}Column '{}' is ambiguous", at(place), field.flat_name())
            }
            other => first_line(&other.to_string()),
        },
        DataFusionError::Plan(text) => {
            if let Some(table) = between(text, "table '", "' not found") {
                let named = table.rsplit('.').next().unwrap_or(table);
                let place = place.or_else(|| tables.iter().find(|(name, _)| name == named).map(|(_, place)| *place));
                return format!("TABLE_NOT_FOUND: {}Table '{table}' does not exist", at(place));
            }
            if let Some(function) = between(text, "Invalid function '", "'") {
                return format!("FUNCTION_NOT_FOUND: {}Function '{function}' not registered", at(place));
            }
            format!("{}{}", at(place), first_line(text))
        }
        DataFusionError::ArrowError(error, _) if matches!(error.as_ref(), ArrowError::DivideByZero) => {
            "DIVISION_BY_ZERO: Division by zero".to_owned()
        }
        DataFusionError::NotImplemented(text) => format!("NOT_SUPPORTED: {}{}", at(place), first_line(text)),
        other => format!("{}{}", at(place), first_line(&other.strip_backtrace())),
    }
}

/// What is wrong with a text that is no statement, in the words of StartQueryExecution's refusal.
pub(super) fn refusal(error: &ParserError) -> String {
    let text = syntax(&error.to_string());
    text.strip_prefix("SYNTAX_ERROR: ").map_or_else(|| text.clone(), str::to_owned)
}

/// The parser puts the place behind its text: `Expected: …, found: x at Line: 1, Column: 8`.
fn syntax(text: &str) -> String {
    let text = text.lines().next().unwrap_or_default();
    let text = text.strip_prefix("sql parser error: ").unwrap_or(text);
    let Some((message, place)) = text.rsplit_once(" at Line: ") else { return format!("SYNTAX_ERROR: {text}") };
    match place.split_once(", Column: ") {
        Some((line, column)) => format!("SYNTAX_ERROR: line {line}:{column}: {message}"),
        None => format!("SYNTAX_ERROR: {text}"),
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = text.get(text.find(before)? + before.len()..)?;
    rest.get(..rest.find(after)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_comes_first() {
        assert_eq!(
            syntax("sql parser error: Expected: an expression, found: FROM at Line: 1, Column: 8"),
            "SYNTAX_ERROR: line 1:8: Expected: an expression, found: FROM"
        );
        assert_eq!(syntax("sql parser error: No SQL\nmore"), "SYNTAX_ERROR: No SQL");
    }

    #[test]
    fn a_missing_table_is_placed_where_the_statement_names_it() {
        let error = DataFusionError::Plan("table 'awsdatacatalog.tickerlake.trades' not found".to_owned());
        let tables = [("trades".to_owned(), Position { line: 2, column: 6 })];
        assert_eq!(
            Failure::from(error).with_tables(&tables).to_string(),
            "TABLE_NOT_FOUND: line 2:6: Table 'awsdatacatalog.tickerlake.trades' does not exist"
        );
    }
}
