//! What somebody at a terminal sees of a query that takes a while.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// A query that is done by then tells nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Back to the line's begin, and the line away.
const WIPE: &str = "\r\x1b[2K";

/// The line on standard error that says how far a query is.
pub(super) struct Progress {
    began: Instant,
    terminal: bool,
    shown: bool,
    scanned: u64,
}

impl Progress {
    /// Shows something only where standard error is a terminal.
    pub(super) fn of_terminal(began: Instant) -> Self {
        Self { began, terminal: stderr().is_terminal(), shown: false, scanned: 0 }
    }

    /// The query still runs and has scanned so many bytes.
    pub(super) fn show(&mut self, scanned: u64) {
        self.scanned = scanned;
        let elapsed = self.began.elapsed();
        if self.terminal && elapsed >= PATIENCE {
            self.shown = true;
            tell(&format!("{WIPE}  {}, Ctrl-C cancels", line("running", elapsed, scanned)));
        }
    }

    /// The query ended, with so many rows if it ended well.
    pub(super) fn end(&mut self, rows: Option<usize>) {
        if !self.shown {
            return;
        }
        tell(WIPE);
        if let Some(rows) = rows {
            tell(&format!("  {}\n", line(&counted(rows), self.began.elapsed(), self.scanned)));
        }
    }
}

/// `1 row`, `2 rows`.
pub(super) fn counted(rows: usize) -> String {
    format!("{rows} {}", if rows == 1 { "row" } else { "rows" })
}

/// What the terminal does not take cannot be told there either.
fn tell(text: &str) {
    let mut out = stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn line(what: &str, elapsed: Duration, scanned: u64) -> String {
    let mut line = format!("{what}, {:.1} s", elapsed.as_secs_f64());
    // Athena says so while a query runs; a service that says it at the end only has nothing to tell yet.
    if scanned > 0 {
        line.push_str(&format!(", {} scanned", bytes(scanned)));
    }
    line
}

/// `12.3 MB`, in powers of ten, as Athena bills.
fn bytes(count: u64) -> String {
    let scaled = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let unit = scaled.into_iter().find(|(unit, _)| count >= *unit);
    unit.map_or_else(|| format!("{count} B"), |(unit, name)| format!("{:.1} {name}", count as f64 / unit as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_known() {
        assert_eq!(line("running", Duration::from_millis(1_240), 0), "running, 1.2 s");
        assert_eq!(line("3 rows", Duration::from_millis(2_000), 12_345_678), "3 rows, 2.0 s, 12.3 MB scanned");
        assert_eq!((bytes(999), bytes(1_000)), ("999 B".to_owned(), "1.0 kB".to_owned()));
    }
}
