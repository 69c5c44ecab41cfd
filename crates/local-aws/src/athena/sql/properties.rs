//! The properties of CREATE TABLE AS and UNLOAD: `WITH (format = 'PARQUET', …)`.

use datafusion::sql::sqlparser::ast::{Expr, Value};

/// Properties by name, in lower case, as they were given.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::athena) struct Properties(Vec<(String, Expr)>);

/// Why a property is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::athena) enum PropertyError {
    /// Its value has another type.
    #[error("INVALID_PROPERTY: the property {name} must be {wanted}")]
    Type {
        /// The property.
        name: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// What Athena may know and the local engine does not.
    #[error("NOT_SUPPORTED: the local engine does not do the property {0}; Athena may")]
    Unknown(String),
}

impl Properties {
    /// As they were parsed.
    pub(super) fn new(given: Vec<(String, Expr)>) -> Self {
        Self(given)
    }

    /// Takes a text.
    pub(in crate::athena) fn take_text(&mut self, name: &str) -> Result<Option<String>, PropertyError> {
        self.take(name).map(|value| text(&value).ok_or_else(|| wrong(name, "a text"))).transpose()
    }

    /// Takes `ARRAY['a', 'b']`; empty if it is not given.
    pub(in crate::athena) fn take_texts(&mut self, name: &str) -> Result<Vec<String>, PropertyError> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Expr::Array(array)) => {
                array.elem.iter().map(|value| text(value).ok_or_else(|| wrong(name, "an array of texts"))).collect()
            }
            Some(_) => Err(wrong(name, "an array of texts")),
        }
    }

    /// Refuses those that were not taken.
    pub(in crate::athena) fn none_left(self) -> Result<(), PropertyError> {
        match self.0.into_iter().next() {
            Some((name, _)) => Err(PropertyError::Unknown(name)),
            None => Ok(()),
        }
    }

    fn take(&mut self, name: &str) -> Option<Expr> {
        let position = self.0.iter().position(|(given, _)| given == name)?;
        Some(self.0.remove(position).1)
    }
}

fn text(value: &Expr) -> Option<String> {
    match value {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn wrong(name: &str, wanted: &'static str) -> PropertyError {
    PropertyError::Type { name: name.to_owned(), wanted }
}
