//! One log, its lake on S3, a mapping that delivers at least once, and all that can go wrong.
//!
//! The invocations run the production protocol. Everything else is made as unkind as the real parts
//! may be: batches of any boundaries from at or before the committed offset, two invocations at
//! once, death before any request, requests that take effect after their sender died, answers that
//! are lost and repeated by the SDK, records that vanish from the log, compaction of the lake, a log
//! that begins again under the same cluster id, and two versions of the rule that tells days apart.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use write_quotes::protocol::{Answer, Covered, Entry, Known, Protocol, Quarantine, Step};
use write_quotes::watermark::Watermark;

/// S3's ETag is a hash of the content: equal content is an equal version.
pub(crate) type Version = Watermark;
pub(crate) type Invocation = Protocol<Version>;

/// A record's identity: which life of the log it belongs to, and its offset.
pub(crate) type Id = (u8, i64);

/// What a record is: good of one of two days, or poison; for each version of the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    DayA,
    DayB,
    Poison,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::DayA, Kind::DayB, Kind::Poison];

impl Kind {
    fn day(self) -> Option<NaiveDate> {
        match self {
            Self::DayA => NaiveDate::from_ymd_opt(2026, 11, 23),
            Self::DayB => NaiveDate::from_ymd_opt(2026, 11, 24),
            Self::Poison => None,
        }
    }
}

/// What happens how often in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Budget {
    pub(crate) deliveries: u8,
    pub(crate) crashes: u8,
    pub(crate) lost_answers: u8,
    pub(crate) late_requests: u8,
    pub(crate) vanishing: u8,
    pub(crate) compactions: u8,
    pub(crate) restarts: u8,
}

/// The log's records, by version of the rule and by life of the log.
#[derive(Debug, Clone)]
pub(crate) struct World {
    /// `records[version][life][offset]`; both versions see the same offsets.
    pub(crate) records: [Vec<Vec<Kind>>; 2],
    /// Whether the second environment runs the second version.
    pub(crate) two_versions: bool,
}

/// A request that changes S3.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Request {
    Swap { from: Option<Watermark>, to: Watermark },
    Quarantine { id: Id, reason: Quarantine },
    WriteFile { day: NaiveDate, first: i64, covered: Covered, rows: Vec<Id> },
}

/// One environment: what it remembers, and what it is doing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Environment {
    cached: Option<Known<Version>>,
    running: Option<Running>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Running {
    invocation: Invocation,
    life: u8,
    last: i64,
    /// Quarantine objects written in the current step.
    quarantined: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    files: BTreeMap<(NaiveDate, i64), (Covered, Vec<Id>)>,
    compacted: Vec<Id>,
    /// By key: the plain key of an offset, or the one that tells lives apart.
    quarantine: BTreeMap<(i64, Option<u8>), Id>,
    watermark: Option<Watermark>,
    committed: i64,
    life: u8,
    log: BTreeSet<i64>,
    environments: [Environment; 2],
    late: Vec<Request>,
    left: Budget,
}

impl State {
    pub(crate) fn new(world: &World, budget: Budget) -> Self {
        Self {
            files: BTreeMap::new(),
            compacted: Vec::new(),
            quarantine: BTreeMap::new(),
            watermark: None,
            committed: 0,
            life: 0,
            log: (0..world.records[0][0].len() as i64).collect(),
            environments: Default::default(),
            late: Vec::new(),
            left: budget,
        }
    }

    /// How often each record is stored.
    fn stored(&self, world: &World) -> BTreeMap<Id, usize> {
        let rows = self.files.values().flat_map(|(_, rows)| rows).chain(&self.compacted);
        let mut counts = BTreeMap::new();
        for id in rows {
            *counts.entry(*id).or_default() += 1;
        }
        for ((_, reused), id) in &self.quarantine {
            // Where two versions disagree what poison is, a quarantine object is void beside a row.
            // One record may lie under both its keys: they hold the same record.
            let twin = reused.is_some() && self.quarantine.get(&(id.1, None)) == Some(id);
            if !(twin || world.two_versions && counts.contains_key(id)) {
                *counts.entry(*id).or_default() += 1;
            }
        }
        counts
    }

    /// What is wrong, if anything.
    pub(crate) fn violation(&self, world: &World) -> Option<String> {
        let stored = self.stored(world);
        if let Some((id, count)) = stored.iter().find(|(_, count)| **count > 1) {
            return Some(format!("record {id:?} is stored {count} times"));
        }
        let missing = |below: i64| (0..below).find(|offset| self.log.contains(offset) && !stored.contains_key(&(self.life, *offset)));
        if let Some(offset) = missing(self.committed) {
            return Some(format!("offset {offset} is committed and not stored"));
        }
        // After a restart the watermark speaks of the earlier life for a while.
        if self.life == 0
            && let Some(offset) = self.watermark.as_ref().and_then(|watermark| missing(watermark.next))
        {
            return Some(format!("offset {offset} is below the watermark and not stored"));
        }
        None
    }

