//! What can be wrong with a template, told with the resource and the place in it.

use std::fmt;
use std::path::PathBuf;

/// A place in a template: a logical id and the path below it, such as `QuotesTable` at `Properties.TableInput.Name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The logical id of the resource, or the section's name (`Globals`, `Conditions`, …).
    pub logical_id: String,
    /// Keys and indexes below it, joined by dots.
    pub path: String,
    /// How many references were followed to get here: what stops templates that refer to themselves.
    pub(super) depth: u8,
}

impl Place {
    pub(super) fn new(logical_id: impl Into<String>, path: impl Into<String>) -> Self {
        Self { logical_id: logical_id.into(), path: path.into(), depth: 0 }
    }

    pub(super) fn child(&self, key: impl fmt::Display) -> Self {
        let path = if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) };
        Self { logical_id: self.logical_id.clone(), path, depth: self.depth }
    }

    /// The place that a reference leads to.
    pub(super) fn follow(&self, logical_id: &str, path: &str) -> Self {
        Self { logical_id: logical_id.to_owned(), path: path.to_owned(), depth: self.depth.saturating_add(1) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.logical_id, self.path)
    }
}

/// Why a template could not be read. A retry never helps: the template or the parameters must change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("cannot read the template {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The text is not YAML (or JSON, which is YAML too).
    #[error("the template is not valid YAML")]
    Yaml(#[source] serde_yaml_ng::Error),
    /// The YAML has something that a template cannot have, such as a list as a key.
    #[error("the template has {what} where CloudFormation allows none: {at}")]
    NotATemplate {
        /// Where.
        at: Place,
        /// What was found.
        what: &'static str,
    },
    /// An intrinsic function that this reader does not evaluate.
    #[error("unknown intrinsic function {name}: {at}")]
    UnknownIntrinsic {
        /// Where.
        at: Place,
        /// Its long form, such as `Fn::ImportValue`.
        name: String,
    },
    /// An intrinsic function with arguments of another shape than it takes.
    #[error("{name} takes {expected}: {at}")]
    Arguments {
        /// Where.
        at: Place,
        /// Its long form.
        name: String,
        /// What it takes.
        expected: &'static str,
    },
    /// A reference to a resource, parameter, condition or mapping that is not in the template (or whose condition is false).
    #[error("nothing in the template is named {name}: {at}")]
    MissingReference {
        /// Where.
        at: Place,
        /// What was looked for.
        name: String,
    },
    /// `Fn::GetAtt` for an attribute that this type of resource does not have.
    #[error("{name} has no attribute {attribute}: {at}")]
    MissingAttribute {
        /// Where.
        at: Place,
        /// The resource.
        name: String,
        /// The attribute.
        attribute: String,
    },
    /// A parameter that is used, has no default and was not given.
    #[error("the parameter {name} has no default and was not given: {at}")]
    MissingParameter {
        /// Where it is used.
        at: Place,
        /// The parameter.
        name: String,
    },
    /// A value was given for a parameter that the template does not have.
    #[error("the template has no parameter {name}")]
    UnknownParameter {
        /// The parameter.
        name: String,
    },
    /// A property that this kind of resource must have.
    #[error("a value is missing: {at}")]
    MissingProperty {
        /// Where it should stand.
        at: Place,
    },
    /// A property of another type or range than it must have.
    #[error("expected {expected}: {at}")]
    WrongType {
        /// Where.
        at: Place,
        /// What should stand there.
        expected: &'static str,
    },
    /// References that lead back to themselves.
    #[error("references lead in a circle: {at}")]
    Circular {
        /// Where following them was given up.
        at: Place,
    },
}
