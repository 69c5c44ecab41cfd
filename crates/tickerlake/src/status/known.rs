//! What is known, and what is not: unknown is neither none nor 0.

use std::fmt::Display;

use serde::Serialize;

use crate::failure::Failure;

/// What is known of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Known<T> {
    /// This.
    Known(T),
    /// Nothing.
    Unknown {
        /// Why, and where it can be seen instead.
        unknown: String,
    },
}

impl<T> Known<T> {
    /// Nothing is known, because of this.
    pub(super) fn unknown(why: impl Display) -> Self {
        Self::Unknown { unknown: why.to_string() }
    }
}

impl<T> From<Result<T, Failure>> for Known<T> {
    fn from(asked: Result<T, Failure>) -> Self {
        match asked {
            Ok(known) => Self::Known(known),
            Err(failure) => Self::unknown(failure),
        }
    }
}
