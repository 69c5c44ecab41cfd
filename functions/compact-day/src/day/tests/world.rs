//! S3, Glue and those who work on them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use lake_store::{Object, Version};
use quotes::compaction::{self, MANIFEST, Manifest};
use quotes::keys::{self, LogId};

use crate::current::{self, Current};
use crate::day::{self, Day};
use crate::error::Error;
use crate::retention;

/// What the runs of the model are set to.
pub(super) const SETTLE: TimeDelta = TimeDelta::hours(1);
const REMOVE_AFTER: TimeDelta = TimeDelta::hours(2);

/// An object's content.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    /// The offsets of a file's rows.
    Rows(Vec<i64>),
    Manifest(Manifest),
    Current(Current),
}

/// A request that changes something.
#[derive(Debug, Clone)]
pub(super) enum Change {
    LeadTo(String),
    SwapCurrent(Option<Version>, Current),
    PutManifest(String, Manifest),
    Build(String, Vec<Object>),
    Copy(String, String),
    Delete(String),
}

/// How a change ended.
enum Answer {
    Done,
    Swapped(Option<Version>),
    Built(Manifest),
}

/// The lake, the catalog and the clock.
#[derive(Debug)]
pub(super) struct World {
    objects: BTreeMap<String, (Body, DateTime<Utc>)>,
    location: String,
    pub(super) clock: DateTime<Utc>,
    /// The change that each actor has under way.
    pub(super) under_way: BTreeMap<usize, Change>,
    /// The first offset that the log's watermark has not passed.
    pub(super) watermark: i64,
    /// Actors whose run failed: they say that another one can help.
    pub(super) failed: Vec<usize>,
    /// How many files each actor saw when it last listed the day's own.
    listed: BTreeMap<usize, usize>,
    /// A query must see as many of the files as whoever led the partition last had seen before.
    pub(super) owed: usize,
}

fn date() -> NaiveDate {
    NaiveDate::from_ymd_opt(2013, 10, 7).unwrap()
}

fn original(offset: i64) -> String {
    keys::data(&LogId { cluster: "unknown".into(), topic: "quotes".into(), partition: 0 }, date(), offset)
}

impl World {
    /// A day of some files with one row each.
    pub(super) fn new(files: i64) -> Self {
        let location = compaction::original_folder(date());
        let clock = "2013-10-08T06:30:00Z".parse().unwrap();
        let mut world = Self {
            objects: BTreeMap::new(),
            location,
            clock,
            under_way: BTreeMap::new(),
            watermark: i64::MAX,
            failed: Vec::new(),
            listed: BTreeMap::new(),
            owed: 0,
        };
        (0..files).for_each(|offset| world.land(offset));
        world
    }

    /// `write-quotes` writes a file of one row.
    pub(super) fn land(&mut self, offset: i64) {
        self.put(original(offset), Body::Rows(vec![offset]));
    }

    /// The rows that a query sees.
    pub(super) fn seen(&self) -> Vec<i64> {
        let mut rows: Vec<i64> = self.read().flatten().copied().collect();
        rows.sort_unstable();
        rows
    }

    /// How many files a query reads.
    pub(super) fn files_read(&self) -> usize {
        self.read().count()
    }

    /// How many of the day's own files are left.
    pub(super) fn originals(&self) -> usize {
        self.objects.keys().filter(|key| key.starts_with(&compaction::original_folder(date()))).count()
    }

    /// Somebody, or a crawl, leads the partition back.
    pub(super) fn lead_back(&mut self) {
        self.location = compaction::original_folder(date());
    }

    /// Carries a change out, at whatever time it arrives.
    pub(super) fn carry_out(&mut self, change: Change) {
        let _ = self.change(change);
    }

    fn read(&self) -> impl Iterator<Item = &Vec<i64>> {
        let files = self.objects.iter().filter(|(key, _)| key.starts_with(&self.location));
        files.filter_map(|(_, (body, _))| if let Body::Rows(rows) = body { Some(rows) } else { None })
    }

    fn put(&mut self, key: String, body: Body) {
        self.objects.insert(key, (body, self.clock));
    }

    fn put_if_absent(&mut self, key: String, body: Body) {
        if !self.objects.contains_key(&key) {
            self.put(key, body);
        }
    }

    /// Like S3's, a version is made of the content: the same content again has the same version.
    fn version(body: &Body) -> Version {
        match body {
            Body::Rows(rows) => format!("{rows:?}"),
            Body::Manifest(manifest) => format!("{}", manifest.rows),
            Body::Current(current) => format!("{} {} {:?}", current.generation, current.revision, current.switched_at),
        }
    }

    fn change(&mut self, change: Change) -> Answer {
        match change {
            Change::LeadTo(folder) => self.location = folder,
            Change::SwapCurrent(from, to) => {
                let key = current::key(date());
                if self.objects.get(&key).map(|(body, _)| Self::version(body)) != from {
                    return Answer::Swapped(None);
                }
                let body = Body::Current(to);
                let version = Self::version(&body);
                self.put(key, body);
                return Answer::Swapped(Some(version));
            }
            Change::PutManifest(folder, manifest) => self.put_if_absent(format!("{folder}{MANIFEST}"), Body::Manifest(manifest)),
            Change::Build(folder, inputs) => {
                let mut rows = Vec::new();
                for input in inputs {
                    // The real one, too, refuses what is gone.
                    let Some((Body::Rows(more), _)) = self.objects.get(&input.key) else { return Answer::Done };
                    rows.extend(more);
                }
                let part = compaction::part("quotes", 0);
                let manifest = Manifest { rows: rows.len() as u64, parts: vec![part.clone()], ..Manifest::default() };
                self.put_if_absent(format!("{folder}{part}"), Body::Rows(rows));
                return Answer::Built(manifest);
            }
            Change::Copy(from, to) => {
                if let Some((body, _)) = self.objects.get(&from).cloned() {
                    self.put_if_absent(to, body);
                }
            }
            Change::Delete(key) => drop(self.objects.remove(&key)),
        }
        Answer::Done
    }

