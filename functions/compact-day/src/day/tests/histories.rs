//! The histories, and what must be true in them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use chrono::TimeDelta;

use super::explore::{Decide, Random, Search};
use super::world::{Actor, Change, SETTLE, World, step};

/// Files that the day has before anything happens: a query must see their rows at every moment.
const OLD: i64 = 2;

/// What can happen in a history, and how often.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Runs that begin.
    runs: usize,
    /// Files that land.
    laggards: i64,
    /// Deaths of one.
    crashes: usize,
    /// All that live end, and hours pass.
    nights: usize,
    /// Somebody leads the partition back to the day's own folder.
    meddlings: usize,
}

/// What an actor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    Run,
    Notice(i64),
}

struct Live {
    job: Job,
    id: usize,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

/// The next event; actors are counted from the one that had its turn last.
#[derive(Debug, Clone, Copy)]
enum Event {
    Step(usize),
    Begin,
    Crash { actor: usize, late: bool },
    Arrive(usize),
    Land,
    Night,
    Meddle,
}

struct History {
    world: Rc<RefCell<World>>,
    live: VecDeque<Live>,
    /// Changes whose senders are dead.
    late: Vec<Change>,
    actors: usize,
    landed: i64,
    meddled: bool,
    /// Actors up to this one may have left something undone that no run has mended yet.
    undone_by: Option<usize>,
    told: Vec<Event>,
}

impl History {
    fn new() -> Self {
        let world = Rc::new(RefCell::new(World::new(OLD)));
        let (live, late, told) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { world, live, late, actors: 0, landed: 0, meddled: false, undone_by: None, told }
    }

    fn play(mut self, bounds: Bounds, decide: &mut impl Decide) {
        let mut left = bounds;
        loop {
            let events = self.events(left);
            if events.is_empty() {
                break;
            }
            let event = events[decide.decide(events.len())];
            match event {
                Event::Begin => left.runs -= 1,
                Event::Crash { .. } => left.crashes -= 1,
                Event::Land => left.laggards -= 1,
                Event::Night => left.nights -= 1,
                Event::Meddle => left.meddlings -= 1,
                Event::Step(_) | Event::Arrive(_) => {}
            }
            self.told.push(event);
            self.happen(event);
            self.check();
        }
        self.conclude();
    }

    /// What can happen next, the ordinary first: whoever is at work goes on, then something new begins.
    fn events(&self, left: Bounds) -> Vec<Event> {
        let mut events: Vec<Event> = (0..self.live.len()).map(Event::Step).collect();
        events.extend((left.runs > 0).then_some(Event::Begin));
        events.extend((left.laggards > 0).then_some(Event::Land));
        events.extend((left.nights > 0 && !self.told.is_empty()).then_some(Event::Night));
        events.extend((left.meddlings > 0).then_some(Event::Meddle));
        if left.crashes > 0 {
            for (actor, live) in self.live.iter().enumerate() {
                events.push(Event::Crash { actor, late: false });
                let is_changing = self.world.borrow().under_way.contains_key(&live.id);
                events.extend(is_changing.then_some(Event::Crash { actor, late: true }));
            }
        }
        events.extend((0..self.late.len()).map(Event::Arrive));
        events
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Step(actor) => {
                let mut live = self.live.remove(actor).unwrap();
                if step(&mut live.future) { self.ended(&live) } else { self.live.push_front(live) }
            }
            Event::Begin => self.start(Job::Run),
            Event::Crash { actor, late } => self.crash(actor, late),
            Event::Arrive(change) => {
                let change = self.late.remove(change);
                self.world.borrow_mut().carry_out(change);
            }
            Event::Land => {
                let offset = OLD + self.landed;
                self.landed += 1;
                self.world.borrow_mut().land(offset);
                self.start(Job::Notice(offset));
            }
            Event::Night => self.night(),
            Event::Meddle => {
                self.meddled = true;
                self.undone_by = Some(self.actors);
                self.world.borrow_mut().lead_back();
            }
        }
    }

    fn start(&mut self, job: Job) {
        self.actors += 1;
        let actor = Actor { id: self.actors, world: Rc::clone(&self.world) };
        let future: Pin<Box<dyn Future<Output = ()>>> = match job {
            Job::Run => Box::pin(actor.run()),
            Job::Notice(offset) => Box::pin(actor.notice(offset)),
        };
        let mut live = Live { job, id: self.actors, future };
        // Up to its first request, which nobody has seen yet.
        let ended = step(&mut live.future);
        assert!(!ended);
        self.live.push_front(live);
    }

