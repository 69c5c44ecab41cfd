//! The function's settings, read once from its environment.

/// What the function works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Glue database of the table, from `GLUE_DATABASE`.
    pub database: String,
    /// Glue table whose partitions are registered, from `GLUE_TABLE`.
    pub table: String,
    /// Glue crawler that reconciles the table, from `GLUE_CRAWLER`.
    pub crawler: String,
    /// The queue that takes what is given up, from `DEAD_LETTER_QUEUE_URL`.
    pub dead_letter_queue_url: String,
    /// How often a message is received before its queue gives it up by itself, from `MAX_RECEIVE_COUNT`.
    pub max_receive_count: u32,
}

/// A setting that the environment lacks, or that is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not set, or empty.
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    /// Not a number of receives.
    #[error("environment variable {name} is {value:?}, not a number above 0")]
    NotACount {
        /// The variable.
        name: &'static str,
        /// What it says.
        value: String,
    },
}

impl Config {
    /// Reads the settings through `lookup`, which stands for the environment. An empty value counts as missing.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        const MAX_RECEIVE_COUNT: &str = "MAX_RECEIVE_COUNT";
        let read = |name| lookup(name).filter(|value| !value.is_empty()).ok_or(ConfigError::Missing(name));
        let count = read(MAX_RECEIVE_COUNT)?;
        let max_receive_count = count.parse().ok().filter(|count| *count > 0);
        Ok(Self {
            database: read("GLUE_DATABASE")?,
            table: read("GLUE_TABLE")?,
            crawler: read("GLUE_CRAWLER")?,
            dead_letter_queue_url: read("DEAD_LETTER_QUEUE_URL")?,
            max_receive_count: max_receive_count.ok_or(ConfigError::NotACount { name: MAX_RECEIVE_COUNT, value: count })?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        Some(if name == "MAX_RECEIVE_COUNT" { "20".to_owned() } else { format!("value of {name}") })
    }

    #[test]
    fn every_setting_has_its_own_variable() {
        assert_eq!(
            Config::from_env(environment),
            Ok(Config {
                database: "value of GLUE_DATABASE".into(),
                table: "value of GLUE_TABLE".into(),
                crawler: "value of GLUE_CRAWLER".into(),
                dead_letter_queue_url: "value of DEAD_LETTER_QUEUE_URL".into(),
                max_receive_count: 20,
            })
        );
    }

    #[test]
    fn a_missing_or_empty_setting_is_named() {
        for missing in ["GLUE_DATABASE", "GLUE_TABLE", "GLUE_CRAWLER", "DEAD_LETTER_QUEUE_URL", "MAX_RECEIVE_COUNT"] {
            for value in [None, Some(String::new())] {
                let without = |name: &str| if name == missing { value.clone() } else { environment(name) };
                assert_eq!(Config::from_env(without), Err(ConfigError::Missing(missing)));
            }
        }
    }

    #[test]
    fn a_count_is_a_number_above_nothing() {
        for value in ["0", "-1", "many"] {
            let with = |name: &str| if name == "MAX_RECEIVE_COUNT" { Some(value.to_owned()) } else { environment(name) };
            let error = Config::from_env(with);
            assert_eq!(error, Err(ConfigError::NotACount { name: "MAX_RECEIVE_COUNT", value: value.to_owned() }));
        }
    }
}
