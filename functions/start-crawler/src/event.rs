//! S3's notifications, as they arrive in the body of an SQS message.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::Error as _;

/// An object that came to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ObjectCreated {
    /// The bucket that it is in.
    pub(crate) bucket: String,
    /// Its key, decoded.
    pub(crate) key: String,
    /// When S3 had it.
    pub(crate) landed_at: DateTime<Utc>,
}

/// Only the fields that are used: the crate's own `S3Event` refuses a notification for the lack of any other.
#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "Event")]
    event: Option<String>,
    #[serde(rename = "Records")]
    records: Option<Vec<Record>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_name: String,
    event_time: DateTime<Utc>,
    s3: Place,
}

#[derive(Deserialize)]
struct Place {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
}

/// The objects that a message tells of; none for the test message that S3 sends when the notification is set up.
pub(crate) fn objects_created(body: &str) -> Result<Vec<ObjectCreated>, serde_json::Error> {
    let notification: Notification = serde_json::from_str(body)?;
    if notification.event.as_deref() == Some("s3:TestEvent") {
        return Ok(Vec::new());
    }
    let records = notification.records.ok_or_else(|| serde_json::Error::missing_field("Records"))?;
    let created = records.into_iter().filter(|record| record.event_name.starts_with("ObjectCreated:"));
    Ok(created
        .map(|record| ObjectCreated { bucket: record.s3.bucket.name, key: url_decode(&record.s3.object.key), landed_at: record.event_time })
        .collect())
}

/// Undoes the encoding of keys in notifications: `+` is a space, `%3D` is `=`. What is no escape stays as it is.
fn url_decode(key: &str) -> String {
    let mut decoded = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        decoded.push(match (first, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'%',
            },
            _ => first,
        });
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use aws_lambda_events::sqs::SqsEvent;

    use super::*;

    fn bodies(event: &str) -> Vec<String> {
        let event: SqsEvent = serde_json::from_str(event).unwrap();
        event.records.into_iter().map(|message| message.body.unwrap()).collect()
    }

    #[test]
    fn a_notification_tells_what_landed_where_and_when() {
        let bodies = bodies(include_str!("../../../events/start-crawler-object-created.json"));
        assert_eq!(
            objects_created(&bodies[0]).unwrap(),
            [ObjectCreated {
                bucket: "tickerlake-lake-123456789012-us-east-1".into(),
                key: "quotes/dt=2026-11-23/c-4L6g3nShT-eMCtK--X86sw-quotes-00000-00000000000000004200.parquet".into(),
                landed_at: "2026-11-23T14:31:05.412Z".parse().unwrap(),
            }]
        );
    }

    #[test]
    fn one_message_can_tell_of_several_objects() {
        let bodies = bodies(include_str!("../../../events/start-crawler-several.json"));
        let counts: Vec<usize> = bodies.iter().map(|body| objects_created(body).unwrap().len()).collect();
        assert_eq!(counts, [1, 1, 2, 1, 1]);
    }

    #[test]
    fn the_test_message_tells_of_nothing() {
        let bodies = bodies(include_str!("../../../events/start-crawler-test-event.json"));
        assert_eq!(objects_created(&bodies[0]).unwrap(), []);
    }

    #[test]
    fn removals_are_not_creations() {
        let body = r#"{"Records":[{"eventName":"ObjectRemoved:Delete","eventTime":"2026-11-23T14:31:05Z",
            "s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}"#;
        assert_eq!(objects_created(body).unwrap(), []);
    }

    #[test]
    fn anything_else_is_refused() {
        for body in ["hello", "{}", "[]", "null", r#"{"Records":[{}]}"#, r#"{"Event":"s3:Other"}"#] {
            assert!(objects_created(body).is_err(), "{body}");
        }
    }

    #[test]
    fn keys_are_decoded() {
        for (key, decoded) in [
            ("quotes/dt%3D2026-11-23/a+b%2Bc.parquet", "quotes/dt=2026-11-23/a b+c.parquet"),
            ("%C3%A9%e2%82%ac", "é€"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%ff", "\u{fffd}"),
            ("%%33D", "%3D"),
        ] {
            assert_eq!(url_decode(key), decoded);
        }
    }
}
