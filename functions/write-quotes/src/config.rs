//! The function's configuration: the only place where the environment is read.

use quotes::cluster::UNKNOWN_CLUSTER;

/// What the environment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `LAKE_BUCKET`: the bucket of the lake.
    pub bucket: String,
    /// `UNKNOWN_CLUSTER`: the name that stands in keys for the cluster of records that carry no
    /// believable cluster id; `unknown` unless set.
    pub unknown_cluster: String,
}

/// A variable that is missing or not usable.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}")]
pub struct ConfigError {
    variable: &'static str,
    problem: String,
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(|variable| std::env::var(variable).ok())
    }

    /// Reads variables through `get`.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |variable| get(variable).filter(|value: &String| !value.is_empty());
        let bucket = get("LAKE_BUCKET")
            .ok_or_else(|| ConfigError { variable: "LAKE_BUCKET", problem: "is not set: it names the lake's bucket".into() })?;
        let unknown_cluster = get("UNKNOWN_CLUSTER").unwrap_or_else(|| UNKNOWN_CLUSTER.to_owned());
        // Part of object keys: a `-` or `/` in it would make them ambiguous.
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if unknown_cluster.len() > 21 || !unknown_cluster.bytes().all(plain) || unknown_cluster.starts_with('_') {
            let problem = format!("is {unknown_cluster:?}: allowed are up to 21 lower-case letters, digits and inner _");
            return Err(ConfigError { variable: "UNKNOWN_CLUSTER", problem });
        }
        Ok(Self { bucket, unknown_cluster })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn names_the_variable_that_is_wrong() {
        assert_eq!(read(&[("LAKE_BUCKET", "lake")]).unwrap().unknown_cluster, "unknown");
        assert_eq!(read(&[("LAKE_BUCKET", "")]).unwrap_err().to_string(), "LAKE_BUCKET is not set: it names the lake's bucket");
        let told = read(&[("LAKE_BUCKET", "lake"), ("UNKNOWN_CLUSTER", "a/b")]).unwrap_err().to_string();
        assert!(told.starts_with("UNKNOWN_CLUSTER is \"a/b\": allowed are"), "{told}");
    }
}
