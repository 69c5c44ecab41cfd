//! AWS JSON 1.1, as Glue and Athena speak it: typed errors and typed access to a request's members.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

/// An error in the service's own shape: status 400, `__type` and `Message`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct ApiError {
    kind: &'static str,
    message: String,
}

/// What an operation answers.
pub(crate) type ApiResult = Result<Value, ApiError>;

impl ApiError {
    /// An error of the named exception type.
    pub(crate) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The exception's name, for example `EntityNotFoundException`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.kind
    }

    /// The text for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// 5xx for what a retry may mend, as the SDKs understand it.
    pub(crate) fn status(&self) -> u16 {
        if self.kind == "InternalServiceException" || self.kind == "InternalServerException" { 500 } else { 400 }
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "__type": self.kind, "Message": self.message })
    }
}

/// A request's members. The exception that a bad member raises has another name in each service.
pub(crate) struct Input {
    members: Map<String, Value>,
    invalid: &'static str,
}

impl Input {
    /// Reads a request's body.
    pub(crate) fn parse(body: &[u8], invalid: &'static str) -> Result<Self, ApiError> {
        match serde_json::from_slice(if body.is_empty() { b"{}" } else { body }) {
            Ok(Value::Object(members)) => Ok(Self { members, invalid }),
            Ok(_) => Err(ApiError::new("SerializationException", "The request is not a JSON object.")),
            Err(error) => Err(ApiError::new("SerializationException", format!("The request is not JSON: {error}."))),
        }
    }

    /// A definition that did not come over the wire.
    pub(crate) fn from_value(value: &Value, invalid: &'static str) -> Result<Self, ApiError> {
        match value {
            Value::Object(members) => Ok(Self { members: members.clone(), invalid }),
            other => Err(ApiError::new(invalid, format!("{other} is not a JSON object."))),
        }
    }

    /// A structure inside, read in the same way.
    pub(crate) fn object(&self, name: &str) -> Result<Self, ApiError> {
        match self.get(name) {
            Some(Value::Object(members)) => Ok(Self { members: members.clone(), invalid: self.invalid }),
            _ => Err(self.invalid(format!("{name} is required and must be a structure."))),
        }
    }

    /// A text that must be there.
    pub(crate) fn string(&self, name: &str) -> Result<&str, ApiError> {
        self.optional_string(name)?.filter(|text| !text.is_empty()).ok_or_else(|| self.invalid(format!("{name} is required.")))
    }

    /// A text that may be missing.
    pub(crate) fn optional_string(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.invalid(format!("{name} must be a string."))),
        }
    }

    /// Texts; none if the member is missing.
    pub(crate) fn strings(&self, name: &str) -> Result<Vec<String>, ApiError> {
        self.array(name)?
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| self.invalid(format!("{name} must be a list of strings.")))
    }

    /// Values; none if the member is missing.
    pub(crate) fn array(&self, name: &str) -> Result<&[Value], ApiError> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(values)) => Ok(values),
            Some(_) => Err(self.invalid(format!("{name} must be a list."))),
        }
    }

    /// A whole number from 1 to `most`; `most` if the member is missing.
    pub(crate) fn page_size(&self, name: &str, most: usize) -> Result<usize, ApiError> {
        match self.get(name) {
            None => Ok(most),
            Some(value) => value
                .as_u64()
                .and_then(|size| usize::try_from(size).ok())
                .filter(|size| (1..=most).contains(size))
                .ok_or_else(|| self.invalid(format!("{name} must be a number from 1 to {most}."))),
        }
    }

    /// Whether a member is there and true.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A member that is there; null counts as missing.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// Refuses what the local service does not do, rather than answering something else.
    pub(crate) fn refuse(&self, name: &str) -> Result<(), ApiError> {
        match self.get(name) {
            Some(_) => Err(self.invalid(format!("{name} is not supported by the local stack."))),
            None => Ok(()),
        }
    }

    /// All members.
    pub(crate) fn into_members(self) -> Map<String, Value> {
        self.members
    }

    /// The service's exception for a bad request.
    pub(crate) fn invalid(&self, message: String) -> ApiError {
        ApiError::new(self.invalid, message)
    }
}

/// A page of a list whose token is the position of its first item, and the token of the page after it.
pub(crate) fn page<'a, T>(items: &'a [T], input: &Input, most: usize) -> Result<(&'a [T], Option<String>), ApiError> {
    let start = match input.optional_string("NextToken")? {
        None => 0,
        Some(token) => token.parse::<usize>().map_err(|_| input.invalid(format!("NextToken {token:?} was not given out here.")))?,
    };
    let start = start.min(items.len());
    let end = start.saturating_add(input.page_size("MaxResults", most)?).min(items.len());
    let page = items.get(start..end).unwrap_or_default();
    Ok((page, (end < items.len()).then(|| end.to_string())))
}

/// The present time as the protocol writes it: seconds since 1970, with milliseconds behind the point.
pub(crate) fn now() -> f64 {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    millis as f64 / 1000.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_a_list_once() {
        let items: Vec<u32> = (0..7).collect();
        let (mut seen, mut token) = (Vec::new(), None::<String>);
        loop {
            let body = json!({ "MaxResults": 3, "NextToken": token });
            let input = Input::from_value(&body, "InvalidInputException").unwrap();
            let (page, next) = page(&items, &input, 100).unwrap();
            seen.extend_from_slice(page);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, items);
    }

    #[test]
    fn a_bad_request_is_told_by_member() {
        let input = Input::parse(br#"{"Name": 1, "MaxResults": 0}"#, "InvalidInputException").unwrap();
        assert_eq!(input.string("Name").unwrap_err().message(), "Name must be a string.");
        assert_eq!(input.string("DatabaseName").unwrap_err().message(), "DatabaseName is required.");
        assert_eq!(input.page_size("MaxResults", 10).unwrap_err().message(), "MaxResults must be a number from 1 to 10.");
        assert_eq!(Input::parse(b"[", "X").err().unwrap().kind(), "SerializationException");
    }
}
