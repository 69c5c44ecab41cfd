//! What the user sees while the pipeline runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Local;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, Counts};
use super::freshness::age;
use super::plan::{Cluster, Plan};
use super::stack::{Sight, Stack};
use crate::cli::TableFormat;
use crate::data_folder::DataFolder;
use crate::failure::Failure;
use crate::lake::Lake;
use crate::rows;

/// How often the display looks.
const LOOK: Duration = Duration::from_millis(250);
/// How often a line is printed at the most.
const LINE: Duration = Duration::from_secs(1);
/// How often the latest quotes are asked for again.
const TABLE: Duration = Duration::from_secs(60);

/// The latest quote of each symbol on the newest day.
const LATEST: &str = "SELECT symbol, price, bid, ask, day_volume, session, event_time, fetched_at, source \
    FROM (SELECT *, row_number() OVER (PARTITION BY symbol ORDER BY fetched_at DESC, kafka_offset DESC) AS place \
    FROM quotes WHERE dt = (SELECT max(dt) FROM quotes)) WHERE place = 1 ORDER BY symbol";

/// Says what runs and where.
pub(crate) fn introduce(plan: &Plan, folder: &DataFolder, stack: &Stack) {
    let endpoints = stack.endpoints();
    let cluster = match &plan.cluster {
        Cluster::Embedded(_) => "embedded",
        Cluster::Real(_) => "Apache Kafka, in processes of its own",
        Cluster::Own { .. } => "your own",
    };
    println!("tickerlake {}: {} quotes into {}", env!("CARGO_PKG_VERSION"), plan.source, folder.path().display());
    println!("  Kafka        {} ({cluster})", endpoints.kafka);
    println!(
        "  AWS          export AWS_ENDPOINT_URL=http://{} AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=us-east-1",
        endpoints.aws
    );
    println!("  functions    their logs are in {}", folder.path().join("logs").display());
    println!();
}

/// Prints lines as things happen, until it is told to finish.
pub(crate) struct Display {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Display {
    /// Starts to watch.
    pub(crate) fn start(sight: Sight, activity: Arc<Activity>) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(watch(sight, activity, stop.clone()));
        Self { stop, task }
    }

    /// Prints what is still to be told, and ends.
    pub(crate) async fn finish(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

async fn watch(sight: Sight, activity: Arc<Activity>, stop: CancellationToken) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut shown = Counts::default();
    let mut line_at: Option<Instant> = None;
    let mut table_at: Option<Instant> = None;
    let mut kafka_error = None;
    loop {
        let last = stop.run_until_cancelled(looks.tick()).await.is_none();
        for notice in activity.notices() {
            println!("{}  {notice}", Local::now().format("%H:%M:%S"));
        }
        let error = sight.progress.iter().find_map(|progress| progress.borrow().kafka_error.clone());
        if error.is_some() && error != kafka_error {
            println!("{}  the Kafka mapping waits: {}", Local::now().format("%H:%M:%S"), error.as_deref().unwrap_or_default());
        }
        kafka_error = error;
        let counts = activity.counts();
        if counts != shown && (last || line_at.is_none_or(|at| at.elapsed() >= LINE)) {
            println!("{}", line(&counts, &sight));
            shown = counts.clone();
            line_at = Some(Instant::now());
        }
        if last {
            return;
        }
        let due = table_at.is_none_or(|at| at.elapsed() >= TABLE);
        if due && counts.rows > 0 && table(&sight.lake).await {
            table_at = Some(Instant::now());
        }
    }
}

/// `12:00:01  fetched 6  produced 6  written 6 rows in 2 files  crawled 1  lag 0  fresh 0.8 s`
fn line(counts: &Counts, sight: &Sight) -> String {
    let mut line = format!(
        "{}  fetched {}  produced {}  written {} rows in {} files  crawled {}  lag {}",
        Local::now().format("%H:%M:%S"),
        counts.fetched,
        counts.produced,
        counts.rows,
        counts.files,
        counts.crawls,
        sight.progress.iter().map(|progress| progress.borrow().lag()).sum::<u64>(),
    );
    if let Some(newest) = sight.freshness.newest() {
        line.push_str(&format!("  newest quote {}", age(newest)));
    }
    for (what, count) in [("quarantined", counts.quarantined), ("not fetched", counts.failed), ("errors", counts.errors)] {
        if count > 0 {
            line.push_str(&format!("  {what} {count}"));
        }
    }
    line
}

/// Prints the latest quotes; false where SQL does not see any yet.
async fn table(lake: &Lake) -> bool {
    match lake.query(LATEST).await {
        Ok(latest) if !latest.rows.is_empty() => {
            println!();
            // What the terminal does not take cannot be told there either.
            let _ = rows::print(&latest, TableFormat::Table);
            println!();
            true
        }
        // Not visible yet: asked again at the next look.
        _ => false,
    }
}

/// Says what the lake holds now, and what the run took.
pub(crate) async fn conclude(stack: &Stack, activity: &Activity, elapsed: Duration) -> Result<(), Failure> {
    let days =
        stack.lake().query("SELECT dt, count(*) AS quotes, count(DISTINCT symbol) AS symbols FROM quotes GROUP BY dt ORDER BY dt").await?;
    let counts = activity.counts();
    println!();
    rows::print(&days, TableFormat::Table)?;
    println!();
    println!(
        "Stored {} rows in {} files in {:.1} s{}.",
        counts.rows,
        counts.files,
        elapsed.as_secs_f64(),
        activity
            .first_produced()
            .map_or_else(String::new, |at| format!(", {:.1} s after the first fetch began", at.elapsed().as_secs_f64())),
    );
    for usage in activity.usage() {
        println!("  {:<14} {} invocations, peak memory {} MB", usage.function, usage.invocations, usage.peak_memory.div_ceil(1 << 20));
    }
    Ok(())
}
