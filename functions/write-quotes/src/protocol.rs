//! Exactly once, from Kafka to S3: one invocation's steps on one log.
//!
//! The mapping delivers at least once, after a rebalance with other batch boundaries; two
//! invocations can hold the same log at once; each can die anywhere. Still each record ends in
//! exactly one place. The agreement that brings this about lies in the watermark object, which
//! changes only by compare-and-swap:
//!
//! 1. *Claim* the next file: its key, made of the first offset not yet stored and of a day, is put
//!    into the watermark. Whoever finds a claim uses it as it stands, so all write to one key.
//! 2. *Quarantine* the poison that the file covers, one object an offset, each written once.
//! 3. *Write* the file under its key, only if nothing is there. If something is, **that** file
//!    decides how far the log is stored.
//! 4. *Advance* the watermark past the last offset that the file covers.
//!
//! [`Protocol`] decides, and does nothing itself: it yields a [`Step`] and takes an [`Answer`], so
//! that the tests can search every interleaving of the code that runs in production.

use chrono::NaiveDate;

use crate::watermark::{Hole, Watermark};

/// What the protocol needs to know of a record at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The record's offset.
    pub offset: i64,
    /// Kafka's timestamp in milliseconds.
    pub timestamp: i64,
    /// The day whose partition it belongs to; `None` for poison.
    pub day: Option<NaiveDate>,
}

/// Why a record goes to quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quarantine {
    /// It is not a quote.
    Poison,
    /// It is newer than all that is stored, yet below the watermark: the log began again under the
    /// same cluster id, and this offset was used before.
    OffsetReused,
    /// The file under way is claimed for another day than this record's. Only two versions of the
    /// rule that gives a record its day could disagree so.
    DayDisagrees,
}

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct File {
    /// The partition that was claimed.
    pub day: NaiveDate,
    /// The first offset it covers: it stands in its key.
    pub first: i64,
    /// What it covers.
    pub covered: Covered,
    /// The offsets that are its rows. What is covered and no row is in quarantine or was no longer in the log.
    pub rows: Vec<i64>,
}

/// How far a file covers its log: kept beside the file, so that a later invocation can go on from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Covered {
    /// The last offset that is covered.
    pub last: i64,
    /// The newest Kafka time among the records covered, in milliseconds; -1 where none is.
    pub max_timestamp: i64,
    /// Covered offsets that the log no longer held.
    pub holes: Vec<Hole>,
}

/// What is to be done next. `V` is a version of the watermark object: its ETag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step<V> {
    /// Read the watermark. → [`Answer::Watermark`]
    ReadWatermark,
    /// Replace the watermark, if it still has this version (`None`: if there is none). → [`Answer::Swapped`] or [`Answer::Lost`]
    SwapWatermark {
        /// The version that was read.
        from: Option<V>,
        /// What it becomes.
        to: Watermark,
    },
    /// Make each of these records' quarantine objects, unless it is there. → [`Answer::Done`]
    Quarantine(Vec<(i64, Quarantine)>),
    /// Write the file, unless one is there. → [`Answer::Done`] or [`Answer::Exists`]
    WriteFile(File),
    /// Read how far the file that is there covers. → [`Answer::Covered`]
    ReadCovered {
        /// The file's partition.
        day: NaiveDate,
        /// The file's first offset.
        first: i64,
    },
    /// Every record at hand is stored.
    Finished,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer<V> {
    /// The watermark and its version; `None` where there is none.
    Watermark(Option<(Watermark, V)>),
    /// The watermark was replaced and has this version now.
    Swapped(V),
    /// The watermark had changed meanwhile.
    Lost,
    /// It is done.
    Done,
    /// A file was there already.
    Exists,
    /// How far it covers; `None` where there is no file after all.
    Covered(Option<Covered>),
}

/// The watermark as an invocation knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Known<V> {
    /// What it said.
    pub watermark: Watermark,
    /// Its version then.
    pub version: V,
}

