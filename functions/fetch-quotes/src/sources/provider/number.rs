//! Numbers as providers write them, without a detour through binary floats.
//!
//! A JSON number is read as the text that stands in the body, so `172.61` is 172.61. Texts are read
//! as well, because some providers quote their numbers. What a column cannot hold is rounded by one
//! rule: digits beyond the sixth (averages have them, and sums made in binary) go to the nearest
//! millionth, halves to the even one. Nothing else is rounded here; [`without_noise`] is for the one
//! provider that says how many digits its prices have.

use quotes::{Decimal, Timestamp};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A number, or `None` for null, an absent field and whatever is no number: a field that cannot be
/// read is a field that was not given, and what a quote cannot be without is checked by its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) Option<Decimal>);

/// A whole number under the same rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Whole(pub(crate) Option<i64>);

/// A text under the same rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) Option<String>);

/// A time in RFC 3339 under the same rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Option<Timestamp>);

/// An object or list under the same rule: of another shape, it counts as not given.
#[derive(Debug, Clone)]
pub(crate) struct Lenient<T>(pub(crate) Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Self(decimal(unquoted(raw.get()))))
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Self(unquoted(raw.get()).parse().ok()))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Self(serde_json::from_str(raw.get()).ok()))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Self(Timestamp::parse(unquoted(raw.get())).ok()))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'de RawValue>::deserialize(deserializer).map(|raw| Self(serde_json::from_str(raw.get()).ok()))
    }
}

impl Number {
    /// The number where it is above 0: of a price, 0 means that there is none.
    pub(crate) fn positive(self) -> Option<Decimal> {
        self.0.filter(|number| number.is_positive())
    }

    /// The number where it is not below 0: a size or a volume.
    pub(crate) fn not_negative(self) -> Option<Decimal> {
        self.0.filter(|number| !number.is_negative())
    }
}

impl Whole {
    /// The number where it is not below 0: a count.
    pub(crate) fn not_negative(self) -> Option<i64> {
        self.0.filter(|number| *number >= 0)
    }

    /// As seconds since 1970; 0 is nobody's time.
    pub(crate) fn seconds(self) -> Option<Timestamp> {
        self.0.filter(|number| *number > 0).and_then(|number| Timestamp::from_millis(number.checked_mul(1_000)?))
    }

    /// As milliseconds since 1970.
    pub(crate) fn millis(self) -> Option<Timestamp> {
        self.0.filter(|number| *number > 0).and_then(Timestamp::from_millis)
    }

    /// As nanoseconds since 1970.
    pub(crate) fn nanos(self) -> Option<Timestamp> {
        self.0.filter(|number| *number > 0).and_then(Timestamp::from_nanos)
    }
}

/// The inside of a JSON text without escapes; numbers and times have none.
fn unquoted(raw: &str) -> &str {
    raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw).trim()
}

