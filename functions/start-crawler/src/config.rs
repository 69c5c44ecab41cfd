//! The function's settings, read once from its environment.

/// What the function works on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Glue database of the table, from `GLUE_DATABASE`.
    pub(crate) database: String,
    /// Glue table whose partitions are registered, from `GLUE_TABLE`.
    pub(crate) table: String,
    /// Glue crawler that reconciles the table, from `GLUE_CRAWLER`.
    pub(crate) crawler: String,
}

/// A setting that the environment lacks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {0} is not set")]
pub(crate) struct Missing(&'static str);

impl Config {
    /// Reads the settings through `lookup`, which stands for the environment. An empty value counts as missing.
    pub(crate) fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Missing> {
        let read = |name| lookup(name).filter(|value| !value.is_empty()).ok_or(Missing(name));
        Ok(Self { database: read("GLUE_DATABASE")?, table: read("GLUE_TABLE")?, crawler: read("GLUE_CRAWLER")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_its_own_variable() {
        let config = Config::from_env(|name| Some(format!("value of {name}")));
        assert_eq!(
            config,
            Ok(Config {
                database: "value of GLUE_DATABASE".into(),
                table: "value of GLUE_TABLE".into(),
                crawler: "value of GLUE_CRAWLER".into(),
            })
        );
    }

    #[test]
    fn a_missing_or_empty_setting_is_named() {
        assert_eq!(Config::from_env(|_| None), Err(Missing("GLUE_DATABASE")));
        let without_crawler = |name: &str| Some(if name == "GLUE_CRAWLER" { String::new() } else { "x".into() });
        assert_eq!(Config::from_env(without_crawler), Err(Missing("GLUE_CRAWLER")));
    }
}
