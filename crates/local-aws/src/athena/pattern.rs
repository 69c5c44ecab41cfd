//! Patterns over names, as SHOW TABLES and ListTableMetadata take them: `*` or `.*` for anything, `|` between choices.

/// Whether a name, in lower case, fits the pattern.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    pattern.to_lowercase().split('|').any(|choice| fits(&choice.replace(".*", "*"), name))
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            // Wherever the rest may begin.
            (0..=name.len()).any(|at| name.get(at..).is_some_and(|tail| fits(rest, tail)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_choices() {
        for (pattern, fit) in
            [("quotes", true), ("quo*", true), ("*TES", true), (".*ot.*", true), ("bars|quotes", true), ("quote", false), ("*x*", false)]
        {
            assert_eq!(matches(pattern, "quotes"), fit, "{pattern}");
        }
    }
}
