//! A resolved value with its place, read with the type that it must have.

use super::error::{Error, Place};
use super::resolve::scalar;
use serde_json::{Map, Value as Json};
use std::time::Duration;

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Json,
    pub(super) at: Place,
}

impl Node {
    pub(super) fn new(value: Json, at: Place) -> Self {
        Self { value, at }
    }

    /// The value at a key, or `None` if this is no mapping, or the key is absent or null.
    pub(super) fn get(&self, key: &str) -> Option<Node> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Node::new(value.clone(), self.at.child(key)))
    }

    pub(super) fn require(&self, key: &str) -> Result<Node, Error> {
        self.get(key).ok_or_else(|| Error::MissingProperty { at: self.at.child(key) })
    }

    pub(super) fn text(&self) -> Result<String, Error> {
        scalar(&self.value).ok_or_else(|| self.wrong("a text"))
    }

    /// CloudFormation takes numbers as texts, too: parameters are texts.
    pub(super) fn number<T: std::str::FromStr>(&self) -> Result<T, Error> {
        scalar(&self.value).and_then(|text| text.parse().ok()).ok_or_else(|| self.wrong("a whole number in range"))
    }

    pub(super) fn seconds(&self) -> Result<Duration, Error> {
        self.number().map(Duration::from_secs)
    }

    pub(super) fn flag(&self) -> Result<bool, Error> {
        self.number::<bool>().map_err(|_| self.wrong("true or false"))
    }

    pub(super) fn items(&self) -> Result<Vec<Node>, Error> {
        let items = self.value.as_array().ok_or_else(|| self.wrong("a list"))?;
        Ok(items.iter().enumerate().map(|(index, item)| Node::new(item.clone(), self.at.child(index))).collect())
    }

    pub(super) fn entries(&self) -> Result<Vec<(String, Node)>, Error> {
        let map = self.map()?;
        Ok(map.iter().map(|(key, value)| (key.clone(), Node::new(value.clone(), self.at.child(key)))).collect())
    }

    pub(super) fn map(&self) -> Result<&Map<String, Json>, Error> {
        self.value.as_object().ok_or_else(|| self.wrong("a mapping"))
    }

    pub(super) fn wrong(&self, expected: &'static str) -> Error {
        Error::WrongType { at: self.at.clone(), expected }
    }
}
