//! What a sender says of a message beside its body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A message's attributes by name.
pub type Attributes = BTreeMap<String, Attribute>;

/// One attribute, in the shape of SQS's API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, perhaps with a point and a label of the sender's behind it.
    pub data_type: String,
    /// The value of a text or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// The value of bytes, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

impl Attribute {
    /// A text.
    pub fn string(value: impl Into<String>) -> Self {
        Self { data_type: "String".to_owned(), string_value: Some(value.into()), binary_value: None }
    }
}

/// The digest of a message's attributes that clients compare; none without attributes or with bytes that are no base64.
///
/// Source: Amazon SQS Developer Guide, "Calculating the MD5 message digest for message attributes".
pub(super) fn md5_of(attributes: &Attributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digested = Vec::new();
    let add = |digested: &mut Vec<u8>, bytes: &[u8]| {
        digested.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        digested.extend_from_slice(bytes);
    };
    for (name, attribute) in attributes {
        // A byte before the value says whether it is a text or bytes.
        let (kind, value) = match (&attribute.string_value, &attribute.binary_value) {
            (Some(text), _) => (1, text.clone().into_bytes()),
            (None, Some(bytes)) => (2, STANDARD.decode(bytes).ok()?),
            (None, None) => return None,
        };
        add(&mut digested, name.as_bytes());
        add(&mut digested, attribute.data_type.as_bytes());
        digested.push(kind);
        add(&mut digested, &value);
    }
    Some(md5_hex(&digested))
}

/// A digest as SQS writes it.
pub(super) fn md5_hex(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().fold(String::with_capacity(32), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
