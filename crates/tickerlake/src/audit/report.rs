//! What an audit found, for people and for programs.

use serde_json::json;

use super::ledger::{Audit, LogAudit, Reason};
use crate::failure::Failure;

/// Gaps and doubles that are told one by one to people; programs get all.
const TOLD: usize = 20;

/// Prints it for people.
pub(crate) fn text(audit: &Audit) {
    match &*audit.kafka {
        [] => println!("No Kafka could be asked: compared with the watermarks alone."),
        [cluster] => println!("Compared with Kafka's own offsets, cluster {cluster}."),
        clusters => println!("Compared with Kafka's own offsets, clusters {}.", clusters.join(" and ")),
    }
    for log in &audit.logs {
        println!("{}", summary(log));
        let mut told = 0;
        for double in log.doubles.iter().take(TOLD) {
            println!("    offset {} is doubled, in {}", double.offset, double.files.join(" and "));
            told += 1;
        }
        for gap in log.gaps.iter().take(TOLD) {
            let what = match gap.reason {
                Reason::Missing => "missing",
                Reason::Expired => "had left Kafka before they were stored",
                Reason::Pending => "not yet stored: `tickerlake local` on this folder goes on with them",
            };
            println!("    offsets {} to {}: {what}", gap.from, gap.to);
            told += 1;
        }
        let all = log.doubles.len() + log.gaps.len();
        if all > told {
            println!("    and {} more; --format json lists all", all - told);
        }
    }
    for file in audit.invisible.iter().take(TOLD) {
        println!("  {file} is read by no query: its day was compacted without it. The next run of compact-day adds it.");
    }
    if audit.invisible.len() > TOLD {
        println!("  and {} more files; --format json lists all", audit.invisible.len() - TOLD);
    }
    let (rows, quarantined) = totals(audit);
    if audit.is_sound() {
        println!("Sound: {rows} rows and {quarantined} records in quarantine, every offset exactly once.");
    }
}

fn summary(log: &LogAudit) -> String {
    let mut line = format!("  {} {}-{}: {} rows, {} in quarantine", log.cluster, log.topic, log.partition, log.rows, log.quarantined);
    if let Some((earliest, end)) = log.kafka {
        line.push_str(&format!(", Kafka has {earliest} to {}", end - 1));
    }
    if log.reused > 0 {
        line.push_str(&format!(", {} with an offset used before", log.reused));
    }
    if log.void > 0 {
        line.push_str(&format!(", {} void quarantine objects", log.void));
    }
    line
}

fn totals(audit: &Audit) -> (usize, usize) {
    audit.logs.iter().fold((0, 0), |(rows, quarantined), log| (rows + log.rows, quarantined + log.quarantined + log.reused))
}

/// Prints it for programs: one JSON object.
pub(crate) fn json(audit: &Audit) -> Result<(), Failure> {
    let (rows, quarantined) = totals(audit);
    let report = json!({"sound": audit.is_sound(), "rows": rows, "quarantined": quarantined, "kafka": audit.kafka, "logs": audit.logs, "invisible": audit.invisible});
    let text = serde_json::to_string_pretty(&report).map_err(|error| Failure::new("cannot print the audit", error))?;
    println!("{text}");
    Ok(())
}