    /// Whether everything in the log is stored and committed.
    pub(crate) fn complete(&self) -> bool {
        self.log.last().is_none_or(|last| self.committed > *last)
    }

    /// Every state that can follow, and what happens on the way there.
    pub(crate) fn successors(&self, world: &World) -> Vec<(String, Self)> {
        let mut next = Vec::new();
        for who in 0..2 {
            match &self.environments[who].running {
                None => self.deliveries(world, who, &mut next),
                Some(running) => self.steps(who, running, &mut next),
            }
        }
        for index in 0..self.late.len() {
            let mut state = self.clone();
            let request = state.late.remove(index);
            let answer = state.apply(&request);
            next.push((format!("late {request:?} → {answer:?}"), state));
        }
        if self.left.vanishing > 0 {
            // Retention and compaction never remove a log's last record.
            for offset in self.log.iter().take(self.log.len().saturating_sub(1)) {
                let mut state = self.clone();
                state.left.vanishing -= 1;
                state.log.remove(offset);
                next.push((format!("Kafka drops offset {offset}"), state));
            }
        }
        if self.left.compactions > 0 && self.quiet() {
            for (key, (covered, rows)) in &self.files {
                if self.watermark.as_ref().is_some_and(|watermark| covered.last < watermark.next) {
                    let mut state = self.clone();
                    state.left.compactions -= 1;
                    state.files.remove(key);
                    state.compacted.extend(rows);
                    next.push((format!("the file at {key:?} is compacted"), state));
                }
            }
        }
        if self.left.restarts > 0 {
            let mut state = self.clone();
            state.left.restarts -= 1;
            state.life += 1;
            state.committed = 0;
            state.log = (0..world.records[0][usize::from(state.life)].len() as i64).collect();
            next.push(("the log begins again under the same id".to_owned(), state));
        }
        next
    }

    /// Compaction leaves a file alone until the longest possible invocation is over.
    fn quiet(&self) -> bool {
        self.late.is_empty() && self.environments.iter().all(|environment| environment.running.is_none())
    }

    fn deliveries(&self, world: &World, who: usize, next: &mut Vec<(String, Self)>) {
        if self.left.deliveries == 0 {
            return;
        }
        let mut seen = BTreeSet::new();
        for from in 0..=self.committed {
            for to in self.log.range(from..) {
                let offsets: Vec<i64> = self.log.range(from..=*to).copied().collect();
                if seen.insert(offsets.clone()) {
                    let mut state = self.clone();
                    state.left.deliveries -= 1;
                    state.start(world, who, &offsets);
                    next.push((format!("{who}: {offsets:?} of life {} are delivered", self.life), state));
                }
            }
        }
    }

    /// Starts an invocation with the records at `offsets`.
    pub(crate) fn start(&mut self, world: &World, who: usize, offsets: &[i64]) {
        let version = if world.two_versions { who } else { 0 };
        let kinds = &world.records[version][usize::from(self.life)];
        let entry =
            |offset: &i64| Entry { offset: *offset, timestamp: i64::from(self.life) * 1_000 + *offset, day: kinds[*offset as usize].day() };
        let invocation = Protocol::new(offsets.iter().map(entry).collect(), self.environments[who].cached.clone());
        let last = offsets.last().copied().unwrap_or_default();
        self.environments[who].running = Some(Running { invocation, life: self.life, last, quarantined: 0 });
    }

    fn steps(&self, who: usize, running: &Running, next: &mut Vec<(String, Self)>) {
        let Some(request) = running.request() else {
            let mut state = self.clone();
            let what = state.proceed(who);
            next.push((format!("{who}: {what}"), state));
            if self.left.crashes > 0 {
                next.push((format!("{who}: killed"), self.killed(who)));
            }
            return;
        };
        let mut state = self.clone();
        let what = state.proceed(who);
        // The SDK repeats a request whose answer was lost, and takes the second answer.
        if self.left.lost_answers > 0 && state != *self {
            let mut repeated = self.clone();
            repeated.left.lost_answers -= 1;
            repeated.apply(&request);
            next.push((format!("{who}: {request:?} takes effect, its answer is lost"), repeated));
        }
        next.push((format!("{who}: {what}"), state));
        if self.left.crashes > 0 {
            next.push((format!("{who}: killed before {request:?}"), self.killed(who)));
            let mut state = self.clone();
            state.left.crashes -= 1;
            state.give_up(who);
            next.push((format!("{who}: gives up before {request:?}, stays warm"), state));
            if self.left.late_requests > 0 {
                let mut state = self.killed(who);
                state.left.late_requests -= 1;
                state.late.push(request.clone());
                next.push((format!("{who}: killed with {request:?} on its way"), state));
            }
        }
    }

    fn killed(&self, who: usize) -> Self {
        let mut state = self.clone();
        state.left.crashes -= 1;
        state.environments[who] = Environment::default();
        state
    }

