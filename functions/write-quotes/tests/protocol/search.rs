//! Every interleaving of small histories. Breadth first, so that a broken protocol is shown by a
//! shortest history.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use crate::model::{Budget, KINDS, Kind, State, World};

/// Searches all that can happen in `world`; returns how many states there are.
fn search(world: &World, budget: Budget) -> usize {
    let first = State::new(world, budget);
    let hasher = RandomState::new();
    // States are told apart by 64 bits of hash: at ten million states, one chance in a hundred
    // thousand that a single one is taken for another. Keeping them whole would take gigabytes.
    let mut from: HashMap<u64, Option<(u64, String)>> = HashMap::from([(hasher.hash_one(&first), None)]);
    let mut queue = VecDeque::from([first]);
    while let Some(state) = queue.pop_front() {
        let this = hasher.hash_one(&state);
        for (what, next) in state.successors(world) {
            let hash = hasher.hash_one(&next);
            if from.contains_key(&hash) {
                continue;
            }
            from.insert(hash, Some((this, what)));
            if let Some(wrong) = next.violation(world) {
                panic!("{wrong}\nrecords: {:?}\n{}", world.records, history(&from, hash));
            }
            queue.push_back(next);
        }
    }
    from.len()
}

fn history(from: &HashMap<u64, Option<(u64, String)>>, mut hash: u64) -> String {
    let mut lines = Vec::new();
    while let Some(Some((earlier, what))) = from.get(&hash) {
        lines.push(format!("  {what}"));
        hash = *earlier;
    }
    lines.reverse();
    lines.join("\n")
}

/// Every log of `len` records.
fn logs(len: u32) -> impl Iterator<Item = Vec<Kind>> {
    (0..KINDS.len().pow(len)).map(move |n| (0..len).map(|place| KINDS[n / KINDS.len().pow(place) % KINDS.len()]).collect())
}

fn one_life(kinds: Vec<Kind>) -> World {
    World { records: [vec![kinds.clone()], vec![kinds]], two_versions: false }
}

fn search_all(len: u32, budget: Budget) {
    let states: usize = logs(len).map(|kinds| search(&one_life(kinds), budget)).sum();
    assert!(states > 10_000, "a search of {states} states has not gone far");
}

#[test]
fn crashes_and_redelivery_with_any_boundaries() {
    search_all(3, Budget { deliveries: 3, crashes: 1, ..Budget::default() });
}

#[test]
fn lost_answers_and_late_requests() {
    search_all(2, Budget { deliveries: 3, crashes: 2, lost_answers: 1, late_requests: 1, ..Budget::default() });
}

#[test]
fn records_that_vanish_from_the_log() {
    search_all(3, Budget { deliveries: 3, crashes: 1, vanishing: 1, ..Budget::default() });
}

#[test]
fn compaction_of_the_lake() {
    search_all(2, Budget { deliveries: 4, crashes: 1, late_requests: 1, compactions: 2, ..Budget::default() });
}

#[test]
fn a_log_that_begins_again_under_the_same_id() {
    for first in logs(2) {
        for second in logs(2) {
            let lives = vec![first.clone(), second];
            let world = World { records: [lives.clone(), lives], two_versions: false };
            search(&world, Budget { deliveries: 3, crashes: 1, late_requests: 1, restarts: 1, ..Budget::default() });
        }
    }
}

#[test]
fn two_versions_of_the_rule_that_tells_days_apart() {
    for first in logs(2) {
        for second in logs(2) {
            let world = World { records: [vec![first.clone()], vec![second]], two_versions: true };
            search(&world, Budget { deliveries: 3, crashes: 1, ..Budget::default() });
        }
    }
}