/// One invocation's work on one log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Protocol<V> {
    /// The records at hand, by ascending offset. Offsets missing between them are not in the log.
    entries: Vec<Entry>,
    /// The watermark, once there is one.
    known: Option<Known<V>>,
    step: Step<V>,
    /// The file that waits for the quarantine step before it.
    file: Option<File>,
    /// Offsets whose records this invocation has seen into quarantine.
    set_aside: Vec<i64>,
}

impl<V: Clone + PartialEq> Protocol<V> {
    /// Begins with the records at hand and the watermark that an earlier invocation left, if any.
    ///
    /// `entries` ascend by offset, without doubles.
    pub fn new(entries: Vec<Entry>, cached: Option<Known<V>>) -> Self {
        let mut protocol = Self { entries, known: None, step: Step::ReadWatermark, file: None, set_aside: Vec::new() };
        // A claim may have been fulfilled since, and its file compacted away: writing it once more
        // would double its rows. Only the object itself can tell.
        if let Some(known) = cached.filter(|known| known.watermark.writing.is_none()) {
            protocol.known = Some(known);
            protocol.step = protocol.plan();
        }
        protocol
    }

    /// What is to be done next.
    pub fn step(&self) -> &Step<V> {
        &self.step
    }

    /// The watermark, for the next invocation. `None` while a file is under way.
    pub fn cacheable(self) -> Option<Known<V>> {
        self.known.filter(|known| known.watermark.writing.is_none())
    }

    /// Takes the answer to [`Protocol::step`] and decides the next step.
    ///
    /// An answer that the step cannot have is taken as a sign to read the watermark again, which is always safe.
    pub fn answer(&mut self, answer: Answer<V>) {
        self.step = match (std::mem::replace(&mut self.step, Step::ReadWatermark), answer) {
            (Step::ReadWatermark, Answer::Watermark(found)) => {
                self.known = found.map(|(watermark, version)| Known { watermark, version });
                self.plan()
            }
            (Step::SwapWatermark { to, .. }, Answer::Swapped(version)) => {
                self.known = Some(Known { watermark: to, version });
                self.plan()
            }
            (Step::Quarantine(records), Answer::Done) => {
                self.set_aside.extend(records.iter().map(|(offset, _)| offset));
                let reused = records.iter().any(|(_, reason)| *reason == Quarantine::OffsetReused);
                if reused { self.plan() } else { self.after_quarantine() }
            }
            (Step::WriteFile(file), Answer::Done) => self.advance(&file.covered),
            (Step::WriteFile(file), Answer::Exists) => {
                let step = Step::ReadCovered { day: file.day, first: file.first };
                self.file = Some(file);
                step
            }
            (Step::ReadCovered { .. }, Answer::Covered(Some(covered))) => self.advance(&covered),
            (Step::ReadCovered { .. }, Answer::Covered(None)) => match self.file.take() {
                Some(file) => Step::WriteFile(file),
                None => Step::ReadWatermark,
            },
            _ => Step::ReadWatermark,
        };
    }

