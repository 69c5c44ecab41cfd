//! The units of `date_diff` and `date_add`.

use std::str::FromStr;

use datafusion::error::{DataFusionError, Result};

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Always as long: milliseconds.
    Fixed(i64),
    /// Days on the calendar of the value's zone.
    Days(i64),
    /// Months on the calendar.
    Months(i64),
}

impl FromStr for Unit {
    type Err = DataFusionError;

    fn from_str(name: &str) -> Result<Self> {
        Ok(match name.to_lowercase().as_str() {
            "millisecond" => Self::Fixed(1),
            "second" => Self::Fixed(1_000),
            "minute" => Self::Fixed(60_000),
            "hour" => Self::Fixed(3_600_000),
            "day" => Self::Days(1),
            "week" => Self::Days(7),
            "month" => Self::Months(1),
            "quarter" => Self::Months(3),
            "year" => Self::Months(12),
            other => return Err(DataFusionError::Plan(format!("'{other}' is not a valid Timestamp field"))),
        })
    }
}
