//! `s3://bucket/prefix/` addresses, as Glue and Athena write them.

use std::fmt;
use std::str::FromStr;

/// A folder in a bucket. The prefix is either empty or ends with a slash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct S3Location {
    bucket: String,
    prefix: String,
}

/// Why a text is no S3 folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// It does not begin with `s3://` (or `s3a://`, `s3n://`), or names no bucket.
    #[error("{0:?} is not of the form s3://bucket/prefix/")]
    Form(String),
    /// A part of it is empty, `.` or `..`: as plain files it would lead somewhere else.
    #[error("{0:?} has an empty, '.' or '..' part, which the local S3 cannot store")]
    Part(String),
}

impl S3Location {
    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key prefix: empty, or with a slash at its end.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of a file in this folder.
    #[must_use]
    pub fn key(&self, file: &str) -> String {
        format!("{}{file}", self.prefix)
    }
}

impl FromStr for S3Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = ["s3://", "s3a://", "s3n://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .ok_or_else(|| LocationError::Form(text.to_owned()))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(LocationError::Form(text.to_owned()));
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let refused = |part: &str| part.is_empty() || part == "." || part == "..";
        if refused(bucket) || (!prefix.is_empty() && prefix.split('/').any(refused)) {
            return Err(LocationError::Part(text.to_owned()));
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { bucket: bucket.to_owned(), prefix })
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_the_same_with_and_without_its_last_slash() {
        let with: S3Location = "s3://lake/quotes/dt=2026-11-23/".parse().unwrap();
        let without: S3Location = "s3://lake/quotes/dt=2026-11-23".parse().unwrap();
        assert_eq!(with, without);
        assert_eq!(with.to_string(), "s3://lake/quotes/dt=2026-11-23/");
        assert_eq!(with.key("a.parquet"), "quotes/dt=2026-11-23/a.parquet");
    }

    #[test]
    fn a_bucket_alone_is_a_folder() {
        let bucket: S3Location = "s3://lake".parse().unwrap();
        assert_eq!((bucket.bucket(), bucket.prefix()), ("lake", ""));
    }

    #[test]
    fn what_would_leave_the_bucket_is_refused() {
        for text in ["s3://lake/../other/", "s3://../etc", "s3://lake//x", "s3://lake/a/./b"] {
            assert!(matches!(text.parse::<S3Location>(), Err(LocationError::Part(_))), "{text}");
        }
        for text in ["", "lake/quotes", "file:///etc/passwd", "s3://", "s3:///x"] {
            assert!(matches!(text.parse::<S3Location>(), Err(LocationError::Form(_))), "{text}");
        }
    }
}
