//! Evaluates intrinsic functions, as CloudFormation does when it creates the stack.

use super::Settings;
use super::error::{Error, Place};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// References deeper than this lead in a circle.
const MAX_DEPTH: u8 = 32;

/// One resource as it stands in the template, unresolved.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) kind: String,
    pub(super) body: Map<String, Json>,
}

/// The template's sections, and what references in them resolve to.
pub(super) struct Resolver<'s> {
    settings: &'s Settings,
    /// Parameter values that are given or defaulted; the ones that are declared without a value are `None`.
    parameters: BTreeMap<String, Option<Json>>,
    conditions: Map<String, Json>,
    mappings: Map<String, Json>,
    /// Resources whose condition holds.
    resources: BTreeMap<String, Resource>,
}

impl<'s> Resolver<'s> {
    pub(super) fn new(document: &Map<String, Json>, settings: &'s Settings) -> Result<Self, Error> {
        let mut resolver = Self {
            settings,
            parameters: parameters(&section(document, "Parameters")?, settings)?,
            conditions: section(document, "Conditions")?,
            mappings: section(document, "Mappings")?,
            resources: BTreeMap::new(),
        };
        let mut resources = BTreeMap::new();
        for (logical_id, body) in section(document, "Resources")? {
            let at = Place::new(logical_id.clone(), "");
            let Json::Object(body) = body else {
                return Err(Error::WrongType { at, expected: "a resource with a Type" });
            };
            let Some(kind) = body.get("Type").and_then(Json::as_str).map(str::to_owned) else {
                return Err(Error::MissingProperty { at: at.child("Type") });
            };
            if let Some(condition) = body.get("Condition") {
                let at = at.child("Condition");
                let name = condition.as_str().ok_or_else(|| Error::WrongType { at: at.clone(), expected: "the name of a condition" })?;
                if !resolver.condition(name, &at)? {
                    continue;
                }
            }
            resources.insert(logical_id, Resource { kind, body });
        }
        resolver.resources = resources;
        Ok(resolver)
    }

    pub(super) fn settings(&self) -> &Settings {
        self.settings
    }

    pub(super) fn resources(&self) -> impl Iterator<Item = (&str, &Resource)> {
        self.resources.iter().map(|(id, resource)| (id.as_str(), resource))
    }

    pub(super) fn resource(&self, logical_id: &str) -> Option<&Resource> {
        self.resources.get(logical_id)
    }