    fn list(&self, folder: &str) -> Vec<Object> {
        let listed = self.objects.iter().filter(|(key, _)| key.starts_with(folder));
        listed
            .map(|(key, (body, modified))| Object { key: key.clone(), version: Self::version(body), size: 1, modified: *modified })
            .collect()
    }
}

/// Someone at work, whose every request waits until it is its turn.
pub(super) struct Actor {
    pub(super) id: usize,
    pub(super) world: Rc<RefCell<World>>,
}

/// Lets others go first, once.
struct Turn(bool);

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Lets an actor's request happen and goes on to its next one; whether it has come to its end.
pub(super) fn step(actor: &mut Pin<Box<dyn Future<Output = ()>>>) -> bool {
    actor.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

impl Actor {
    async fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        Turn(false).await;
        look(&self.world.borrow())
    }

    async fn request(&self, change: Change) -> Answer {
        self.world.borrow_mut().under_way.insert(self.id, change);
        Turn(false).await;
        let mut world = self.world.borrow_mut();
        match world.under_way.remove(&self.id) {
            Some(change) => {
                if matches!(change, Change::LeadTo(_)) {
                    world.owed = world.owed.max(world.listed.get(&self.id).copied().unwrap_or(0));
                }
                world.change(change)
            }
            None => Answer::Done,
        }
    }

    /// One invocation of this function for the day.
    pub(super) async fn run(self) {
        let ended = match day::compact(&self, SETTLE).await {
            Ok(_) => retention::remove(&self, REMOVE_AFTER).await.map(drop),
            Err(error) => Err(error),
        };
        // Others may be quicker, or change what it reads: then it says that another run can help.
        if let Err(error) = ended {
            assert!(error.is_retryable(), "{}", error.chain());
            self.world.borrow_mut().failed.push(self.id);
        }
    }

    /// What `start-crawler` does when it is told of a file: where the partition leads to a generation that does not cover the
    /// file, it copies it there, and then looks whether the partition still leads there.
    pub(super) async fn notice(self, offset: i64) {
        let original = original(offset);
        let mut location = self.location().await.unwrap().unwrap();
        while location != compaction::original_folder(date()) {
            let manifest = self.manifest(&location).await.unwrap();
            if manifest.as_ref().is_some_and(|manifest| manifest.covers(&original)) {
                return;
            }
            if manifest.is_some() {
                self.copy(&original, &format!("{location}{}", compaction::file_name(&original))).await.unwrap();
            }
            let now = self.location().await.unwrap().unwrap();
            if now == location && manifest.is_some() {
                return;
            }
            location = now;
        }
    }
}

impl Day for Actor {
    fn date(&self) -> NaiveDate {
        date()
    }

    fn now(&self) -> DateTime<Utc> {
        self.world.borrow().clock
    }

    async fn location(&self) -> Result<Option<String>, Error> {
        Ok(Some(self.look(|world| world.location.clone()).await))
    }

    async fn lead_to(&self, folder: &str) -> Result<(), Error> {
        self.request(Change::LeadTo(folder.to_owned())).await;
        Ok(())
    }

    async fn list(&self, folder: &str) -> Result<Vec<Object>, Error> {
        let listed = self.look(|world| world.list(folder)).await;
        // Offsets land in their order, so the newest of them tells how many have.
        let newest = listed.iter().filter_map(|file| keys::parse(&file.key)).map(|name| name.offset + 1).max();
        if let Some(files) = newest.and_then(|files| usize::try_from(files).ok()) {
            self.world.borrow_mut().listed.insert(self.id, files);
        }
        Ok(listed)
    }

    async fn current(&self) -> Result<Option<(Current, Version)>, Error> {
        let look = |world: &World| world.objects.get(&current::key(date())).map(|(body, _)| (body.clone(), World::version(body)));
        match self.look(look).await {
            Some((Body::Current(current), version)) => Ok(Some((current, version))),
            _ => Ok(None),
        }
    }

    async fn swap_current(&self, from: Option<&Version>, to: &Current) -> Result<Option<Version>, Error> {
        match self.request(Change::SwapCurrent(from.cloned(), to.clone())).await {
            Answer::Swapped(version) => Ok(version),
            _ => Ok(None),
        }
    }

    async fn manifest(&self, folder: &str) -> Result<Option<Manifest>, Error> {
        let key = format!("{folder}{MANIFEST}");
        match self.look(|world| world.objects.get(&key).map(|(body, _)| body.clone())).await {
            Some(Body::Manifest(manifest)) => Ok(Some(manifest)),
            _ => Ok(None),
        }
    }

    async fn put_manifest(&self, folder: &str, manifest: &Manifest) -> Result<(), Error> {
        self.request(Change::PutManifest(folder.to_owned(), manifest.clone())).await;
        Ok(())
    }

    async fn build(&self, folder: &str, inputs: &[Object]) -> Result<Manifest, Error> {
        match self.request(Change::Build(folder.to_owned(), inputs.to_vec())).await {
            Answer::Built(manifest) => Ok(manifest),
            _ => Err(Error::Changed(folder.to_owned())),
        }
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        self.request(Change::Copy(from.to_owned(), to.to_owned())).await;
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        self.request(Change::Delete(key.to_owned())).await;
        Ok(())
    }

    async fn next_offset(&self, _: &LogId) -> Result<Option<i64>, Error> {
        Ok(Some(self.look(|world| world.watermark).await))
    }
}
