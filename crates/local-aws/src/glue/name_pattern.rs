//! The patterns that GetTables filters names by: Hive's, where `*` stands for any text and `|` separates alternatives.
//! A regular expression's `.*` is taken for `*`, as Glue takes both.

/// Whether a table's name fits, whatever its case.
pub(crate) fn matches(name: &str, pattern: &str) -> bool {
    let pattern = pattern.to_lowercase().replace(".*", "*");
    pattern.split('|').any(|alternative| fits(name, alternative))
}

fn fits(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| rest.get(at..).is_some_and(|tail| fits(tail, after)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn names_fit_patterns() {
        for pattern in ["quotes", "Quo*", "*tes", "*uot*", ".*uot.*", "trades|quotes", "*"] {
            assert!(matches("quotes", pattern), "{pattern}");
        }
        for pattern in ["quote", "uotes", "q*x", "trades|bars", ""] {
            assert!(!matches("quotes", pattern), "{pattern}");
        }
    }
}