    /// The value with every intrinsic function evaluated; `None` for `AWS::NoValue`, which takes its key along.
    pub(super) fn resolve(&self, value: &Json, at: &Place) -> Result<Option<Json>, Error> {
        if at.depth > MAX_DEPTH {
            return Err(Error::Circular { at: at.clone() });
        }
        Ok(Some(match value {
            Json::Object(map) => match intrinsic(map) {
                Some((name, argument)) => return self.call(name, argument, at),
                None => {
                    let mut resolved = Map::new();
                    for (key, value) in map {
                        if let Some(value) = self.resolve(value, &at.child(key))? {
                            resolved.insert(key.clone(), value);
                        }
                    }
                    Json::Object(resolved)
                }
            },
            Json::Array(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    resolved.extend(self.resolve(item, &at.child(index))?);
                }
                Json::Array(resolved)
            }
            plain => plain.clone(),
        }))
    }

    fn call(&self, name: &str, argument: &Json, at: &Place) -> Result<Option<Json>, Error> {
        let at = &at.child(name);
        let wrong = |expected| Error::Arguments { at: at.clone(), name: name.to_owned(), expected };
        match name {
            "Ref" => {
                let id = argument.as_str().ok_or_else(|| wrong("a name"))?;
                self.reference(id, at)
            }
            "Fn::GetAtt" => match argument.as_array().map(Vec::as_slice) {
                Some([Json::String(id), attribute]) => {
                    let attribute = self.text(attribute, at)?;
                    self.attribute(id, &attribute, at).map(|value| Some(Json::String(value)))
                }
                _ => Err(wrong("a logical id and an attribute")),
            },
            "Fn::Sub" => match argument {
                Json::String(text) => self.substitute(text, &Map::new(), at),
                Json::Array(parts) => match parts.as_slice() {
                    [Json::String(text)] => self.substitute(text, &Map::new(), at),
                    [Json::String(text), Json::Object(variables)] => self.substitute(text, variables, at),
                    _ => Err(wrong("a text and a mapping")),
                },
                _ => Err(wrong("a text")),
            }
            .map(|text| Some(Json::String(text))),
            "Fn::If" => match argument.as_array().map(Vec::as_slice) {
                Some([Json::String(condition), then, otherwise]) => {
                    let chosen = if self.condition(condition, at)? { then } else { otherwise };
                    self.resolve(chosen, at)
                }
                _ => Err(wrong("a condition and two values")),
            },
            "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => {
                let call = Json::Object(Map::from_iter([(name.to_owned(), argument.clone())]));
                self.evaluate(&call, at).map(|holds| Some(Json::Bool(holds)))
            }
            "Fn::Join" => match argument.as_array().map(Vec::as_slice) {
                Some([Json::String(delimiter), list]) => Ok(Some(Json::String(self.texts(list, at)?.join(delimiter.as_str())))),
                _ => Err(wrong("a delimiter and a list")),
            },
            "Fn::Select" => match argument.as_array().map(Vec::as_slice) {
                Some([index, list]) => {
                    let index: usize = self.text(index, at)?.parse().map_err(|_| wrong("an index and a list"))?;
                    let chosen = self.texts(list, at)?.into_iter().nth(index);
                    chosen.map(|text| Some(Json::String(text))).ok_or_else(|| wrong("an index within its list"))
                }
                _ => Err(wrong("an index and a list")),
            },
            "Fn::Split" => match argument.as_array().map(Vec::as_slice) {
                Some([Json::String(delimiter), text]) if !delimiter.is_empty() => {
                    let text = self.text(text, at)?;
                    Ok(Some(Json::from(text.split(delimiter.as_str()).collect::<Vec<_>>())))
                }
                _ => Err(wrong("a delimiter and a text")),
            },
            "Fn::FindInMap" => match argument.as_array().map(Vec::as_slice) {
                Some([map, first, second]) => {
                    let map = self.text(map, at)?;
                    let first = self.text(first, at)?;
                    let second = self.text(second, at)?;
                    self.mappings
                        .get(&map)
                        .and_then(|map| map.get(&first)?.get(&second))
                        .map(|found| Some(found.clone()))
                        .ok_or_else(|| Error::MissingReference { at: at.clone(), name: format!("{map}.{first}.{second}") })
                }
                _ => Err(wrong("a mapping's name and two keys")),
            },
            _ => Err(Error::UnknownIntrinsic { at: at.clone(), name: name.to_owned() }),
        }
    }

    /// What `Ref` gives: a pseudo parameter, a parameter's value or a resource's physical name.
    fn reference(&self, name: &str, at: &Place) -> Result<Option<Json>, Error> {
        let text = |text: &str| Ok(Some(Json::String(text.to_owned())));
        match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::StackName" => return text(&self.settings.stack),
            "AWS::AccountId" => return text(&self.settings.account),
            "AWS::Region" => return text(&self.settings.region),
            "AWS::Partition" => return text("aws"),
            "AWS::URLSuffix" => return text("amazonaws.com"),
            "AWS::StackId" => return text(&self.arn("cloudformation", &format!("stack/{}/local", self.settings.stack))),
            "AWS::NotificationARNs" => return Ok(Some(Json::Array(Vec::new()))),
            _ => {}
        }
        match self.parameters.get(name) {
            Some(Some(value)) => Ok(Some(value.clone())),
            Some(None) => Err(Error::MissingParameter { at: at.clone(), name: name.to_owned() }),
            None => self.physical_reference(name, at).map(|value| Some(Json::String(value))),
        }
    }

    /// Replaces `${Name}`, `${Resource.Attribute}` and the mapping's own names; `${!Name}` stays as `${Name}`.
    fn substitute(&self, text: &str, variables: &Map<String, Json>, at: &Place) -> Result<String, Error> {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            result.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                return Err(Error::Arguments { at: at.clone(), name: "Fn::Sub".to_owned(), expected: "a closing brace after each ${" });
            };
            rest = after;
            let name = name.trim();
            if let Some(literal) = name.strip_prefix('!') {
                result.push_str(&format!("${{{literal}}}"));
            } else if let Some(value) = variables.get(name) {
                result.push_str(&self.text(value, at)?);
            } else if let Some((id, attribute)) = name.split_once('.') {
                result.push_str(&self.attribute(id, attribute, at)?);
            } else {
                let value = self.reference(name, at)?.unwrap_or(Json::Null);
                result.push_str(&scalar(&value).ok_or_else(|| not_text(at))?);
            }
        }
        result.push_str(rest);
        Ok(result)
    }

    fn text(&self, value: &Json, at: &Place) -> Result<String, Error> {
        self.resolve(value, at)?.as_ref().and_then(scalar).ok_or_else(|| not_text(at))
    }

    fn texts(&self, value: &Json, at: &Place) -> Result<Vec<String>, Error> {
        match self.resolve(value, at)? {
            Some(Json::Array(items)) => items.iter().map(|item| scalar(item).ok_or_else(|| not_text(at))).collect(),
            _ => Err(Error::WrongType { at: at.clone(), expected: "a list" }),
        }
    }

    fn condition(&self, name: &str, at: &Place) -> Result<bool, Error> {
        let condition = self.conditions.get(name).ok_or_else(|| Error::MissingReference { at: at.clone(), name: name.to_owned() })?;
        self.evaluate(condition, &at.follow("Conditions", name))
    }

    fn evaluate(&self, condition: &Json, at: &Place) -> Result<bool, Error> {
        if at.depth > MAX_DEPTH {
            return Err(Error::Circular { at: at.clone() });
        }
        let wrong = || Error::WrongType { at: at.clone(), expected: "a condition" };
        let map = condition.as_object().filter(|map| map.len() == 1).ok_or_else(wrong)?;
        let (name, argument) = map.iter().next().ok_or_else(wrong)?;
        let deeper = at.follow(&at.logical_id, &at.path).child(name);
        match (name.as_str(), argument) {
            ("Condition", Json::String(name)) => self.condition(name, at),
            ("Fn::Equals", Json::Array(sides)) => match sides.as_slice() {
                [left, right] => Ok(self.text(left, &deeper)? == self.text(right, &deeper)?),
                _ => Err(wrong()),
            },
            ("Fn::Not", Json::Array(inner)) => match inner.as_slice() {
                [inner] => Ok(!self.evaluate(inner, &deeper)?),
                _ => Err(wrong()),
            },
            ("Fn::And", Json::Array(all)) => all.iter().try_fold(true, |holds, one| Ok(holds && self.evaluate(one, &deeper)?)),
            ("Fn::Or", Json::Array(any)) => any.iter().try_fold(false, |holds, one| Ok(holds || self.evaluate(one, &deeper)?)),
            ("Condition" | "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or", _) => Err(wrong()),
            _ => Err(Error::UnknownIntrinsic { at: at.clone(), name: name.clone() }),
        }
    }
}

