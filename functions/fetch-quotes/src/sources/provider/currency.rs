//! Currencies, and those that some exchanges quote in a hundredth of.

use std::borrow::Cow;

use quotes::Decimal;

use super::number::hundredth;

/// What a price is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    /// ISO 4217 code of the major unit.
    pub(crate) currency: Cow<'static, str>,
    is_hundredth: bool,
}

impl Unit {
    /// Reads a provider's code; `None` where it is no currency. Case tells pence (`GBp`) from pounds.
    pub(crate) fn of(code: &str) -> Option<Self> {
        let major = match code {
            "GBp" | "GBX" | "GBx" => "GBP",
            "ZAc" | "ZAC" => "ZAR",
            "ILA" | "ILa" => "ILS",
            _ => {
                let is_code = code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase());
                return is_code.then(|| Self { currency: Cow::Owned(code.to_owned()), is_hundredth: false });
            }
        };
        Some(Self { currency: Cow::Borrowed(major), is_hundredth: true })
    }

    /// A price in the major unit; `None` where nothing is left of it there.
    pub(crate) fn major(&self, price: Decimal) -> Option<Decimal> {
        if self.is_hundredth { hundredth(price).filter(|price| price.is_positive()) } else { Some(price) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pence_cents_and_agorot_become_their_major_unit() {
        for (code, currency, price) in [
            ("GBp", "GBP", "0.742"),
            ("GBX", "GBP", "0.742"),
            ("ZAc", "ZAR", "0.742"),
            ("ILA", "ILS", "0.742"),
            ("GBP", "GBP", "74.2"),
            ("USD", "USD", "74.2"),
        ] {
            let unit = Unit::of(code).unwrap();
            assert_eq!((unit.currency.as_ref(), unit.major("74.2".parse().unwrap()).unwrap().to_string().as_str()), (currency, price));
        }
        for code in ["", "usd", "US", "USDT", "gbp", "€€"] {
            assert_eq!(Unit::of(code), None, "{code}");
        }
        assert_eq!(Unit::of("GBp").unwrap().major("0.000001".parse().unwrap()), None);
    }
}