    /// Decides what to do under the watermark as it is known.
    fn plan(&mut self) -> Step<V> {
        self.file = None;
        let Some(first) = self.entries.first() else { return Step::Finished };
        let Some(Known { watermark, version }) = &self.known else {
            let watermark = Watermark::starting_at(first.offset);
            return Step::SwapWatermark { from: None, to: self.with_claim(watermark) };
        };
        // Asked under every watermark: a file that is found written may cover offsets with the
        // records of a log that has begun again since.
        let pending = self.pending(watermark.next);
        let stored = &self.entries[..self.entries.len() - pending.len()];
        let reused = self.to_quarantine(stored.iter().filter(|e| e.timestamp > watermark.max_timestamp), Quarantine::OffsetReused);
        if !reused.is_empty() {
            return Step::Quarantine(reused);
        }
        if pending.is_empty() {
            return Step::Finished;
        }
        let Some(day) = watermark.writing else {
            let claimed = self.with_claim(watermark.clone());
            if claimed.writing.is_some() {
                return Step::SwapWatermark { from: Some(version.clone()), to: claimed };
            }
            let poison = self.to_quarantine(pending.iter(), Quarantine::Poison);
            return if poison.is_empty() { self.after_quarantine() } else { Step::Quarantine(poison) };
        };

        let run_len = pending.iter().position(|entry| entry.day.is_some_and(|other| other != day)).unwrap_or(pending.len());
        let (run, rest) = pending.split_at(run_len);
        let mut quarantine = self.to_quarantine(run.iter().filter(|entry| entry.day.is_none()), Quarantine::Poison);
        let covered = match rest.first() {
            // A record of another day where the claim's file must begin: the file has to cover it,
            // or it would cover nothing.
            Some(other) if other.offset == watermark.next => {
                quarantine.extend(self.to_quarantine([other].into_iter(), Quarantine::DayDisagrees));
                cover(watermark.next, other.offset, &pending[..1])
            }
            Some(other) if run.is_empty() => cover(watermark.next, other.offset - 1, &[]),
            _ => cover(watermark.next, run.last().map_or(watermark.next, |entry| entry.offset), run),
        };
        let rows = run.iter().filter(|entry| entry.day.is_some()).map(|entry| entry.offset).collect();
        self.file = Some(File { day, first: watermark.next, covered, rows });
        if quarantine.is_empty() { self.after_quarantine() } else { Step::Quarantine(quarantine) }
    }

    /// Poison is in quarantine: write the file, or, where none is under way, advance over the poison.
    fn after_quarantine(&mut self) -> Step<V> {
        if let Some(file) = self.file.take() {
            return Step::WriteFile(file);
        }
        let Some(known) = &self.known else { return Step::ReadWatermark };
        let pending = self.pending(known.watermark.next);
        let Some(last) = pending.last() else { return Step::Finished };
        let covered = cover(known.watermark.next, last.offset, pending);
        self.advance(&covered)
    }

    /// Moves the watermark past what a file covers, even beyond the records at hand, and claims the
    /// next file in the same swap.
    fn advance(&mut self, covered: &Covered) -> Step<V> {
        let Some(Known { watermark, version }) = &self.known else { return Step::ReadWatermark };
        let advanced = watermark.advanced(covered.last, covered.max_timestamp, &covered.holes);
        Step::SwapWatermark { from: Some(version.clone()), to: self.with_claim(advanced) }
    }

    /// `watermark` with a claim for the first good record at hand that is not yet stored, if there is one.
    fn with_claim(&self, watermark: Watermark) -> Watermark {
        match self.pending(watermark.next).iter().find_map(|entry| entry.day) {
            Some(day) => watermark.claiming(day),
            None => watermark,
        }
    }

    fn to_quarantine<'e>(&self, entries: impl Iterator<Item = &'e Entry>, reason: Quarantine) -> Vec<(i64, Quarantine)> {
        entries.map(|entry| (entry.offset, reason)).filter(|(offset, _)| !self.set_aside.contains(offset)).collect()
    }

    fn pending(&self, next: i64) -> &[Entry] {
        &self.entries[self.entries.partition_point(|entry| entry.offset < next)..]
    }
}

/// The offsets `first..=last`, of which `entries` are at hand.
fn cover(first: i64, last: i64, entries: &[Entry]) -> Covered {
    let mut holes = Vec::new();
    let mut expected = first;
    for offset in entries.iter().map(|entry| entry.offset).chain([last + 1]) {
        if offset > expected {
            holes.push(Hole { from: expected, to: offset - 1 });
        }
        expected = offset + 1;
    }
    Covered { last, max_timestamp: entries.iter().map(|entry| entry.timestamp).max().unwrap_or(-1), holes }
}
