//! Three weeks of trading days, each with another awkward moment.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_athena::types::{QueryExecutionContext, QueryExecutionState, ResultConfiguration};
use chrono::{DateTime, Datelike as _, Days, NaiveDate, TimeDelta, Utc};
use local_aws::glue::Change;

use crate::objects::{key, rows};
use crate::world::{CRAWL, World};

/// From an object's landing, or from its notification where that is late, to its being visible: S3's second, the batch
/// window of five, and one of each clock.
const VISIBLE_WITHIN: i64 = 8;

/// The test's view of the lake.
struct Lake {
    world: World,
    /// Offsets of rows that were stored, by the key of their object.
    stored: BTreeMap<String, i64>,
    /// Objects that Athena does not see yet, and when it must at the latest.
    unseen: BTreeMap<String, DateTime<Utc>>,
    slowest: TimeDelta,
    ended_crawls: usize,
}

impl Lake {
    /// Stores an object of `day`; it is told of after each of these seconds.
    async fn lands(&mut self, day: NaiveDate, told_after: &[i64]) -> String {
        let offset = i64::try_from(self.stored.len()).unwrap();
        let key = key(&day.to_string(), offset);
        self.world.notices.delay(&key, told_after);
        self.world.put(&key, rows(&[offset])).await;
        self.stored.insert(key.clone(), offset);
        // One that is told late is seen at once where its day is known.
        if let Some(first) = told_after.iter().min() {
            let deadline = self.world.now() + TimeDelta::seconds(first.max(&1) - 1 + VISIBLE_WITHIN);
            self.unseen.insert(key.clone(), deadline);
        }
        key
    }

    async fn land(&mut self, day: NaiveDate) -> String {
        self.lands(day, &[1]).await
    }

    /// Lets seconds pass, and looks after each of them.
    async fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.world.second().await;
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let now = self.world.now();
        if !self.unseen.is_empty() {
            let folders = self.folders().await;
            self.unseen.retain(|key, deadline| {
                let seen = folders.contains(&key[..=key.rfind('/').unwrap()]);
                assert!(seen || now <= *deadline, "{key} is not visible at {now}");
                if seen {
                    let margin = *deadline - now;
                    // How long it took, where it was told of after a second.
                    self.slowest = self.slowest.max(TimeDelta::seconds(VISIBLE_WITHIN) - margin);
                }
                !seen
            });
        }
        let ended = self.world.crawls.lock().unwrap().iter().filter(|crawl| matches!(crawl.change, Change::Succeeded { .. })).count();
        if ended > self.ended_crawls {
            self.ended_crawls = ended;
            self.compare().await;
        }
    }

    /// The folders of the catalog's partitions.
    async fn folders(&self) -> BTreeSet<String> {
        let partitions = self.world.clients.glue.get_partitions().database_name("tickerlake").table_name("quotes");
        let mut pages = partitions.into_paginator().send();
        let mut folders = BTreeSet::new();
        while let Some(page) = pages.next().await {
            for partition in page.unwrap().partitions.unwrap_or_default() {
                let location = partition.storage_descriptor.unwrap().location.unwrap();
                let folder = location.strip_prefix(&format!("s3://{}/", self.world.bucket())).unwrap();
                assert_eq!(folder, format!("quotes/dt={}/", partition.values.unwrap()[0]));
                folders.insert(folder.to_owned());
            }
        }
        folders
    }

    /// After a crawl the catalog has every day of the lake and no other.
    async fn compare(&self) {
        let objects = self.world.clients.s3.list_objects_v2().bucket(self.world.bucket()).prefix("quotes/");
        let mut pages = objects.into_paginator().send();
        let mut days = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let keys = page.unwrap().contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
            days.extend(keys.map(|key| key[..=key.rfind('/').unwrap()].to_owned()));
        }
        assert_eq!(self.folders().await, days, "at {}", self.world.now());
    }
}

/// The number that a query answers, as Athena gives it.
async fn ask(world: &World, sql: &str) -> String {
    let context = QueryExecutionContext::builder().database("tickerlake").build();
    let results = ResultConfiguration::builder().output_location(format!("s3://{}/answers/", world.bucket())).build();
    let start = world.athena.start_query_execution().query_string(sql).query_execution_context(context);
    let id = start.result_configuration(results).send().await.unwrap().query_execution_id.unwrap();
    loop {
        let found = world.athena.get_query_execution().query_execution_id(&id).send().await.unwrap().query_execution.unwrap();
        let status = found.status.unwrap();
        match status.state.as_ref() {
            Some(QueryExecutionState::Succeeded) => break,
            Some(QueryExecutionState::Failed | QueryExecutionState::Cancelled) => panic!("{status:?}"),
            _ => tokio::task::yield_now().await,
        }
    }
    let results = world.athena.get_query_results().query_execution_id(&id).send().await.unwrap().result_set.unwrap();
    results.rows()[1].data().iter().map(|datum| datum.var_char_value().unwrap_or("NULL")).collect::<Vec<_>>().join(" ")
}

