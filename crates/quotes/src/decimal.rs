//! Prices and sizes: exact decimals with six fractional digits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An exact decimal number: the `decimal(18,6)` of the table, held as a count of millionths.
///
/// A type of our own rather than a general decimal crate, because the column decides what can be
/// stored: 12 digits before the point, 6 after. Whatever does not fit exactly is refused here
/// instead of being rounded on its way to the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(i64);

/// Why a text is not a [`Decimal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Something other than an optional sign, digits and at most one point.
    #[error("not a decimal number")]
    Syntax,
    /// A digit beyond the sixth after the point that is not 0.
    #[error("more than 6 digits after the point")]
    TooPrecise,
    /// More than 12 digits before the point.
    #[error("more than 12 digits before the point")]
    TooLarge,
}

impl Decimal {
    /// Digits after the point, in the column and here.
    pub const SCALE: i8 = 6;
    /// Digits altogether.
    pub const PRECISION: u8 = 18;
    /// Zero.
    pub const ZERO: Self = Self(0);

    const ONE: i64 = 1_000_000;
    const LIMIT: i64 = 1_000_000_000_000_000_000;

    /// The number that is `millionths` / 1,000,000; `None` where it has more than 18 digits.
    pub const fn from_millionths(millionths: i64) -> Option<Self> {
        if millionths > -Self::LIMIT && millionths < Self::LIMIT { Some(Self(millionths)) } else { None }
    }

    /// The count of millionths: the unscaled value of the Arrow and Parquet column.
    pub const fn millionths(self) -> i64 {
        self.0
    }

    /// Whether this is above 0.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether this is below 0.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Reads `-12.5`, `12`, `.5` or `12.`; no exponent, no separators, no blanks.
    pub fn parse(text: &[u8]) -> Result<Self, DecimalError> {
        let (negative, text) = match text.split_first() {
            Some((b'-', rest)) => (true, rest),
            Some((b'+', rest)) => (false, rest),
            _ => (false, text),
        };
        let point = text.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = point.map_or((text, &[][..]), |point| (&text[..point], &text[point + 1..]));
        if whole.is_empty() && fraction.is_empty() {
            return Err(DecimalError::Syntax);
        }
        let (fraction, beyond) = fraction.split_at(fraction.len().min(6));
        match beyond.iter().find(|byte| **byte != b'0') {
            None => {}
            Some(b'1'..=b'9') => return Err(DecimalError::TooPrecise),
            Some(_) => return Err(DecimalError::Syntax),
        }
        let scale = 10_i64.pow(6 - fraction.len() as u32);
        let value = digits(whole)? * Self::ONE + digits(fraction)? * scale;
        Ok(Self(if negative { -value } else { value }))
    }
}

/// The number that `text` is; below 10^12.
fn digits(text: &[u8]) -> Result<i64, DecimalError> {
    text.iter().try_fold(0, |value, byte| match byte {
        b'0'..=b'9' if value < Decimal::LIMIT / Decimal::ONE / 10 => Ok(value * 10 + i64::from(byte - b'0')),
        b'0'..=b'9' => Err(DecimalError::TooLarge),
        _ => Err(DecimalError::Syntax),
    })
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let (whole, fraction) = (magnitude / 1_000_000, magnitude % 1_000_000);
        let sign = if self.0 < 0 { "-" } else { "" };
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{fraction:06}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Decimal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number as a string")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Decimal, E> {
                Decimal::parse(text.as_bytes()).map_err(E::custom)
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
    fn reads_what_a_provider_writes() {
        for (text, millionths) in [
            ("49.1800", 49_180_000),
            ("0.000001", 1),
            ("-0.5", -500_000),
            (".5", 500_000),
            ("12.", 12_000_000),
            ("1.0000000000", 1_000_000),
            ("999999999999.999999", 999_999_999_999_999_999),
        ] {
            assert_eq!(Decimal::parse(text.as_bytes()).map(Decimal::millionths), Ok(millionths), "{text}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_hold_exactly() {
        for (text, error) in [
            ("", DecimalError::Syntax),
            (".", DecimalError::Syntax),
            ("-", DecimalError::Syntax),
            ("1e3", DecimalError::Syntax),
            ("NaN", DecimalError::Syntax),
            ("1.2.3", DecimalError::Syntax),
            (" 1", DecimalError::Syntax),
            ("0.0000001", DecimalError::TooPrecise),
            ("1000000000000", DecimalError::TooLarge),
            ("1234567890123456789012345678901234567890", DecimalError::TooLarge),
        ] {
            assert_eq!(Decimal::parse(text.as_bytes()), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(millionths in -999_999_999_999_999_999_i64..=999_999_999_999_999_999) {
            let decimal = Decimal::from_millionths(millionths).unwrap();
            prop_assert_eq!(decimal.to_string().parse::<Decimal>(), Ok(decimal));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = text.parse::<Decimal>();
        }
    }
}
