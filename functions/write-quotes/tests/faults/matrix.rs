//! Every fault at every boundary: the table in `docs/fault-matrix.md`.

mod boundary;
mod cell;
mod fault;
mod table;

use futures::stream::{self, StreamExt};

use crate::stack::Stack;
use boundary::Boundary;
use cell::Cell;
use fault::FAULTS;

/// Most of a cell is waiting: for a process to start, for the SDK to try again.
const CELLS_AT_ONCE: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_at_every_boundary() {
    let mut cells = Vec::new();
    for (row, fault) in FAULTS.iter().enumerate() {
        for (column, boundary) in Boundary::ALL.into_iter().enumerate() {
            if fault.at.includes(boundary) {
                let name = format!("cell-{row:02}-{column}");
                cells.push(Cell { name, boundary, fault, other_boundaries: (row + column) % 2 == 1 });
            }
        }
    }
    let buckets: Vec<_> = cells.iter().map(|cell| cell.name.as_str()).collect();
    let stack = Stack::start(&buckets).await;
    let results: Vec<_> = stream::iter(&cells)
        .map(|cell| {
            let stack = &stack;
            async move { (cell, cell.run(stack).await) }
        })
        .buffer_unordered(CELLS_AT_ONCE)
        .collect()
        .await;
    stack.stop().await;

    let failures: Vec<_> = results.iter().filter_map(|(cell, result)| Some(format!("{cell}: {}", result.as_ref().err()?))).collect();
    assert!(failures.is_empty(), "{} of {} cells failed:\n{}", failures.len(), cells.len(), failures.join("\n"));
    table::compare(&results.into_iter().filter_map(|(cell, result)| Some((cell, result.ok()?))).collect::<Vec<_>>());
}
