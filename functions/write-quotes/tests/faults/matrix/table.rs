//! The table in the documentation, made of the run.

use std::fmt::Write;
use std::path::Path;

use super::boundary::Boundary;
use super::cell::Cell;
use super::fault::{At, FAULTS};
use crate::lake::Tally;

const HEAD: &str = "# Every fault at every boundary

This table is made by a test run (`functions/write-quotes/tests/faults`), which fails when it differs: `UPDATE_DOCS=1 make test` writes it anew.

Each cell runs the function's own binary, the one that deploys, behind the local Lambda and the local S3. A batch of three partitions
(two days, with poison between them) is delivered; one request of partition 0 meets the fault; then the mapping delivers again until it
succeeds, in every second cell with other boundaries; then everything comes twice more, as if the mapping's commit had been lost, to a
warm environment and to a new one. In the end every Parquet file, every quarantine object and the watermarks are read, and compared with
the records of the topic. A cell says how many records are **lost / doubled**; a row that is neither at its place nor with its own content fails
the run too. `before` means that the request was not carried out, `after` that it took effect and its answer was lost.

What an invocation comes to is checked as well: after a row that ends in \"error returned\" the function tells an error and the mapping
delivers again; where S3 gives no answer it stops before its deadline and says so; from the other faults in S3 it recovers within the invocation.
";

/// Compares the table with the one in the documentation, or writes it there.
pub(crate) fn compare(results: &[(&Cell, Tally)]) {
    let table = render(results);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fault-matrix.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, table).unwrap();
    } else {
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == table, "docs/fault-matrix.md is not what this run came to: run `UPDATE_DOCS=1 make test`\n\n{table}");
    }
}

fn render(results: &[(&Cell, Tally)]) -> String {
    let mut table = HEAD.to_owned();
    let notes: Vec<At> = FAULTS.iter().fold(Vec::new(), |mut notes, fault| {
        if fault.at != At::Any && !notes.contains(&fault.at) {
            notes.push(fault.at);
        }
        notes
    });
    let line = |table: &mut String, cells: Vec<String>| writeln!(table, "| {} |", cells.join(" | ")).unwrap();
    table.push('\n');
    line(&mut table, std::iter::once(String::new()).chain(Boundary::ALL.map(|boundary| boundary.name().to_owned())).collect());
    line(&mut table, std::iter::once("---".to_owned()).chain(Boundary::ALL.map(|_| ":-:".to_owned())).collect());
    for fault in &FAULTS {
        let cell = |boundary| match results.iter().find(|(cell, _)| cell.boundary == boundary && cell.fault.name == fault.name) {
            Some((_, tally)) => format!("{} / {}", tally.lost.len(), tally.doubled.len()),
            None => format!("– ({})", notes.iter().position(|at| *at == fault.at).map_or(0, |note| note + 1)),
        };
        line(&mut table, std::iter::once(fault.name.to_owned()).chain(Boundary::ALL.map(cell)).collect());
    }
    let all = FAULTS.len() * Boundary::ALL.len();
    writeln!(table, "\n{} cells were run. The other {} cannot be:\n", results.len(), all - results.len()).unwrap();
    for (index, at) in notes.iter().enumerate() {
        writeln!(table, "* ({}) {}.", index + 1, at.elsewhere()).unwrap();
    }
    table.push_str("\nThe boundaries, as requests to S3:\n\n");
    for boundary in Boundary::ALL {
        writeln!(table, "* **{}**: {}.", boundary.name(), boundary.request()).unwrap();
    }
    table
}
