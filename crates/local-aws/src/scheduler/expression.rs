//! `rate(…)`, `cron(…)` and `at(…)` as EventBridge Scheduler takes them.

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use std::str::FromStr;
use std::time::Duration;

/// When a schedule ticks.
#[derive(Debug, Clone)]
pub enum Expression {
    /// Every so often.
    Rate(Duration),
    /// At the times that a cron expression matches in a time zone.
    Cron {
        /// The expression with a seconds field before AWS's six.
        schedule: Box<cron::Schedule>,
        /// The time zone.
        timezone: Tz,
    },
    /// Once.
    At(DateTime<Utc>),
}

/// Why an expression cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExpressionError {
    /// Neither `rate(…)` nor `cron(…)` nor `at(…)`.
    #[error("{expression:?} is not rate(…), cron(…) or at(…)")]
    Kind {
        /// The expression.
        expression: String,
    },
    /// A rate that is not `rate(value minutes|hours|days)`.
    #[error("{expression:?} is not rate(value unit) with a value above 0 and the unit minutes, hours or days")]
    Rate {
        /// The expression.
        expression: String,
    },
    /// A cron expression with another number of fields than AWS's six.
    #[error("{expression:?} must have six fields: minutes hours day-of-month month day-of-week year")]
    Fields {
        /// The expression.
        expression: String,
    },
    /// One of the two day fields must be `?`.
    #[error("{expression:?} must have ? for day-of-month or for day-of-week, and not for both")]
    Days {
        /// The expression.
        expression: String,
    },
    /// AWS takes it, this stand-in does not.
    #[error("{expression:?} uses {feature}, which the local scheduler does not know")]
    Unsupported {
        /// The expression.
        expression: String,
        /// What it uses.
        feature: &'static str,
    },
    /// A field of a cron expression has no meaning.
    #[error("{expression:?} is not a cron expression")]
    Cron {
        /// The expression.
        expression: String,
        /// Why.
        #[source]
        source: cron::error::Error,
    },
    /// A time that is not `at(yyyy-mm-ddThh:mm:ss)`, or does not exist in its time zone.
    #[error("{expression:?} is not at(yyyy-mm-ddThh:mm:ss) with a time that exists in {timezone}")]
    At {
        /// The expression.
        expression: String,
        /// The time zone.
        timezone: Tz,
    },
    /// Not an IANA time zone.
    #[error("{name:?} is not a time zone")]
    Timezone {
        /// What was given.
        name: String,
    },
}

impl Expression {
    /// Reads an expression; times are in the time zone of this IANA name, else in UTC.
    pub fn parse(expression: &str, timezone: Option<&str>) -> Result<Self, ExpressionError> {
        let timezone = match timezone {
            None => Tz::UTC,
            Some(name) => Tz::from_str(name).map_err(|_| ExpressionError::Timezone { name: name.to_owned() })?,
        };
        let body = |kind: &str| expression.trim().strip_prefix(kind)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(body) = body("rate") {
            let wrong = || ExpressionError::Rate { expression: expression.to_owned() };
            rate(body).map(Self::Rate).ok_or_else(wrong)
        } else if let Some(body) = body("cron") {
            cron(body, expression).map(|schedule| Self::Cron { schedule: Box::new(schedule), timezone })
        } else if let Some(body) = body("at") {
            NaiveDateTime::parse_from_str(body, "%Y-%m-%dT%H:%M:%S")
                .ok()
                .and_then(|local| timezone.from_local_datetime(&local).earliest())
                .map(|time| Self::At(time.to_utc()))
                .ok_or_else(|| ExpressionError::At { expression: expression.to_owned(), timezone })
        } else {
            Err(ExpressionError::Kind { expression: expression.to_owned() })
        }
    }

    /// The first tick after this moment (for a rate: after a tick at this moment). `None` if there is none.
    ///
    /// As on AWS, a local time that the clocks skip in spring is left out, and one that they repeat in autumn counts once.
    pub fn next_after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Rate(rate) => TimeDelta::from_std(*rate).ok().and_then(|rate| moment.checked_add_signed(rate)),
            Self::At(time) => Some(*time).filter(|time| *time > moment),
            Self::Cron { schedule, timezone } => schedule
                .after(&moment.with_timezone(timezone))
                .filter(|time| timezone.from_local_datetime(&time.naive_local()).earliest().as_ref() == Some(time))
                .map(|time| time.to_utc())
                // The crate goes on from the local time: within the repeated hour that is the hour before.
                .find(|time| *time > moment),
        }
    }
}

fn rate(body: &str) -> Option<Duration> {
    let (value, unit) = body.trim().split_once(' ')?;
    let value: u64 = value.parse().ok().filter(|value| *value > 0)?;
    let seconds: u64 = match unit.trim() {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 60 * 60,
        "day" | "days" => 24 * 60 * 60,
        _ => return None,
    };
    value.checked_mul(seconds).map(Duration::from_secs)
}

