//! The payload of a scheduled invocation.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use uuid::Uuid;

/// The template's input with its context attributes filled in, or the event that the scheduler sends without one.
pub(super) fn payload(input: Option<&str>, schedule_arn: &str, scheduled: DateTime<Utc>) -> Bytes {
    let id = Uuid::new_v4();
    let time = scheduled.to_rfc3339_opts(SecondsFormat::Secs, true);
    let payload = match input {
        Some(input) => input
            .replace("<aws.scheduler.schedule-arn>", schedule_arn)
            .replace("<aws.scheduler.scheduled-time>", &time)
            .replace("<aws.scheduler.execution-id>", &id.simple().to_string())
            .replace("<aws.scheduler.attempt-number>", "1"),
        None => {
            // arn:aws:scheduler:REGION:ACCOUNT:schedule/GROUP/NAME
            let part = |index| schedule_arn.split(':').nth(index).unwrap_or_default();
            json!({
                "version": "0",
                "id": id.to_string(),
                "detail-type": "Scheduled Event",
                "source": "aws.scheduler",
                "account": part(4),
                "time": time,
                "region": part(3),
                "resources": [schedule_arn],
                "detail": "{}",
            })
            .to_string()
        }
    };
    Bytes::from(payload)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::payload;
    use serde_json::Value;

    const ARN: &str = "arn:aws:scheduler:us-east-1:000000000000:schedule/default/fetch";

    #[test]
    fn context_attributes_are_filled_in() {
        let input = r#"{"time":"<aws.scheduler.scheduled-time>","try":<aws.scheduler.attempt-number>}"#;
        let payload = payload(Some(input), ARN, "2013-10-07T13:30:00.25Z".parse().unwrap());
        assert_eq!(payload, r#"{"time":"2013-10-07T13:30:00Z","try":1}"#);
    }

    #[test]
    fn without_an_input_the_schedulers_own_event_is_sent() {
        let payload = payload(None, ARN, "2013-10-07T13:30:00Z".parse().unwrap());
        let event: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(event["time"], "2013-10-07T13:30:00Z");
        assert_eq!(event["region"], "us-east-1");
        assert_eq!(event["account"], "000000000000");
        assert_eq!(event["resources"][0], ARN);
    }
}