#[tokio::test(start_paused = true)]
async fn every_row_is_visible_in_seconds_and_crawls_are_about_one_a_day() {
    let world = World::begin("2026-11-02T09:00:00Z").await;
    let monday = NaiveDate::from_ymd_opt(2026, 11, 2).unwrap();
    let mut lake = Lake { world, stored: BTreeMap::new(), unseen: BTreeMap::new(), slowest: TimeDelta::zero(), ended_crawls: 0 };

    // Days that landed before the function existed: nobody tells of them.
    let before = [monday - Days::new(4), monday - Days::new(3)];
    for day in before {
        lake.lands(day, &[]).await;
    }
    let mut crawls_of = BTreeMap::new();
    let days: Vec<_> = (0..21).map(|day| monday + Days::new(day)).filter(|day| day.weekday().num_days_from_monday() < 5).collect();
    for (number, day) in days.iter().copied().enumerate() {
        lake.world.until(day.and_hms_opt(9, 0, 0).unwrap().and_utc()).await;
        let begun = lake.world.crawls_begun();
        trading_day(&mut lake, number, day, monday).await;
        // Long enough for all that waits for a crawl to be told of it.
        lake.pass(900).await;
        assert!(lake.unseen.is_empty(), "{day}: {:?}", lake.unseen);
        assert!(lake.world.queue.is_empty() && lake.world.dead_letters.is_empty(), "{day}");
        crawls_of.insert(day, lake.world.crawls_begun() - begun);
    }

    println!("crawls: {crawls_of:?}; slowest to be visible: {} s", lake.slowest.num_seconds());
    for (number, day) in days.iter().enumerate() {
        let most = match number {
            // Another new day while a crawl is under way; a crawl that fails, or is stopped; one that someone else started
            // between two first objects; a day that was dropped.
            2 | 3 | 7 | 8 | 9 | 12 => 2,
            _ => 1,
        };
        assert!((1..=most).contains(&crawls_of[day]), "{day}: {crawls_of:?}");
    }
    // Through Athena: each row once.
    let counted = ask(&lake.world, "SELECT count(*), count(DISTINCT kafka_offset), count(DISTINCT dt) FROM quotes").await;
    let (rows, days) = (lake.stored.len(), lake.folders().await.len());
    assert_eq!(counted, format!("{rows} {rows} {days}"));
    lake.world.end().await;
}

/// What lands on a day. Its first object at once; the rest says which moment is awkward.
async fn trading_day(lake: &mut Lake, number: usize, day: NaiveDate, monday: NaiveDate) {
    match number {
        // An older day that nobody knew, just before the crawl lists.
        2 => {
            lake.land(day).await;
            lake.pass(7 + CRAWL / 2 - 2).await;
            lake.land(monday - Days::new(5)).await;
        }
        // Another one, just after it has listed.
        3 => {
            lake.land(day).await;
            lake.pass(7 + CRAWL / 2 + 2).await;
            lake.land(monday - Days::new(6)).await;
        }
        // Two days at once.
        4 => {
            lake.land(day).await;
            lake.land(monday - Days::new(7)).await;
        }
        // Told of several times, soon and late.
        5 => drop(lake.lands(day, &[1, 1, 2, 30, 70, 700]).await),
        // The first object is told of long after the second, which landed later.
        6 => {
            lake.lands(day, &[600]).await;
            lake.land(day).await;
        }
        // A crawl fails once: an object is there that is no Parquet file, until someone puts a whole one in its place.
        7 => {
            let broken = key(&day.to_string(), i64::try_from(lake.stored.len()).unwrap());
            lake.world.put(&broken, b"cut off".to_vec()).await;
            lake.pass(7 + CRAWL).await;
            assert_eq!(lake.land(day).await, broken);
        }
        // Someone else starts the crawler between its first objects.
        8 => {
            lake.land(day).await;
            lake.pass(2).await;
            lake.world.clients.glue.start_crawler().name(lake.world.crawler()).send().await.unwrap();
        }
        // Someone stops the crawl.
        9 => {
            lake.land(day).await;
            lake.pass(20).await;
            lake.world.clients.glue.stop_crawler().name(lake.world.crawler()).send().await.unwrap();
        }
        // More than fits into one batch.
        10 => {
            for _ in 0..120 {
                lake.land(day).await;
            }
        }
        // Together with one more of the day before.
        11 => {
            lake.land(day - Days::new(1)).await;
            lake.land(day).await;
        }
        // Someone drops a day from the catalog while nothing lands in it; the next object brings it back.
        12 => {
            lake.land(day).await;
            lake.pass(7 + CRAWL + 300).await;
            let glue = &lake.world.clients.glue;
            let drop = glue.delete_partition().database_name("tickerlake").table_name("quotes").partition_values(day.to_string());
            drop.send().await.unwrap();
        }
        _ => drop(lake.land(day).await),
    }
    // While the crawl is under way, just before and after it lists, and at its end.
    for pause in [1, 5, CRAWL / 2 - 1, 2, CRAWL / 2 - 8, 1, 1, 1, 300] {
        lake.pass(pause).await;
        lake.land(day).await;
    }
}
