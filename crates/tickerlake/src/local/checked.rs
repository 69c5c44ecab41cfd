//! What `check-freshness` answers, in words.

use serde::Deserialize;

/// Silent symbols that are named; the function's log has more.
const TOLD: usize = 5;

/// The part of the function's answer that is told.
#[derive(Debug, Deserialize)]
pub(crate) struct Checked {
    freshness_seconds: Option<f64>,
    rows: u64,
    symbols: u64,
    silent: Vec<String>,
    silent_symbols: Option<u64>,
    unjudged: Option<String>,
}

impl Checked {
    /// One line about what SQL sees.
    pub(crate) fn notice(&self) -> String {
        let newest = match self.freshness_seconds {
            Some(seconds) => format!("the newest row is {seconds:.1} s old"),
            None => "there is no row of today or of the last trading day".to_owned(),
        };
        let judged = match (self.unjudged.as_deref(), self.silent_symbols) {
            (Some("market_closed"), _) => "the market is closed, so that freshness is not judged".to_owned(),
            (Some(_), _) => "the market has just opened, so that freshness is not judged yet".to_owned(),
            (None, None | Some(0)) => "no symbol is silent".to_owned(),
            (None, Some(silent)) => {
                let told: Vec<_> = self.silent.iter().take(TOLD).map(String::as_str).collect();
                let more = if silent > told.len() as u64 { ", …" } else { "" };
                format!("{silent} symbol(s) silent: {}{more}", told.join(", "))
            }
        };
        format!("checked: SQL sees {} rows of {} symbols today; {newest}; {judged}", self.rows, self.symbols)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::Checked;

    fn notice(change: Value) -> String {
        let mut answer = json!({
            "day": "2026-11-23", "freshness_seconds": 2.75, "newest_fetched_at": "2026-11-23T15:59:57.250Z", "rows": 12,
            "symbols": 2, "silent": [], "silent_symbols": 0, "quarantined": 0, "bytes_scanned": 4096, "judged": true, "unjudged": null,
        });
        answer.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value::<Checked>(answer).unwrap().notice()
    }

    #[test]
    fn what_was_found_is_told_in_a_line() {
        let start = "checked: SQL sees 12 rows of 2 symbols today; ";
        assert_eq!(notice(json!({})), format!("{start}the newest row is 2.8 s old; no symbol is silent"));
        let silent = json!({"silent": ["A", "B"], "silent_symbols": 3});
        assert_eq!(notice(silent), format!("{start}the newest row is 2.8 s old; 3 symbol(s) silent: A, B, …"));
        let closed = json!({"freshness_seconds": null, "silent_symbols": null, "judged": false, "unjudged": "market_closed"});
        let told = "there is no row of today or of the last trading day; the market is closed, so that freshness is not judged";
        assert_eq!(notice(closed), format!("{start}{told}"));
    }
}