    /// The invocation ends with an error, its environment goes on.
    pub(crate) fn give_up(&mut self, who: usize) {
        // The handler forgets a log's watermark when the log's invocation fails; the protocol also
        // holds where an earlier watermark is kept, so that is what is searched.
        if let Some(running) = self.environments[who].running.take() {
            self.environments[who].cached = running.invocation.cacheable();
        }
    }

    /// Whether an environment is at work.
    pub(crate) fn is_running(&self, who: usize) -> bool {
        self.environments[who].running.is_some()
    }

    pub(crate) fn kill(&mut self, who: usize) {
        self.environments[who] = Environment::default();
    }

    pub(crate) fn committed(&self) -> i64 {
        self.committed
    }

    pub(crate) fn log(&self) -> &BTreeSet<i64> {
        &self.log
    }

    pub(crate) fn drop_offset(&mut self, offset: i64) {
        self.log.remove(&offset);
    }

    /// Compacts every file that may be.
    pub(crate) fn compact(&mut self) {
        if self.quiet() {
            let next = self.watermark.as_ref().map_or(0, |watermark| watermark.next);
            let (done, files) = std::mem::take(&mut self.files).into_iter().partition(|(_, (covered, _))| covered.last < next);
            self.files = files;
            let done: BTreeMap<_, (Covered, Vec<Id>)> = done;
            self.compacted.extend(done.into_values().flat_map(|(_, rows)| rows));
        }
    }

    /// Does the next step of an invocation and gives it the answer.
    pub(crate) fn proceed(&mut self, who: usize) -> String {
        let Some(running) = self.environments[who].running.clone() else { return "idle".to_owned() };
        if *running.invocation.step() == Step::Finished {
            if running.life == self.life {
                self.committed = self.committed.max(running.last + 1);
            }
            self.environments[who] = Environment { cached: running.invocation.cacheable(), running: None };
            return format!("succeeds; {} is committed", self.committed);
        }
        let (what, answer) = match (running.request(), running.invocation.step()) {
            (Some(request), _) => {
                let answer = self.apply(&request);
                (format!("{request:?} → {answer:?}"), answer)
            }
            (None, Step::ReadCovered { day, first }) => {
                let covered = self.files.get(&(*day, *first)).map(|(covered, _)| covered.clone());
                (format!("reads the file's end: {covered:?}"), Answer::Covered(covered))
            }
            (None, _) => {
                let found = self.watermark.clone().map(|watermark| (watermark.clone(), watermark));
                (format!("reads the watermark: {:?}", self.watermark), Answer::Watermark(found))
            }
        };
        if let Some(running) = &mut self.environments[who].running {
            running.take(answer);
        }
        what
    }

    fn apply(&mut self, request: &Request) -> Answer<Version> {
        match request {
            Request::Swap { from, to } if self.watermark == *from => {
                self.watermark = Some(to.clone());
                Answer::Swapped(to.clone())
            }
            Request::Swap { .. } => Answer::Lost,
            Request::Quarantine { id, reason } => {
                let apart = (id.1, Some(id.0));
                let plain = (id.1, None);
                // As the writer does: another record under the plain key sends this one to its own.
                let key = if *reason == Quarantine::OffsetReused || self.quarantine.get(&plain).is_some_and(|other| other != id) {
                    apart
                } else {
                    plain
                };
                self.quarantine.entry(key).or_insert(*id);
                Answer::Done
            }
            Request::WriteFile { day, first, covered, rows } => {
                if self.files.contains_key(&(*day, *first)) {
                    return Answer::Exists;
                }
                self.files.insert((*day, *first), (covered.clone(), rows.clone()));
                Answer::Done
            }
        }
    }
}

impl Running {
    /// The next request that changes S3; `None` where the next step only reads, or nothing is left to do.
    fn request(&self) -> Option<Request> {
        let id = |offset: &i64| (self.life, *offset);
        match self.invocation.step() {
            Step::ReadWatermark | Step::ReadCovered { .. } | Step::Finished => None,
            Step::SwapWatermark { from, to } => Some(Request::Swap { from: from.clone(), to: to.clone() }),
            Step::Quarantine(records) => {
                records.get(self.quarantined).map(|(offset, reason)| Request::Quarantine { id: id(offset), reason: *reason })
            }
            Step::WriteFile(file) => Some(Request::WriteFile {
                day: file.day,
                first: file.first,
                covered: file.covered.clone(),
                rows: file.rows.iter().map(id).collect(),
            }),
        }
    }

    /// A step of several quarantine objects is over with the last of them.
    fn take(&mut self, answer: Answer<Version>) {
        if let Step::Quarantine(records) = self.invocation.step() {
            self.quarantined += 1;
            if self.quarantined < records.len() {
                return;
            }
        }
        self.quarantined = 0;
        self.invocation.answer(answer);
    }
}
