//! The rows of a query, and how they are printed.

use std::borrow::Cow;
use std::io::{Error, Result, Write};

use crate::cli::TableFormat;
use crate::failure::Failure;

/// The rows of a query, as Athena gives them: texts, or null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// The columns' names and types.
    pub(crate) columns: Vec<(String, String)>,
    /// The rows.
    pub(crate) rows: Vec<Vec<Option<String>>>,
}

/// Prints rows. A reader that closes the pipe early, as `head` does, has seen what it wanted.
pub(crate) fn print(rows: &Rows, format: TableFormat) -> std::result::Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let printed = write(&mut out, rows, format).and_then(|()| out.flush());
    match printed {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new("cannot print the rows", error)),
        _ => Ok(()),
    }
}

fn write(out: &mut impl Write, rows: &Rows, format: TableFormat) -> Result<()> {
    match format {
        TableFormat::Table => table(out, rows),
        TableFormat::Csv => csv(out, rows),
        TableFormat::Json => json(out, rows),
    }
}

/// Aligned columns: numbers to the right, a null as NULL, and control characters spelt out, so that a value stays in its line
/// and tells the terminal nothing.
fn table(out: &mut impl Write, rows: &Rows) -> Result<()> {
    let length = |value: &str| value.chars().count();
    let mut widths: Vec<usize> = rows.columns.iter().map(|(name, _)| length(name)).collect();
    for row in &rows.rows {
        for (width, value) in widths.iter_mut().zip(row) {
            *width = (*width).max(length(&cell(value.as_deref())));
        }
    }
    let mut line = |cells: Vec<Cow<'_, str>>| {
        let mut text = String::new();
        for ((cell, width), (_, kind)) in cells.into_iter().zip(&widths).zip(&rows.columns) {
            let padding = " ".repeat(width.saturating_sub(length(&cell)));
            let number =
                matches!(kind.as_str(), "decimal" | "bigint" | "integer" | "int" | "double" | "float" | "real" | "smallint" | "tinyint");
            text.push_str("  ");
            text.push_str(&if number { format!("{padding}{cell}") } else { format!("{cell}{padding}") });
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(rows.columns.iter().map(|(name, _)| cell(Some(name))).collect())?;
    rows.rows.iter().try_for_each(|row| line(row.iter().map(|value| cell(value.as_deref())).collect()))
}

fn cell(value: Option<&str>) -> Cow<'_, str> {
    match value {
        None => Cow::Borrowed("NULL"),
        Some(text) if text.contains(char::is_control) => {
            let spelt = |char: char| if char.is_control() { char.escape_default().to_string() } else { char.to_string() };
            Cow::Owned(text.chars().map(spelt).collect())
        }
        Some(text) => Cow::Borrowed(text),
    }
}

/// Comma-separated with a header. A null is an empty field, an empty text is `""`.
fn csv(out: &mut impl Write, rows: &Rows) -> Result<()> {
    let field = |value: Option<&str>| match value {
        None => String::new(),
        Some(text) if text.is_empty() || text.contains([',', '"', '\n', '\r']) => format!("\"{}\"", text.replace('"', "\"\"")),
        Some(text) => text.to_owned(),
    };
    let mut line = |fields: Vec<String>| writeln!(out, "{}", fields.join(","));
    line(rows.columns.iter().map(|(name, _)| field(Some(name))).collect())?;
    rows.rows.iter().try_for_each(|row| line(row.iter().map(|value| field(value.as_deref())).collect()))
}

/// One object a row, its members in the columns' order. Values are strings, as Athena gives them: no reader turns a price into a
/// binary float.
fn json(out: &mut impl Write, rows: &Rows) -> Result<()> {
    for row in &rows.rows {
        for (index, ((name, _), value)) in rows.columns.iter().zip(row).enumerate() {
            out.write_all(if index == 0 { b"{" } else { b"," })?;
            serde_json::to_writer(&mut *out, name).map_err(Error::from)?;
            out.write_all(b":")?;
            serde_json::to_writer(&mut *out, value).map_err(Error::from)?;
        }
        writeln!(out, "{}", if row.is_empty() { "{}" } else { "}" })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rows() -> Rows {
        let text = |text: &str| Some(text.to_owned());
        Rows {
            columns: vec![("symbol".into(), "varchar".into()), ("price".into(), "decimal".into())],
            rows: vec![vec![text("BRK.B"), text("1.50")], vec![text("a,\"b\""), None], vec![text(""), text("1000.00")]],
        }
    }

    fn written(format: TableFormat) -> String {
        let mut out = Vec::new();
        write(&mut out, &rows(), format).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_are_aligned() {
        assert_eq!(written(TableFormat::Table), "  symbol    price\n  BRK.B      1.50\n  a,\"b\"      NULL\n          1000.00\n");
    }

    #[test]
    fn a_value_keeps_to_its_line() {
        assert_eq!(cell(Some("two\nlines\u{1b}[31m, ü")), "two\\nlines\\u{1b}[31m, ü");
        assert_eq!((cell(None), cell(Some(""))), ("NULL".into(), "".into()));
    }

    #[test]
    fn csv_keeps_null_and_empty_apart() {
        assert_eq!(written(TableFormat::Csv), "symbol,price\nBRK.B,1.50\n\"a,\"\"b\"\"\",\n\"\",1000.00\n");
    }

    #[test]
    fn json_keeps_numbers_exact() {
        assert_eq!(written(TableFormat::Json).lines().nth(1).unwrap(), r#"{"symbol":"a,\"b\"","price":null}"#);
    }
}
