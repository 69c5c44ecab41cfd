//! The template's text as one JSON tree in which every intrinsic function stands in its long form.

use super::error::{Error, Place};
use serde_json::{Map, Value as Json};
use serde_yaml_ng::Value as Yaml;

/// Parses YAML and rewrites the short forms: `!Ref X` becomes `{"Ref": "X"}`, `!GetAtt A.B` becomes `{"Fn::GetAtt": ["A", "B"]}`.
pub(super) fn parse(text: &str) -> Result<Map<String, Json>, Error> {
    let yaml: Yaml = serde_yaml_ng::from_str(text).map_err(Error::Yaml)?;
    let root = Place::new("template", "");
    match json(&yaml, &root)? {
        Json::Object(map) => Ok(map),
        _ => Err(Error::WrongType { at: root, expected: "a mapping with Resources" }),
    }
}

fn json(yaml: &Yaml, at: &Place) -> Result<Json, Error> {
    Ok(match yaml {
        Yaml::Null => Json::Null,
        Yaml::Bool(value) => Json::Bool(*value),
        Yaml::Number(value) => serde_json::to_value(value).map_err(|_| Error::NotATemplate { at: at.clone(), what: "a number" })?,
        Yaml::String(value) => Json::String(value.clone()),
        Yaml::Sequence(items) => {
            Json::Array(items.iter().enumerate().map(|(index, item)| json(item, &at.child(index))).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let key = key_text(key, at)?;
                let value = json(value, &at.child(&key))?;
                map.insert(key, value);
            }
            Json::Object(map)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.trim_start_matches('!');
            let argument = json(&tagged.value, at)?;
            let (name, argument) = match name {
                "Ref" | "Condition" => (name.to_owned(), argument),
                "GetAtt" => ("Fn::GetAtt".to_owned(), attribute_pair(argument)),
                _ => (format!("Fn::{name}"), argument),
            };
            Json::Object(Map::from_iter([(name, argument)]))
        }
    })
}

/// Mapping keys such as account numbers may be written without quotes.
fn key_text(key: &Yaml, at: &Place) -> Result<String, Error> {
    match key {
        Yaml::String(text) => Ok(text.clone()),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(value) => Ok(value.to_string()),
        _ => Err(Error::NotATemplate { at: at.clone(), what: "a key that is not text" }),
    }
}

fn attribute_pair(argument: Json) -> Json {
    match argument {
        Json::String(text) => match text.split_once('.') {
            Some((id, attribute)) => Json::from(vec![id, attribute]),
            None => Json::String(text),
        },
        other => other,
    }
}