/// The crate counts days of the week as AWS does, 1 to 7 from Sunday, and has a field for seconds before the others.
fn cron(body: &str, expression: &str) -> Result<cron::Schedule, ExpressionError> {
    let expression = || expression.to_owned();
    let fields: Vec<&str> = body.split_whitespace().collect();
    let [_, _, day, _, weekday, _] = fields.as_slice() else {
        return Err(ExpressionError::Fields { expression: expression() });
    };
    if (*day == "?") == (*weekday == "?") {
        return Err(ExpressionError::Days { expression: expression() });
    }
    let last = |field: &str| field.split([',', '-']).any(|part| part.len() <= 2 && part.ends_with('L'));
    let unsupported = if last(day) || last(weekday) {
        Some("L (last day)")
    } else if day.contains('W') {
        Some("W (nearest weekday)")
    } else if weekday.contains('#') {
        Some("# (n-th weekday of the month)")
    } else {
        None
    };
    if let Some(feature) = unsupported {
        return Err(ExpressionError::Unsupported { expression: expression(), feature });
    }
    cron::Schedule::from_str(&format!("0 {}", fields.join(" ")))
        .map_err(|source| ExpressionError::Cron { expression: expression(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{Expression, ExpressionError};
    use chrono::{DateTime, Utc};
    use std::time::Duration;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// The first ticks after a moment, in UTC.
    fn ticks(expression: &str, timezone: &str, after: &str, count: usize) -> Vec<String> {
        let expression = Expression::parse(expression, Some(timezone)).unwrap();
        let mut moment = time(after);
        let mut ticks = Vec::new();
        while ticks.len() < count
            && let Some(next) = expression.next_after(moment)
        {
            ticks.push(next.format("%Y-%m-%dT%H:%M").to_string());
            moment = next;
        }
        ticks
    }

    #[test]
    fn rates_are_durations() {
        for (text, seconds) in [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200), ("rate(1 day)", 86_400)] {
            let Expression::Rate(rate) = Expression::parse(text, None).unwrap() else { panic!("{text}") };
            assert_eq!(rate, Duration::from_secs(seconds), "{text}");
        }
        for text in ["rate(0 minutes)", "rate(1 second)", "rate(minutes)", "rate(-1 minutes)"] {
            assert!(matches!(Expression::parse(text, None), Err(ExpressionError::Rate { .. })), "{text}");
        }
    }

    #[test]
    fn cron_is_in_the_time_zone_and_counts_weekdays_from_sunday() {
        // 2013-10-04 is a Friday; 2 is Monday.
        let expected = ["2013-10-04T20:59", "2013-10-07T13:00", "2013-10-07T13:01"];
        assert_eq!(ticks("cron(* 9-16 ? * MON-FRI *)", "America/New_York", "2013-10-04T20:58:30Z", 3), expected);
        assert_eq!(ticks("cron(* 9-16 ? * 2-6 *)", "America/New_York", "2013-10-04T20:58:30Z", 3), expected);
        assert_eq!(ticks("cron(0 12 ? * 1 *)", "UTC", "2013-10-04T00:00:00Z", 1), ["2013-10-06T12:00"]);
        assert_eq!(
            ticks("cron(0/20 8 1 JAN ? 2014)", "UTC", "2013-10-04T00:00:00Z", 5),
            ["2014-01-01T08:00", "2014-01-01T08:20", "2014-01-01T08:40"]
        );
    }

    #[test]
    fn a_local_time_that_is_skipped_is_left_out() {
        // New York's clocks went from 02:00 to 03:00 on 2013-03-10.
        assert_eq!(ticks("cron(30 2 * * ? *)", "America/New_York", "2013-03-09T00:00:00Z", 2), ["2013-03-09T07:30", "2013-03-11T06:30"]);
    }

    #[test]
    fn a_local_time_that_is_repeated_counts_once() {
        // New York's clocks went from 02:00 back to 01:00 on 2013-11-03 at 06:00 UTC.
        assert_eq!(ticks("cron(30 1 * * ? *)", "America/New_York", "2013-11-02T12:00:00Z", 2), ["2013-11-03T05:30", "2013-11-04T06:30"]);
        assert_eq!(
            ticks("cron(0/30 * * * ? *)", "America/New_York", "2013-11-03T05:10:00Z", 3),
            ["2013-11-03T05:30", "2013-11-03T07:00", "2013-11-03T07:30"]
        );
        // From within the repeated hour, whose ticks are all over.
        assert_eq!(ticks("cron(0/30 * * * ? *)", "America/New_York", "2013-11-03T06:10:00Z", 1), ["2013-11-03T07:00"]);
    }

    #[test]
    fn at_is_once() {
        assert_eq!(ticks("at(2013-10-07T09:30:00)", "America/New_York", "2013-10-04T00:00:00Z", 2), ["2013-10-07T13:30"]);
        assert!(matches!(Expression::parse("at(tomorrow)", None), Err(ExpressionError::At { .. })));
    }

    #[test]
    fn what_cannot_be_is_told_apart() {
        let error = |text| Expression::parse(text, None).unwrap_err();
        assert!(matches!(error("every(1 minute)"), ExpressionError::Kind { .. }));
        assert!(matches!(error("cron(* * * * ?)"), ExpressionError::Fields { .. }));
        assert!(matches!(error("cron(* * * * * *)"), ExpressionError::Days { .. }));
        assert!(matches!(error("cron(* * ? * ? *)"), ExpressionError::Days { .. }));
        assert!(matches!(error("cron(0 9 L * ? *)"), ExpressionError::Unsupported { .. }));
        assert!(matches!(error("cron(0 9 ? * 6L *)"), ExpressionError::Unsupported { .. }));
        assert!(matches!(error("cron(0 9 ? * 6#3 *)"), ExpressionError::Unsupported { .. }));
        assert!(matches!(error("cron(61 9 ? * 2 *)"), ExpressionError::Cron { .. }));
        let error = Expression::parse("rate(1 minute)", Some("New York")).unwrap_err();
        assert!(matches!(error, ExpressionError::Timezone { .. }));
    }
}
