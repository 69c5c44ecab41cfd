//! Reads `template.yaml`, the file that deploys, into what the local stack runs.
//!
//! It does what CloudFormation and SAM do before they create anything: merges `Globals`, fills in parameters and pseudo
//! parameters, drops resources whose condition is false and evaluates intrinsic functions, in short and long form. What it
//! does not know it leaves alone.

mod deployment;
mod document;
mod error;
mod function;
mod mapping;
mod names;
mod node;
mod read;
mod resolve;
#[cfg(test)]
mod tests;

pub use deployment::{
    Bucket, Crawler, Database, Deployment, Function, KafkaTrigger, NamedQuery, Notification, Queue, QueueTrigger, Redrive, RetryPolicy,
    RuleTrigger, ScheduleTrigger, StartingPosition, Table, Workgroup,
};
pub use error::{Error, Place};

use std::collections::BTreeMap;
use std::path::Path;

/// What a template is filled in with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Values of parameters, by name; they win over the template's defaults.
    pub parameters: BTreeMap<String, String>,
    /// `AWS::StackName`.
    pub stack: String,
    /// `AWS::AccountId`.
    pub account: String,
    /// `AWS::Region`.
    pub region: String,
}

impl Default for Settings {
    /// No parameters, and the pseudo parameters of the local stack.
    fn default() -> Self {
        Self {
            parameters: BTreeMap::new(),
            stack: "tickerlake".to_owned(),
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
        }
    }
}

impl Deployment {
    /// Reads a template file.
    pub fn load(path: &Path, settings: &Settings) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::parse(&text, settings)
    }

    /// Reads a template's text.
    pub fn parse(text: &str, settings: &Settings) -> Result<Self, Error> {
        let document = document::parse(text)?;
        let resolver = resolve::Resolver::new(&document, settings)?;
        read::deployment(&document, &resolver)
    }
}