fn not_text(at: &Place) -> Error {
    Error::WrongType { at: at.clone(), expected: "a text" }
}

fn section(document: &Map<String, Json>, name: &str) -> Result<Map<String, Json>, Error> {
    match document.get(name) {
        None | Some(Json::Null) => Ok(Map::new()),
        Some(Json::Object(map)) => Ok(map.clone()),
        Some(_) => Err(Error::WrongType { at: Place::new(name, ""), expected: "a mapping" }),
    }
}

fn parameters(declared: &Map<String, Json>, settings: &Settings) -> Result<BTreeMap<String, Option<Json>>, Error> {
    if let Some(name) = settings.parameters.keys().find(|name| !declared.contains_key(*name)) {
        return Err(Error::UnknownParameter { name: name.clone() });
    }
    declared
        .iter()
        .map(|(name, declaration)| {
            let given = settings.parameters.get(name).cloned();
            let value = given.or_else(|| declaration.get("Default").and_then(scalar));
            let is_list = declaration
                .get("Type")
                .and_then(Json::as_str)
                .is_some_and(|kind| kind == "CommaDelimitedList" || kind.starts_with("List<"));
            let value =
                value.map(|text| if is_list { Json::from(text.split(',').map(str::trim).collect::<Vec<_>>()) } else { Json::String(text) });
            Ok((name.clone(), value))
        })
        .collect()
}

/// A mapping with one key that names a function is a call. `Condition` is one only inside a condition: elsewhere it is
/// an ordinary key (of a policy, for example).
fn intrinsic(map: &Map<String, Json>) -> Option<(&str, &Json)> {
    let (name, argument) = map.iter().next().filter(|_| map.len() == 1)?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name.as_str(), argument))
}

/// CloudFormation treats numbers and booleans as their text.
pub(super) fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}
