//! The rows of a query, and how they are printed.

use std::io::{Error, Result, Write};

use serde_json::{Map, Value};

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

/// Aligned columns: numbers to the right, a null as nothing.
fn table(out: &mut impl Write, rows: &Rows) -> Result<()> {
    let length = |value: &str| value.chars().count();
    let mut widths: Vec<usize> = rows.columns.iter().map(|(name, _)| length(name)).collect();
    for row in &rows.rows {
        for (width, value) in widths.iter_mut().zip(row) {
            *width = (*width).max(value.as_deref().map_or(0, length));
        }
    }
    let mut line = |cells: Vec<&str>| {
        let mut text = String::new();
        for ((cell, width), (_, kind)) in cells.into_iter().zip(&widths).zip(&rows.columns) {
            let padding = " ".repeat(width.saturating_sub(length(cell)));
            let number =
                matches!(kind.as_str(), "decimal" | "bigint" | "integer" | "int" | "double" | "float" | "real" | "smallint" | "tinyint");
            text.push_str("  ");
            text.push_str(&if number { format!("{padding}{cell}") } else { format!("{cell}{padding}") });
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(rows.columns.iter().map(|(name, _)| name.as_str()).collect())?;
    rows.rows.iter().try_for_each(|row| line(row.iter().map(|value| value.as_deref().unwrap_or_default()).collect()))
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

/// One object a row. Values are strings, as Athena gives them: no reader turns a price into a binary float.
fn json(out: &mut impl Write, rows: &Rows) -> Result<()> {
    for row in &rows.rows {
        let members = rows.columns.iter().zip(row);
        let object: Map<_, _> =
            members.map(|((name, _), value)| (name.clone(), value.clone().map_or(Value::Null, Value::String))).collect();
        serde_json::to_writer(&mut *out, &object).map_err(Error::from)?;
        writeln!(out)?;
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
        assert_eq!(written(TableFormat::Table), "  symbol    price\n  BRK.B      1.50\n  a,\"b\"\n          1000.00\n");
    }

    #[test]
    fn csv_keeps_null_and_empty_apart() {
        assert_eq!(written(TableFormat::Csv), "symbol,price\nBRK.B,1.50\n\"a,\"\"b\"\"\",\n\"\",1000.00\n");
    }

    #[test]
    fn json_keeps_numbers_exact() {
        assert_eq!(written(TableFormat::Json).lines().nth(1).unwrap(), r#"{"price":null,"symbol":"a,\"b\""}"#);
    }
}
