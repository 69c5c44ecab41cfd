//! Canonical ticker symbols.

/// The longest symbol that is believed, in bytes.
pub const MAX_LEN: usize = 24;

/// Whether `text` is a canonical ticker: upper-case letters and digits in parts joined by single
/// `.` or `-`, the share class after a dot (`BRK.B`), at most [`MAX_LEN`] bytes.
///
/// The symbol is a Kafka key and a column, never part of a path; the rule keeps what could not be
/// a ticker (markup, paths, whole sentences from an error body) out of the lake.
pub fn is_canonical(text: &str) -> bool {
    text.len() <= MAX_LEN
        && text.split(['.', '-']).all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::is_canonical;

    #[test]
    fn tickers_are_believed_and_other_texts_are_not() {
        for ticker in ["A", "AAPL", "BRK.B", "BF.B", "0700.HK", "BTC-USD", "BAC.PR.K"] {
            assert!(is_canonical(ticker), "{ticker}");
        }
        for other in ["", "aapl", "BRK/B", "..", "A..B", ".A", "A.", "A B", "<html>", "AAPL\n", &"A".repeat(25), "ÄÖ"] {
            assert!(!is_canonical(other), "{other}");
        }
    }
}
