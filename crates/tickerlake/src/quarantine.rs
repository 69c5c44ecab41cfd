//! `tickerlake quarantine`: records that are not quotes, and their way back.

pub(crate) mod kept;
mod replay;

use crate::cli::{AuditFormat, QuarantineArgs, QuarantineCommand};
use crate::failure::Failure;
use crate::lake::Visit;
use kept::Kept;

/// Values are shown to people up to this many characters.
const SHOWN: usize = 60;

/// Lists or replays.
pub(crate) async fn run(args: QuarantineArgs) -> Result<(), Failure> {
    match args.command {
        QuarantineCommand::List { lake, format } => {
            let visit = Visit::open(&lake).await?;
            let listed = kept::list(&visit.lake).await;
            visit.close().await;
            let listed = listed?;
            match format {
                AuditFormat::Text => print(&listed),
                AuditFormat::Json => listed.iter().try_for_each(print_json)?,
            }
            Ok(())
        }
        QuarantineCommand::Replay { lake, file } => {
            let mended = replay::read(&file)?;
            let visit = Visit::open(&lake).await?;
            let replayed = replay::run(&visit, mended).await;
            visit.close().await;
            replayed
        }
    }
}

fn print(listed: &[Kept]) {
    for kept in listed {
        println!("{}  offset {}  {}: {}", kept.log, kept.record.offset, kept.record.reason, kept.record.detail);
        let value = kept.value_text().unwrap_or_else(|| "(no value)".to_owned());
        let shown: String = value.chars().take(SHOWN).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let more = if value.chars().nth(SHOWN).is_some() { "…" } else { "" };
        println!("    {shown}{more}");
        if kept.replayed {
            println!("    replayed");
        }
    }
    println!("{} record(s) in quarantine.", listed.len());
}

fn print_json(kept: &Kept) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(&kept.line()).map_err(|error| Failure::new("cannot print the record", error))?);
    Ok(())
}
