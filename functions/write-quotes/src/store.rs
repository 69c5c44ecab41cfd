//! The protocol's requests to S3, and what S3's answers mean for it.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;

use crate::error::StoreError;

/// The lake's bucket.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    bucket: String,
}

/// A version of an object: its ETag, as S3 quotes it.
pub type Version = String;

/// How a conditional write ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Put {
    /// It was written and has this version.
    Written(Version),
    /// Its condition did not hold, so nothing was written. This may be by our own doing: the SDK
    /// repeats a request whose answer was lost, and meets the object that the first try wrote.
    ConditionFailed,
}

/// Only if there is no such object, or only if it has this version.
#[derive(Debug, Clone, Copy)]
pub enum Condition<'a> {
    /// `If-None-Match: *`
    Absent,
    /// `If-Match`
    Version(&'a str),
}

/// How often a write is tried that came back neither done nor refused: S3 asked for a repetition (409: another
/// conditional write to the key is under way), or answered with a success that is none. The SDK repeats what else can be.
const TRIES: u32 = 5;

/// The pause before the second try; each later one is twice as long. A write under way takes some tenths of a second.
const PAUSE: Duration = Duration::from_millis(50);

impl Store {
    /// The bucket, through a client.
    pub const fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// An object's bytes and version; `None` where there is none.
    pub async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        const OPERATION: &str = "GetObject";
        let output = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(output) => output,
            Err(error) if status(&error) == Some(404) && error.code() != Some("NoSuchBucket") => return Ok(None),
            Err(error) => return Err(self.failed(OPERATION, key, error)),
        };
        let Some(version) = output.e_tag else { return Err(self.unusable(OPERATION, key, "the answer has no ETag")) };
        let body = output.body.collect().await.map_err(|error| StoreError {
            operation: OPERATION,
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            reason: "the body broke off".to_owned(),
            retryable: true,
            source: Some(Box::new(error)),
        })?;
        Ok(Some((body.to_vec(), version)))
    }

    /// An object's user metadata; `None` where there is no object.
    pub async fn metadata(&self, key: &str) -> Result<Option<HashMap<String, String>>, StoreError> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(output) => Ok(Some(output.metadata.unwrap_or_default())),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(self.failed("HeadObject", key, error)),
        }
    }

    /// Writes an object under a condition.
    pub async fn put(
        &self,
        key: &str,
        body: Vec<u8>,
        content_type: &str,
        metadata: HashMap<String, String>,
        condition: Condition<'_>,
    ) -> Result<Put, StoreError> {
        const OPERATION: &str = "PutObject";
        let body = bytes::Bytes::from(body);
        let mut tries = 0;
        loop {
            let request = self.client.put_object().bucket(&self.bucket).key(key).content_type(content_type);
            let request = request.set_metadata(Some(metadata.clone())).body(ByteStream::from(body.clone()));
            let request = match condition {
                Condition::Absent => request.if_none_match("*"),
                Condition::Version(version) => request.if_match(version),
            };
            tries += 1;
            match request.send().await {
                // Only an ETag is success. Whether the object was written without one, the next try tells: its
                // condition fails if it was.
                Ok(output) => match output.e_tag {
                    Some(version) => return Ok(Put::Written(version)),
                    None if tries < TRIES => {}
                    None => return Err(self.unusable(OPERATION, key, "the answer has no ETag")),
                },
                Err(error) => match (status(&error), condition) {
                    (Some(412), _) => return Ok(Put::ConditionFailed),
                    // S3's answer to If-Match on a missing key.
                    (Some(404), Condition::Version(_)) if error.code() != Some("NoSuchBucket") => return Ok(Put::ConditionFailed),
                    (Some(409), _) if tries < TRIES => {}
                    _ => return Err(self.failed(OPERATION, key, error)),
                },
            }
            tokio::time::sleep(PAUSE * 2_u32.pow(tries - 1)).await;
        }
    }

    fn failed<E, R>(&self, operation: &'static str, key: &str, error: SdkError<E, R>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
        SdkError<E, R>: StatusOf,
    {
        let status = error.status();
        let reason = match error.code() {
            Some(code) => format!("{code}: {}", error.message().unwrap_or("no message")),
            None => match status {
                Some(status) => format!("HTTP {status}"),
                None => DisplayErrorContext(&error).to_string(),
            },
        };
        // A 200 may carry an error in its body, which the SDK finds. S3 says 400 when it has waited too long for a body.
        let retryable = status.is_none_or(|status| !(400..500).contains(&status) || status == 429 || status == 409)
            || error.code() == Some("RequestTimeout");
        StoreError { operation, bucket: self.bucket.clone(), key: key.to_owned(), reason, retryable, source: Some(Box::new(error)) }
    }

    fn unusable(&self, operation: &'static str, key: &str, reason: &str) -> StoreError {
        let (bucket, key, reason) = (self.bucket.clone(), key.to_owned(), reason.to_owned());
        StoreError { operation, bucket, key, reason, retryable: true, source: None }
    }
}

/// The HTTP status that an SDK error came with.
trait StatusOf {
    fn status(&self) -> Option<u16>;
}

impl<E> StatusOf for SdkError<E, aws_sdk_s3::config::http::HttpResponse> {
    fn status(&self) -> Option<u16> {
        self.raw_response().map(|response| response.status().as_u16())
    }
}

fn status(error: &impl StatusOf) -> Option<u16> {
    error.status()
}
