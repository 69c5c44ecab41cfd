//! Moments, exact to the nanosecond.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in UTC: nanoseconds since 1970-01-01, not before it, at the latest in the year 2262.
///
/// A provider's trade time has up to nine fractional digits. The table's timestamps have three, so
/// that [`Timestamp::millis`] truncates; rounding would carry 15:59:59.9996 into the next minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is not a [`Timestamp`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Not RFC 3339.
    #[error("not an RFC 3339 time: {0}")]
    Syntax(chrono::ParseError),
    /// A fraction finer than a nanosecond, which could not be kept.
    #[error("more than 9 fractional digits")]
    TooPrecise,
    /// Before 1970 or after 2262: no trade happened then.
    #[error("outside of 1970 to 2262")]
    OutOfRange,
}

impl Timestamp {
    /// The moment `nanos` nanoseconds after 1970-01-01T00:00:00Z; `None` below 0.
    pub const fn from_nanos(nanos: i64) -> Option<Self> {
        if nanos >= 0 { Some(Self(nanos)) } else { None }
    }

    /// The moment `millis` milliseconds after 1970-01-01T00:00:00Z; `None` outside of 1970 to 2262.
    pub const fn from_millis(millis: i64) -> Option<Self> {
        match millis.checked_mul(1_000_000) {
            Some(nanos) => Self::from_nanos(nanos),
            None => None,
        }
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970-01-01T00:00:00Z, truncated: what the table's timestamp columns hold.
    pub const fn millis(self) -> i64 {
        self.0 / 1_000_000
    }

    /// This moment as chrono's type.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.0)
    }

    /// Reads RFC 3339 with up to nine fractional digits, at any offset from UTC.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        if let Some(nanos) = parse_utc(text.as_bytes()) {
            return Ok(Self(nanos));
        }
        if fraction_digits(text) > 9 {
            return Err(TimestampError::TooPrecise);
        }
        let moment = DateTime::parse_from_rfc3339(text).map_err(TimestampError::Syntax)?;
        moment.timestamp_nanos_opt().and_then(Self::from_nanos).ok_or(TimestampError::OutOfRange)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// The moment; one outside of 1970 to 2262 becomes the nearest that can be held.
    fn from(moment: DateTime<Utc>) -> Self {
        let nearest = if moment.timestamp() < 0 { 0 } else { i64::MAX };
        Self(moment.timestamp_nanos_opt().unwrap_or(nearest).max(0))
    }
}

fn fraction_digits(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count())
}

/// The form that nearly every record has, `2026-11-23T15:59:59.999Z`: read in a tenth of the time
/// that the general parser takes, and there are five such texts in each record. `None` sends
/// everything else, valid or not, to the general parser.
fn parse_utc(text: &[u8]) -> Option<i64> {
    fn number(digits: &[u8]) -> Option<i64> {
        digits.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
    }
    let (text, fraction) = match text {
        [seconds @ .., b'Z'] if seconds.len() == 19 => (seconds, &[][..]),
        [rest @ .., b'Z'] if (21..=29).contains(&rest.len()) && rest[19] == b'.' => (&rest[..19], &rest[20..]),
        _ => return None,
    };
    if text[4] != b'-' || text[7] != b'-' || text[10] != b'T' || text[13] != b':' || text[16] != b':' {
        return None;
    }
    let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..10])?);
    let (hour, minute, second) = (number(&text[11..13])?, number(&text[14..16])?, number(&text[17..])?);
    if !(1970..2262).contains(&year) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let date = chrono::NaiveDate::from_ymd_opt(year as i32, month as u32, day as u32)?;
    let days = i64::from(date.to_epoch_days());
    let nanos = number(fraction)? * 10_i64.pow(9 - fraction.len() as u32);
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000 + nanos)
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        Self::parse(text)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with as many fractional digits as are needed: 0, 3, 6 or 9.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 time as a string")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
                Timestamp::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn milliseconds_are_truncated_and_nanoseconds_kept() {
        let close: Timestamp = "2022-08-17T19:59:59.999999999Z".parse().unwrap();
        assert_eq!(close.nanos(), 1_660_766_399_999_999_999);
        assert_eq!(close.millis(), 1_660_766_399_999);
        assert_eq!(close.to_string(), "2022-08-17T19:59:59.999999999Z");
    }

    #[test]
    fn other_offsets_are_the_same_moment() {
        let new_york: Timestamp = "2022-08-17T15:59:59.5-04:00".parse().unwrap();
        assert_eq!(new_york, "2022-08-17T19:59:59.500Z".parse().unwrap());
    }

    #[test]
    fn impossible_times_are_refused() {
        for text in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z", "2262-12-31T00:00:00Z"] {
            assert_eq!(Timestamp::parse(text), Err(TimestampError::OutOfRange), "{text}");
        }
        for text in ["", "2022-13-01T00:00:00Z", "2022-02-30T00:00:00Z", "2022-01-01", "2022-01-01T24:00:00Z", "2022-01-01T00:00:00.Z"] {
            assert!(matches!(Timestamp::parse(text), Err(TimestampError::Syntax(_))), "{text}");
        }
        assert_eq!(Timestamp::parse("2022-01-01T00:00:00.0000000001Z"), Err(TimestampError::TooPrecise));
    }

    proptest! {
        #[test]
        fn the_quick_form_and_the_general_parser_agree(nanos in 0..9_214_646_400_000_000_000_i64, digits in 0_usize..=9) {
            let shown = DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(SecondsFormat::Nanos, true);
            let text = if digits == 0 { format!("{}Z", &shown[..19]) } else { format!("{}Z", &shown[..20 + digits]) };
            let general = DateTime::parse_from_rfc3339(&text).unwrap().timestamp_nanos_opt();
            prop_assert_eq!(parse_utc(text.as_bytes()), general);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = Timestamp::parse(&text);
        }

        #[test]
        fn what_is_shown_reads_back(nanos in 0_i64..) {
            let moment = Timestamp::from_nanos(nanos).unwrap();
            prop_assert_eq!(moment.to_string().parse::<Timestamp>(), Ok(moment));
        }
    }
}
