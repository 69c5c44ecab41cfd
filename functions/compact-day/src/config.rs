//! The function's settings, read once from its environment.

use chrono::TimeDelta;

/// What the function works on, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// The lake's bucket, from `LAKE_BUCKET`.
    pub(crate) bucket: String,
    /// Glue database of the table, from `GLUE_DATABASE`.
    pub(crate) database: String,
    /// Glue table whose partitions are led to the compacted files, from `GLUE_TABLE`.
    pub(crate) table: String,
    /// How many days before today a scheduled run looks at, from `DAYS_BACK`: a night that was missed is made good.
    pub(crate) days_back: u32,
    /// How long a switched day is left as it is, from `SETTLE`. It must be longer than any invocation lives and than AWS takes a
    /// request that it signed (15 minutes each): after that nobody can still switch the day to the generation before.
    pub(crate) settle: TimeDelta,
    /// How old files must be that are no longer read before they are removed, from `REMOVE_AFTER`; `None` keeps them for ever.
    pub(crate) remove_after: Option<TimeDelta>,
    /// The function's memory in bytes, from `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, which Lambda sets.
    pub(crate) memory: u64,
}

/// A setting that is missing or cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {variable} {problem}")]
pub(crate) struct Unusable {
    variable: &'static str,
    problem: String,
}

impl Config {
    /// Reads the settings through `lookup`, which stands for the environment. An empty value counts as missing.
    pub(crate) fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Unusable> {
        let read = |variable| {
            let value = lookup(variable).filter(|value| !value.is_empty());
            value.ok_or_else(|| Unusable { variable, problem: "is not set".to_owned() })
        };
        let bad = |variable, value: &str, wanted: &str| Unusable { variable, problem: format!("is {value:?}: it takes {wanted}") };
        let days_back = read("DAYS_BACK")?;
        let settle = read("SETTLE")?;
        let remove_after = read("REMOVE_AFTER")?;
        let memory = read("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")?;
        Ok(Self {
            bucket: read("LAKE_BUCKET")?,
            database: read("GLUE_DATABASE")?,
            table: read("GLUE_TABLE")?,
            days_back: days_back.parse().map_err(|_| bad("DAYS_BACK", &days_back, "a number of days"))?,
            settle: period(&settle).ok_or_else(|| bad("SETTLE", &settle, "a period such as 1h"))?,
            remove_after: match remove_after.as_str() {
                "never" => None,
                text => Some(period(text).ok_or_else(|| bad("REMOVE_AFTER", text, "never or a period such as 7d"))?),
            },
            memory: memory.parse::<u64>().map_err(|_| bad("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory, "megabytes"))? << 20,
        })
    }
}

/// A whole number of seconds, minutes, hours or days: `90s`, `15m`, `1h`, `7d`.
fn period(text: &str) -> Option<TimeDelta> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: i64 = number.parse::<u32>().ok()?.into();
    match unit {
        "s" => TimeDelta::try_seconds(number),
        "m" => TimeDelta::try_minutes(number),
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const WHOLE: [(&str, &str); 7] = [
        ("LAKE_BUCKET", "lake"),
        ("GLUE_DATABASE", "tickerlake"),
        ("GLUE_TABLE", "quotes"),
        ("DAYS_BACK", "7"),
        ("SETTLE", "1h"),
        ("REMOVE_AFTER", "never"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
    ];

    fn with(variable: &str, value: &str) -> Result<Config, String> {
        let look_up = |name: &str| {
            let found = WHOLE.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            if name == variable { Some(value.to_owned()) } else { found }
        };
        Config::from_env(look_up).map_err(|error| error.to_string())
    }

    #[test]
    fn every_setting_has_its_own_variable() {
        let config = with("REMOVE_AFTER", "2d").unwrap();
        assert_eq!((config.bucket.as_str(), config.database.as_str(), config.table.as_str()), ("lake", "tickerlake", "quotes"));
        assert_eq!((config.days_back, config.settle, config.memory), (7, TimeDelta::hours(1), 512 << 20));
        assert_eq!(config.remove_after, Some(TimeDelta::days(2)));
        assert_eq!(with("SETTLE", "90s").unwrap().remove_after, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (variable, _) in WHOLE {
            assert_eq!(with(variable, "").unwrap_err(), format!("environment variable {variable} is not set"));
        }
        for (variable, value) in [("DAYS_BACK", "-1"), ("SETTLE", "1"), ("SETTLE", "h"), ("REMOVE_AFTER", "1é"), ("REMOVE_AFTER", "+1d0")]
        {
            let told = with(variable, value).unwrap_err();
            assert!(told.starts_with(&format!("environment variable {variable} is {value:?}: it takes ")), "{told}");
        }
    }
}
