//! How new the rows are that SQL sees.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Serialize;

use crate::failure::Failure;
use crate::lake::Lake;

/// Symbols are told one by one up to this many, the longest silent first.
const TOLD: usize = 20;

/// How new the rows of the two newest days are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Freshness {
    /// The newest `fetched_at`; null where there is no row.
    pub(super) newest: Option<DateTime<Utc>>,
    /// How many symbols there are.
    pub(super) symbols: usize,
    /// The longest silent symbols, at most 20, the longest silent first.
    pub(super) by_symbol: Vec<SymbolFreshness>,
}

/// How new one symbol's rows are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SymbolFreshness {
    /// The symbol.
    pub(super) symbol: String,
    /// Its newest `fetched_at`.
    pub(super) newest: DateTime<Utc>,
}

/// Asks by SQL, as a user would. Only the two newest partitions are read.
pub(super) async fn of(lake: &Lake) -> Result<Freshness, Failure> {
    let days: Vec<String> = lake.days().await?.into_iter().rev().take(2).map(|day| format!("'{day}'")).collect();
    if days.is_empty() {
        return Ok(Freshness::default());
    }
    let sql = format!(
        "SELECT symbol, max(fetched_at) AS newest FROM quotes WHERE dt IN ({}) GROUP BY symbol ORDER BY newest, symbol",
        days.join(", ")
    );
    read(&lake.query(&sql).await?.rows)
}

fn read(rows: &[Vec<Option<String>>]) -> Result<Freshness, Failure> {
    let mut by_symbol = rows.iter().map(|row| symbol(row)).collect::<Option<Vec<_>>>();
    let by_symbol = by_symbol.take().ok_or_else(|| Failure::plain("the newest rows of each symbol cannot be read"))?;
    Ok(Freshness {
        newest: by_symbol.iter().map(|symbol| symbol.newest).max(),
        symbols: by_symbol.len(),
        by_symbol: by_symbol.into_iter().take(TOLD).collect(),
    })
}

fn symbol(row: &[Option<String>]) -> Option<SymbolFreshness> {
    let [Some(symbol), Some(newest)] = row else { return None };
    let newest = NaiveDateTime::parse_from_str(newest, "%Y-%m-%d %H:%M:%S%.f").ok()?.and_utc();
    Some(SymbolFreshness { symbol: symbol.clone(), newest })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_symbol_counts_and_the_longest_silent_are_told() {
        let row = |n: usize| vec![Some(format!("S{n}")), Some(format!("2026-11-23 14:30:{n:02}.250"))];
        let rows: Vec<_> = (0..30).map(row).collect();
        let freshness = read(&rows).unwrap();
        assert_eq!((freshness.symbols, freshness.by_symbol.len()), (30, 20));
        assert_eq!(freshness.newest, Some("2026-11-23T14:30:29.250Z".parse().unwrap()));
        assert_eq!(freshness.by_symbol.first().map(|first| first.symbol.as_str()), Some("S0"));
        assert_eq!(read(&[]).unwrap(), Freshness::default());
        assert!(read(&[vec![Some("A".into()), None]]).is_err());
    }
}
