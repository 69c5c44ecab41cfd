//! The table of a run.

use std::fmt;

use benches::figures::shown;

/// Rows in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
enum Row {
    Section(String),
    Compared { name: String, rust: f64, python: f64, unit: &'static str },
    Alone { name: String, figure: f64, unit: &'static str },
}

impl Table {
    pub(crate) fn section(&mut self, name: &str) {
        self.rows.push(Row::Section(name.to_owned()));
    }

    pub(crate) fn milliseconds(&mut self, name: &str, rust: f64, python: f64) {
        self.compare(name, rust, python, "ms");
    }

    pub(crate) fn microseconds(&mut self, name: &str, rust: f64, python: f64) {
        self.compare(name, rust, python, "µs");
    }

    pub(crate) fn bytes(&mut self, name: &str, rust: u64, python: u64) {
        self.compare(name, rust as f64 / 1e3, python as f64 / 1e3, "kB");
    }

    pub(crate) fn megabytes(&mut self, name: &str, rust: u64, python: u64) {
        self.compare(name, rust as f64 / 1e6, python as f64 / 1e6, "MB");
    }

    /// A figure of write-quotes alone.
    pub(crate) fn alone(&mut self, name: &str, figure: f64, unit: &'static str) {
        self.rows.push(Row::Alone { name: name.to_owned(), figure, unit });
    }

    fn compare(&mut self, name: &str, rust: f64, python: f64, unit: &'static str) {
        self.rows.push(Row::Compared { name: name.to_owned(), rust, python, unit });
    }
}

impl fmt::Display for Table {
    /// Markdown, so that it can stand in the documentation as it was printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            match row {
                Row::Section(name) => {
                    writeln!(f, "\n{name}\n")?;
                    writeln!(f, "| {:<54} | {:>8} | {:>12} | {:>12} |", "", "ratio", "write-quotes", "Python")?;
                    writeln!(f, "|:{:-<54}-|-{:->8}:|-{:->12}:|-{:->12}:|", "", "", "", "")?;
                }
                Row::Compared { name, rust, python, unit } => {
                    let ratio = format!("{:.1}×", python / rust);
                    let (rust, python) = (shown(*rust, unit), shown(*python, unit));
                    writeln!(f, "| {name:<54} | {ratio:>8} | {rust:>12} | {python:>12} |")?;
                }
                Row::Alone { name, figure: value, unit } => {
                    writeln!(f, "| {name:<54} | {:>8} | {:>12} | {:>12} |", "", shown(*value, unit), "")?;
                }
            }
        }
        Ok(())
    }
}
