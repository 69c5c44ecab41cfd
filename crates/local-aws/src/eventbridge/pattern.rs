//! Which events a rule wants.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// An event pattern of exact values: each field that it names must have one of the values that it lists.
///
/// As in EventBridge, a field of the event that is a list matches if one of its items does, and fields that the pattern does
/// not name may hold anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern(Fields);

type Fields = BTreeMap<String, Wanted>;

#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    /// A mapping whose own fields match.
    Fields(Fields),
    /// One of these.
    OneOf(Vec<Value>),
}

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// EventBridge refuses it too.
    #[error("the event pattern has {found} at {at:?}, where it takes {expected}")]
    NotAPattern {
        /// The field's path, joined by dots; empty for the pattern itself.
        at: String,
        /// What stands there.
        found: &'static str,
        /// What may.
        expected: &'static str,
    },
    /// EventBridge takes it, this stand-in does not: `{"prefix": …}` and the like.
    #[error("the event pattern filters by {filter:?} at {at:?}, which the local EventBridge does not know: it knows exact values")]
    Unsupported {
        /// The field's path, joined by dots.
        at: String,
        /// The filter's name.
        filter: String,
    },
}

impl Pattern {
    /// Reads a pattern as a template or `PutRule` gives it.
    pub fn parse(pattern: &Value) -> Result<Self, PatternError> {
        match pattern {
            Value::Object(members) => fields(members, "").map(Self),
            other => Err(not_a_pattern("", other, "a mapping")),
        }
    }

    /// Whether the event is wanted.
    pub fn matches(&self, event: &Value) -> bool {
        have(&self.0, event)
    }
}

fn fields(members: &Map<String, Value>, at: &str) -> Result<Fields, PatternError> {
    if members.is_empty() {
        return Err(PatternError::NotAPattern { at: at.to_owned(), found: "nothing", expected: "at least one field" });
    }
    let read = |(name, wanted): (&String, &Value)| {
        let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        Ok((name.clone(), self::wanted(wanted, &at)?))
    };
    members.iter().map(read).collect()
}

fn wanted(wanted: &Value, at: &str) -> Result<Wanted, PatternError> {
    let values = match wanted {
        Value::Object(members) => return fields(members, at).map(Wanted::Fields),
        Value::Array(values) => values,
        other => return Err(not_a_pattern(at, other, "a list of values or a mapping")),
    };
    if values.is_empty() {
        return Err(not_a_pattern(at, wanted, "at least one value"));
    }
    for value in values {
        match value {
            Value::Object(filter) => {
                let filter = filter.keys().next().cloned().unwrap_or_default();
                return Err(PatternError::Unsupported { at: at.to_owned(), filter });
            }
            Value::Array(_) => return Err(not_a_pattern(at, value, "values")),
            _ => {}
        }
    }
    Ok(Wanted::OneOf(values.clone()))
}

fn not_a_pattern(at: &str, found: &Value, expected: &'static str) -> PatternError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(items) if items.is_empty() => "an empty list",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    };
    PatternError::NotAPattern { at: at.to_owned(), found, expected }
}

fn have(fields: &Fields, event: &Value) -> bool {
    fields.iter().all(|(name, wanted)| match (wanted, event.get(name)) {
        (_, None) => false,
        (Wanted::Fields(fields), Some(found)) => have(fields, found),
        (Wanted::OneOf(values), Some(Value::Array(found))) => found.iter().any(|found| values.contains(found)),
        (Wanted::OneOf(values), Some(found)) => values.contains(found),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Pattern, PatternError};
    use serde_json::{Value, json};

    const CRAWL: &str = include_str!("../../../../events/check-freshness-crawler-succeeded.json");

    fn matches(pattern: Value) -> bool {
        Pattern::parse(&pattern).unwrap().matches(&serde_json::from_str(CRAWL).unwrap())
    }

    #[test]
    fn every_field_that_is_named_must_have_one_of_its_values() {
        assert!(matches(json!({"source": ["aws.glue"]})));
        assert!(matches(json!({
            "source": ["aws.s3", "aws.glue"],
            "detail-type": ["Glue Crawler State Change"],
            "detail": {"crawlerName": ["tickerlake-quotes"], "state": ["Succeeded", "Failed"]},
        })));
        for other in [
            json!({"source": ["aws.s3"]}),
            json!({"source": ["aws.glue"], "detail": {"crawlerName": ["another-quotes"]}}),
            json!({"detail": {"state": ["Started"]}}),
            json!({"detail": {"state": ["succeeded"]}}),
            json!({"detail": {"partitionsCreated": [1]}}),
            json!({"detail": {"nothing": ["of the kind"]}}),
            json!({"detail": {"state": {"of": ["matter"]}}}),
        ] {
            assert!(!matches(other.clone()), "{other}");
        }
    }

    #[test]
    fn a_list_in_the_event_matches_by_one_of_its_items() {
        let pattern = Pattern::parse(&json!({"resources": ["b", "z"], "detail": {"level": [1, null]}})).unwrap();
        assert!(pattern.matches(&json!({"resources": ["a", "b"], "detail": {"level": null}})));
        assert!(!pattern.matches(&json!({"resources": ["a"], "detail": {"level": 1}})));
        assert!(!pattern.matches(&json!({"resources": [], "detail": {"level": 1}})));
    }

    #[test]
    fn what_is_no_pattern_is_told_with_its_place() {
        let error = |pattern: Value| Pattern::parse(&pattern).unwrap_err();
        for (pattern, told) in [
            (json!([]), "an empty list at \"\""),
            (json!({}), "nothing at \"\""),
            (json!({"source": "aws.glue"}), "a text at \"source\""),
            (json!({"detail": {"state": []}}), "an empty list at \"detail.state\""),
            (json!({"detail": {}}), "nothing at \"detail\""),
            (json!({"source": [["aws.glue"]]}), "a list at \"source\""),
        ] {
            let error = error(pattern).to_string();
            assert!(error.contains(told), "{error}");
        }
        let filter = error(json!({"detail": {"state": [{"prefix": "Suc"}]}}));
        assert_eq!(filter, PatternError::Unsupported { at: "detail.state".into(), filter: "prefix".into() });
    }
}