/// Reads `-12.5`, `1e3`, `5.6457696E7`; `None` where it is no number or has more than 12 digits before the point.
fn decimal(text: &str) -> Option<Decimal> {
    // Longer than any number that a column holds, with all its noise.
    const LONGEST: usize = 64;
    if text.len() > LONGEST {
        return None;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok().filter(|e| e.unsigned_abs() <= 40)?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // How many of the digits count millionths or more; the rest decides the rounding.
    let kept = i32::try_from(whole.len()).ok()? + exponent + i32::from(Decimal::SCALE);
    let mut millionths: i64 = 0;
    for at in 0..kept {
        let digit = usize::try_from(at).ok().and_then(|at| digits.get(at)).map_or(0, |digit| i64::from(digit - b'0'));
        millionths = millionths.checked_mul(10)?.checked_add(digit)?;
    }
    let rest: &[u8] = match usize::try_from(kept) {
        Ok(kept) => digits.get(kept..).unwrap_or_default(),
        // Every digit stands behind a 0 that is rounded: less than half a millionth.
        Err(_) => &[],
    };
    if is_rounded_up(rest, millionths) {
        millionths = millionths.checked_add(1)?;
    }
    Decimal::from_millionths(if negative { -millionths } else { millionths })
}

/// Whether the digits behind the last that is kept are more than half, or half behind an odd one.
fn is_rounded_up(rest: &[u8], millionths: i64) -> bool {
    match rest.split_first() {
        None | Some((b'0'..=b'4', _)) => false,
        Some((b'5', rest)) => rest.iter().any(|digit| *digit != b'0') || millionths % 2 == 1,
        Some(_) => true,
    }
}

/// `price` with `digits` after the point, where it is off from that by no more than a 32-bit float's
/// error (two units in its last place): 90.270004 with 2 digits is 90.27, 90.275 stays as it is.
pub(crate) fn without_noise(price: Decimal, digits: u32) -> Decimal {
    let Some(unit) = 6_u32.checked_sub(digits).map(|zeros| 10_i64.pow(zeros)) else { return price };
    let exact = price.millionths();
    let rounded = exact.saturating_add(unit / 2).div_euclid(unit).saturating_mul(unit);
    // 2^-22 of the price: two units in the last of 24 binary digits, at the worst.
    let tolerance = exact.abs() >> 22;
    if (exact - rounded).abs() <= tolerance { Decimal::from_millionths(rounded).unwrap_or(price) } else { price }
}

/// `price` in the currency's major unit, where a hundred of it make one.
pub(crate) fn hundredth(price: Decimal) -> Option<Decimal> {
    let exact = price.millionths();
    let (whole, rest) = (exact / 100, exact % 100);
    // Half a unit of the last digit goes to the even one, as everywhere here.
    let up = rest > 50 || rest == 50 && whole % 2 == 1;
    Decimal::from_millionths(whole + i64::from(up))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Option<String> {
        serde_json::from_str::<Number>(json).unwrap().0.map(|number| number.to_string())
    }

    #[test]
    fn numbers_are_the_text_that_stands_there() {
        for (json, number) in [
            ("172.61", Some("172.61")),
            ("\"337.98999\"", Some("337.98999")),
            ("56457696", Some("56457696")),
            ("5.6457696E7", Some("56457696")),
            ("1e-3", Some("0.001")),
            ("-2.04", Some("-2.04")),
            ("0.30000000000000004", Some("0.3")),
            ("172.7432105", Some("172.74321")),
            ("172.7432115", Some("172.743212")),
            ("172.74321050001", Some("172.743211")),
            ("4e-7", Some("0")),
            ("9e-40", Some("0")),
            ("999999999999.9999999", None),
            ("1e12", None),
            ("1e400", None),
            ("null", None),
            ("\"\"", None),
            ("\"N/A\"", None),
            ("true", None),
            ("{}", None),
        ] {
            assert_eq!(read(json).as_deref(), number, "{json}");
        }
    }

    #[test]
    fn a_floats_noise_goes_where_the_digits_are_known() {
        let clean = |text: &str, digits| without_noise(text.parse().unwrap(), digits).to_string();
        assert_eq!(clean("90.270004", 2), "90.27");
        assert_eq!(clean("333.690002", 2), "333.69");
        assert_eq!(clean("90.275", 2), "90.275");
        assert_eq!(clean("90.2701", 2), "90.2701");
        assert_eq!(clean("0.123456", 4), "0.123456");
        assert_eq!(clean("90.270004", 9), "90.270004");
    }

    #[test]
    fn pence_are_a_hundredth() {
        let major = |text: &str| hundredth(text.parse().unwrap()).unwrap().to_string();
        assert_eq!(major("7423.5"), "74.235");
        assert_eq!(major("0.0001"), "0.000001");
        assert_eq!(major("0.00005"), "0");
        assert_eq!(major("0.00015"), "0.000002");
    }

    proptest! {
        #[test]
        fn what_a_column_holds_is_read_exactly(millionths in -999_999_999_999_999_999_i64..=999_999_999_999_999_999) {
            let exact = Decimal::from_millionths(millionths).unwrap();
            prop_assert_eq!(decimal(&exact.to_string()), Some(exact));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9.eE]{0,70}") {
            let _ = decimal(&text);
        }

        #[test]
        fn binary_floats_come_back_as_the_nearest_millionth(cents in 1_i64..100_000_000) {
            let float = cents as f64 / 100.0;
            let exact = Decimal::from_millionths(cents * 10_000);
            prop_assert_eq!(decimal(&format!("{float}")), exact);
            prop_assert_eq!(decimal(&format!("{float:.12}")), exact);
        }
    }
}