    fn ended(&mut self, ended: &Live) {
        if self.world.borrow().failed.contains(&ended.id) {
            self.undone_by = Some(self.actors);
        } else if ended.job == Job::Run && self.undone_by.is_some_and(|actor| actor < ended.id) {
            self.undone_by = None;
        }
    }

    fn crash(&mut self, actor: usize, late: bool) {
        let dead = self.live.remove(actor).unwrap();
        let under_way = self.world.borrow_mut().under_way.remove(&dead.id);
        self.late.extend(under_way.filter(|_| late));
        match dead.job {
            Job::Run => self.undone_by = Some(self.actors),
            // The queue tells again of what was not acknowledged.
            Job::Notice(_) => self.start(dead.job),
        }
    }

    /// Longer than anyone lives, and than a request can be under way.
    fn night(&mut self) {
        for actor in (0..self.live.len()).rev() {
            self.crash(actor, false);
        }
        for change in std::mem::take(&mut self.late) {
            self.world.borrow_mut().carry_out(change);
        }
        self.world.borrow_mut().clock += SETTLE + TimeDelta::hours(2);
        self.start(Job::Run);
    }

    /// What a query sees at any moment.
    fn check(&self) {
        let world = self.world.borrow();
        let seen = world.seen();
        assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?} has a row twice after {:?}: {world:#?}", self.told);
        // Who leads readers to files that may have been removed takes the rows out of their sight, until the next run.
        if self.meddled {
            assert!(world.originals() < (OLD + self.landed) as usize || (0..OLD).all(|row| seen.contains(&row)), "{:?}", self.told);
        } else {
            let owed = OLD.max(world.owed as i64);
            assert!((0..owed).all(|row| seen.contains(&row)), "{seen:?} lacks one of {owed} rows after {:?}: {world:#?}", self.told);
        }
        if self.live.is_empty() && self.undone_by.is_none() {
            let all: Vec<i64> = (0..OLD + self.landed).collect();
            assert_eq!(seen, all, "nobody is at work after {:?}: {world:#?}", self.told);
        }
    }

    fn finish_all(&mut self) {
        while !self.live.is_empty() {
            self.happen(Event::Step(0));
            self.check();
        }
    }

    /// All that is under way ends; then come nights in which nothing goes wrong.
    fn conclude(mut self) {
        for _ in 0..3 {
            self.night();
            self.finish_all();
            self.meddled = false;
        }
        let world = self.world.borrow();
        assert_eq!((world.files_read(), world.originals()), (1, 0), "after {:?}: {world:#?}", self.told);
    }
}

fn search(bounds: Bounds, surprises: usize) -> usize {
    let mut search = Search::new(surprises);
    let mut histories = 0;
    loop {
        History::new().play(bounds, &mut search);
        histories += 1;
        if !search.advance() {
            return histories;
        }
    }
}

#[test]
fn a_file_that_lands_at_any_moment_and_a_crash_at_any_other() {
    let histories = search(Bounds { runs: 1, laggards: 1, crashes: 1, nights: 0, meddlings: 0 }, 4);
    assert!(histories > 5_000, "{histories}");
}

#[test]
fn two_runs_at_once() {
    let histories = search(Bounds { runs: 2, laggards: 1, crashes: 0, nights: 0, meddlings: 0 }, 3);
    assert!(histories > 5_000, "{histories}");
}

#[test]
fn somebody_leads_the_partition_back_at_any_moment() {
    let histories = search(Bounds { runs: 2, laggards: 1, crashes: 0, nights: 1, meddlings: 1 }, 2);
    assert!(histories > 1_000, "{histories}");
}

#[test]
fn long_histories() {
    for seed in 0..12_000 {
        let bounds = Bounds { runs: 4, laggards: 4, crashes: 2, nights: 2, meddlings: 0 };
        History::new().play(bounds, &mut Random::new(seed));
    }
    for seed in 12_000..20_000 {
        let bounds = Bounds { runs: 4, laggards: 3, crashes: 0, nights: 2, meddlings: 2 };
        History::new().play(bounds, &mut Random::new(seed));
    }
}
