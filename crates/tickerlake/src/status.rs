//! `tickerlake status`: how each stage of the pipeline stands.

mod dead_letters;
mod fetch;
mod freshness;
mod known;
mod lag;
mod poison;
mod report;

use std::path::Path;

use chrono::{DateTime, Utc};
use local_aws::template::Deployment;
use quotes::calendar::new_york_date;
use quotes::{Timestamp, keys};
use serde::Serialize;

use crate::cli::{AuditFormat, LakeArgs, StatusArgs};
use crate::data_folder::DataFolder;
use crate::deployment;
use crate::failure::Failure;
use crate::lake::Visit;
use crate::lake::state::{CrawlerNow, Written};
use dead_letters::DeadLetters;
use fetch::Fetch;
use freshness::Freshness;
use known::Known;
use lag::PartitionLag;
use poison::Poison;

/// How each stage stands, in the order of the way of a quote.
#[derive(Debug, Serialize)]
struct Status {
    /// The data folder or the stack.
    lake: String,
    /// When this was looked at.
    at: DateTime<Utc>,
    /// Whether `tickerlake local` works in the folder now; unknown of a deployed stack.
    running: Known<bool>,
    /// The newest run of fetch-quotes; null before the first.
    fetch: Known<Option<Fetch>>,
    /// What is in Kafka and not yet stored.
    kafka: Known<Vec<PartitionLag>>,
    /// The data file that was written last; null where there is none.
    newest_file: Known<Option<Written>>,
    /// The crawler.
    crawler: Known<CrawlerNow>,
    /// What SQL sees.
    freshness: Known<Freshness>,
    /// The records that are no quotes.
    quarantine: Known<Poison>,
    /// The queues of what could not be worked off.
    dead_letters: Known<Vec<DeadLetters>>,
}

/// Looks at every stage and prints what is known.
pub(crate) async fn run(args: StatusArgs) -> Result<(), Failure> {
    let visit = Visit::open(&args.lake).await?;
    let status = status(&visit, &args.lake).await;
    visit.close().await;
    let status = status?;
    match args.format {
        AuditFormat::Text => print!("{}", report::text(&status)),
        AuditFormat::Json => {
            let text = serde_json::to_string_pretty(&status).map_err(|error| Failure::new("cannot print the status", error))?;
            println!("{text}");
        }
    }
    Ok(())
}

/// A stage that does not answer is unknown, and hides no other.
async fn status(visit: &Visit, args: &LakeArgs) -> Result<Status, Failure> {
    let place = Place::of(visit, args)?;
    let at = Utc::now();
    Ok(Status {
        lake: place.name(),
        at,
        running: place.running(visit),
        fetch: place.fetch(),
        kafka: lag::of(visit).await,
        newest_file: newest_file(visit, at).await.into(),
        crawler: place.crawler(visit).await,
        freshness: freshness::of(&visit.lake).await.into(),
        quarantine: poison::of(&visit.lake).await.into(),
        dead_letters: place.dead_letters().await,
    })
}

/// Where a lake is, and what can be known of it from here.
enum Place<'a> {
    /// A data folder, with what the template declares.
    Folder(&'a Path, Deployment),
    /// A deployed stack, with what this build's template declares.
    Stack(&'a str, Deployment),
}

impl<'a> Place<'a> {
    fn of(visit: &'a Visit, args: &'a LakeArgs) -> Result<Self, Failure> {
        let deployment = deployment::read(None, "127.0.0.1:0")?;
        Ok(match &args.stack {
            Some(stack) => Self::Stack(stack, deployment),
            None => Self::Folder(visit.folder.as_ref().map_or(args.data.as_path(), DataFolder::path), deployment),
        })
    }

    fn name(&self) -> String {
        match self {
            Self::Folder(folder, _) => folder.display().to_string(),
            Self::Stack(stack, _) => format!("stack {stack}"),
        }
    }

    fn running(&self, visit: &Visit) -> Known<bool> {
        match self {
            Self::Folder(..) => Known::Known(visit.running.is_some()),
            Self::Stack(..) => Known::unknown("the schedules of a deployed stack run by themselves"),
        }
    }

    fn fetch(&self) -> Known<Option<Fetch>> {
        match self {
            Self::Folder(folder, _) => fetch::newest(&folder.join("logs")).into(),
            Self::Stack(..) => Known::unknown(
                "it is in CloudWatch, which this command does not ask: see the metrics Fetched and Produced in the namespace tickerlake",
            ),
        }
    }

    async fn crawler(&self, visit: &Visit) -> Known<CrawlerNow> {
        let name = match self {
            Self::Folder(_, deployment) => match deployment.crawlers.first() {
                Some(crawler) => crawler.name.clone(),
                None => return Known::unknown("the template declares no crawler"),
            },
            // As the template names it.
            Self::Stack(stack, _) => format!("{stack}-quotes"),
        };
        visit.lake.crawler(&name).await.into()
    }

    async fn dead_letters(&self) -> Known<Vec<DeadLetters>> {
        match self {
            Self::Folder(folder, deployment) => dead_letters::in_folder(&folder.join("sqs"), deployment).into(),
            Self::Stack(stack, deployment) => dead_letters::of_stack(stack, deployment).await.into(),
        }
    }
}

/// Looked for in the two newest days and in today, which the catalog may not know yet: a lake of years takes too long to list.
async fn newest_file(visit: &Visit, now: DateTime<Utc>) -> Result<Option<Written>, Failure> {
    let mut days: Vec<String> = visit.lake.days().await?.into_iter().rev().take(2).collect();
    days.push(new_york_date(Timestamp::from(now)).to_string());
    days.sort();
    days.dedup();
    let mut newest: Option<Written> = None;
    for day in days {
        let found = visit.lake.newest_object(&format!("{}dt={day}/", keys::QUOTES_PREFIX)).await?;
        newest = newest.into_iter().chain(found).max_by_key(|file| file.at);
    }
    Ok(newest)
}
