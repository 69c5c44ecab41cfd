//! What a function's response says of the messages in its batch, with `ReportBatchItemFailures`.

use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(default)]
    batch_item_failures: Option<Vec<Failure>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

/// A response that AWS takes for the failure of the whole batch.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidResponse {
    #[error("the response is not of the form {{\"batchItemFailures\": [{{\"itemIdentifier\": \"…\"}}]}}")]
    Form,
    #[error("the response names a message that was not in the batch: {0:?}")]
    Unknown(String),
}

/// The ids of the messages that failed. No response, `null`, `{}` and an absent, empty or null list are full success.
pub(super) fn failures(response: &[u8], batch: &[&str]) -> Result<BTreeSet<String>, InvalidResponse> {
    if response.is_empty() {
        return Ok(BTreeSet::new());
    }
    let response: Option<Response> = serde_json::from_slice(response).map_err(|_| InvalidResponse::Form)?;
    let failures = response.and_then(|response| response.batch_item_failures).unwrap_or_default();
    failures
        .into_iter()
        .map(|failure| match batch.contains(&failure.item_identifier.as_str()) {
            true => Ok(failure.item_identifier),
            false => Err(InvalidResponse::Unknown(failure.item_identifier)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{InvalidResponse, failures};

    #[test]
    fn empty_responses_are_full_success() {
        for response in ["", "null", "{}", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#] {
            assert!(failures(response.as_bytes(), &["a"]).unwrap().is_empty(), "{response}");
        }
    }

    #[test]
    fn named_messages_failed() {
        let response = br#"{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"b"}]}"#;
        assert_eq!(failures(response, &["a", "b"]).unwrap().into_iter().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn anything_else_fails_the_whole_batch() {
        for response in
            ["nonsense", r#""ok""#, r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#, r#"{"batchItemFailures":[{"itemId":"a"}]}"#]
        {
            assert_eq!(failures(response.as_bytes(), &["a"]), Err(InvalidResponse::Form), "{response}");
        }
        for id in ["", "z"] {
            let response = format!(r#"{{"batchItemFailures":[{{"itemIdentifier":"{id}"}}]}}"#);
            assert_eq!(failures(response.as_bytes(), &["a"]), Err(InvalidResponse::Unknown(id.into())));
        }
    }
}
