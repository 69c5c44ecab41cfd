//! Athena's CSV: every value quoted, null empty and unquoted, so that an empty text and null differ.

use std::io::{self, BufRead};

/// A row's values; none for null.
pub(super) type Row = Vec<Option<String>>;

/// Appends a row.
pub(super) fn write_row<'a>(out: &mut String, values: impl IntoIterator<Item = Option<&'a str>>) {
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if let Some(value) = value {
            out.push('"');
            for part in value.split_inclusive('"') {
                out.push_str(part);
                if part.ends_with('"') {
                    out.push('"');
                }
            }
            out.push('"');
        }
    }
    out.push('\n');
}

/// Reads one row that [`write_row`] wrote, and how many bytes it took; nothing at the end of the file.
pub(super) fn read_row(reader: &mut impl BufRead) -> io::Result<Option<(Row, u64)>> {
    let mut line = Vec::new();
    // A quoted value may hold line breaks; the row ends where the quotes are even.
    loop {
        let before = line.len();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let quotes = line.iter().filter(|byte| **byte == b'"').count();
        if quotes % 2 == 0 || line.len() == before {
            break;
        }
    }
    if line.is_empty() {
        return Ok(None);
    }
    let length = line.len() as u64;
    let text = String::from_utf8(line).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Some((split(text.strip_suffix('\n').unwrap_or(&text)), length)))
}

fn split(row: &str) -> Row {
    let mut values = Vec::new();
    let mut chars = row.chars().peekable();
    let (mut value, mut quoted, mut inside) = (String::new(), false, false);
    while let Some(char) = chars.next() {
        match char {
            '"' if inside && chars.peek() == Some(&'"') => {
                chars.next();
                value.push('"');
            }
            '"' => {
                inside = !inside;
                quoted = true;
            }
            ',' if !inside => {
                values.push(quoted.then(|| std::mem::take(&mut value)));
                quoted = false;
            }
            other => value.push(other),
        }
    }
    values.push(quoted.then_some(value));
    values
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_differ_and_quotes_are_doubled() {
        let mut out = String::new();
        write_row(&mut out, [Some("a"), None, Some(""), Some("say \"hi\", you")]);
        assert_eq!(out, "\"a\",,\"\",\"say \"\"hi\"\", you\"\n");
    }

    #[test]
    fn rows_read_back_as_they_were_written() {
        let rows: Vec<Vec<Option<&str>>> = vec![
            vec![Some("symbol"), Some("price")],
            vec![Some("two\nlines"), None],
            vec![None, Some("\"")],
            vec![Some(""), Some("\"\",\n\"")],
        ];
        let mut out = String::new();
        rows.iter().for_each(|row| write_row(&mut out, row.iter().copied()));
        let mut reader = out.as_bytes();
        let mut read = 0;
        for row in rows {
            let (values, length) = read_row(&mut reader).unwrap().unwrap();
            assert_eq!(values.iter().map(Option::as_deref).collect::<Vec<_>>(), row);
            read += length;
        }
        assert_eq!(read as usize, out.len());
        assert!(read_row(&mut reader).unwrap().is_none());
    }
}
