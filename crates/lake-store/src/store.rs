//! Requests to the lake's bucket, and what S3's answers mean.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::error::StoreError;

/// The lake's bucket.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    bucket: String,
}

/// A version of an object: its ETag, as S3 quotes it.
pub type Version = String;

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its version.
    pub version: Version,
    /// Bytes.
    pub size: u64,
    /// When it was written, to the second, by S3's clock.
    pub modified: DateTime<Utc>,
}

/// How a copy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// The object is there now.
    Done,
    /// Something was there already, and stays.
    Existed,
    /// There is nothing to copy.
    NoSource,
}

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
        let body = output.body.collect().await.map_err(|error| self.broken(OPERATION, key, error))?;
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

    /// All objects whose keys begin with `prefix`, in the order of their keys.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Object>, StoreError> {
        const OPERATION: &str = "ListObjectsV2";
        let mut found = Vec::new();
        let mut pages = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failed(OPERATION, prefix, error))?;
            for object in page.contents.unwrap_or_default() {
                let modified = object.last_modified.and_then(|time| DateTime::from_timestamp(time.secs(), time.subsec_nanos()));
                let (Some(key), Some(version), Some(modified)) = (object.key, object.e_tag, modified) else {
                    return Err(self.unusable(OPERATION, prefix, "an object is listed without its key, ETag or time"));
                };
                let size = u64::try_from(object.size.unwrap_or_default()).unwrap_or_default();
                found.push(Object { key, version, size, modified });
            }
        }
        Ok(found)
    }

    /// The bytes of one version of an object; `None` where it is gone or has another version.
    pub async fn get_version(&self, key: &str, version: &str) -> Result<Option<Bytes>, StoreError> {
        const OPERATION: &str = "GetObject";
        let output = match self.client.get_object().bucket(&self.bucket).key(key).if_match(version).send().await {
            Ok(output) => output,
            Err(error) if matches!(status(&error), Some(404 | 412)) && error.code() != Some("NoSuchBucket") => return Ok(None),
            Err(error) => return Err(self.failed(OPERATION, key, error)),
        };
        let body = output.body.collect().await.map_err(|error| self.broken(OPERATION, key, error))?;
        Ok(Some(body.into_bytes()))
    }

    /// Copies an object with its metadata to a key where there is none.
    pub async fn copy(&self, from: &str, to: &str) -> Result<Copied, StoreError> {
        const OPERATION: &str = "CopyObject";
        let source = format!("{}/{}", self.bucket, percent_encoded(from));
        let mut tries = 0;
        loop {
            let request = self.client.copy_object().bucket(&self.bucket).key(to).copy_source(&source).if_none_match("*");
            tries += 1;
            match request.send().await {
                Ok(output) => match output.copy_object_result.and_then(|result| result.e_tag) {
                    Some(_) => return Ok(Copied::Done),
                    None if tries < TRIES => {}
                    None => return Err(self.unusable(OPERATION, to, "the answer has no ETag")),
                },
                Err(error) => match status(&error) {
                    Some(412) => return Ok(Copied::Existed),
                    Some(404) if error.code() != Some("NoSuchBucket") => return Ok(Copied::NoSource),
                    Some(409) if tries < TRIES => {}
                    _ => return Err(self.failed(OPERATION, to, error)),
                },
            }
            tokio::time::sleep(PAUSE * 2_u32.pow(tries - 1)).await;
        }
    }

    /// Removes an object; one that is gone already is success. In a bucket with versions it stays as an older version.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let answer = self.client.delete_object().bucket(&self.bucket).key(key).send().await;
        answer.map(drop).map_err(|error| self.failed("DeleteObject", key, error))
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
        let body = Bytes::from(body);
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

    fn broken(&self, operation: &'static str, key: &str, error: impl Error + Send + Sync + 'static) -> StoreError {
        let (bucket, key, reason) = (self.bucket.clone(), key.to_owned(), "the body broke off".to_owned());
        StoreError { operation, bucket, key, reason, retryable: true, source: Some(Box::new(error)) }
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

/// A key as the header that names a copy's source takes it.
fn percent_encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    key.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_copys_source_is_encoded() {
        assert_eq!(
            super::percent_encoded("quotes/dt=2026-11-23/c-a_b.c~ é+%.parquet"),
            "quotes/dt%3D2026-11-23/c-a_b.c~%20%C3%A9%2B%25.parquet"
        );
    }
}
