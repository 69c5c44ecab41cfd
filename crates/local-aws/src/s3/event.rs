//! The event notification that S3 sends for a new object.

use std::fmt::Write;

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

use super::notification::ObjectCreated;
use crate::protocol::REGION;

impl ObjectCreated {
    /// The message, version 2.1, whose key is URL-encoded as S3 does it: blanks as `+`, all but
    /// unreserved characters and `/` as `%XX`.
    ///
    /// Source: Amazon S3 User Guide, "Event message structure".
    #[must_use]
    pub fn event(&self) -> Value {
        json!({"Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": REGION,
            "eventTime": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            "eventName": self.event_name,
            "s3": {
                "s3SchemaVersion": "1.0",
                "bucket": { "name": self.bucket, "arn": format!("arn:aws:s3:::{}", self.bucket) },
                "object": { "key": url_encoded(&self.key), "size": self.size, "eTag": self.etag },
            },
        }]})
    }
}

fn url_encoded(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len() + 8);
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            // Writing to a String cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::url_encoded;

    #[test]
    fn keys_are_encoded_as_s3_does_it() {
        assert_eq!(url_encoded("quotes/dt=2026-11-23/a b_ü.parquet"), "quotes/dt%3D2026-11-23/a+b_%C3%BC.parquet");
    }
}
