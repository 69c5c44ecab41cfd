//! Who decides what comes next in a history.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A source of decisions.
pub(super) trait Decide {
    /// One of `options`, of which the first is the ordinary one.
    fn decide(&mut self, options: usize) -> usize;
}

/// Every history with at most so many decisions that are not the ordinary ones, one after the other.
#[derive(Debug)]
pub(super) struct Search {
    /// What was decided, of how many options.
    decisions: Vec<(usize, usize)>,
    at: usize,
    surprises: usize,
    most: usize,
}

impl Search {
    pub(super) fn new(most: usize) -> Self {
        Self { decisions: Vec::new(), at: 0, surprises: 0, most }
    }

    /// Goes on to the next history; `false` after the last.
    pub(super) fn advance(&mut self) -> bool {
        (self.at, self.surprises) = (0, 0);
        while let Some((decided, options)) = self.decisions.pop() {
            if decided + 1 < options {
                self.decisions.push((decided + 1, options));
                return true;
            }
        }
        false
    }
}

impl Decide for Search {
    fn decide(&mut self, options: usize) -> usize {
        let options = if self.surprises < self.most { options } else { 1 };
        if self.at == self.decisions.len() {
            self.decisions.push((0, options));
        }
        let decided = self.decisions[self.at].0;
        self.at += 1;
        self.surprises += usize::from(decided > 0);
        decided
    }
}

/// Random decisions, most of them ordinary: so that someone who was left in the middle stays there while others come and go.
pub(super) struct Random(StdRng);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }
}

impl Decide for Random {
    fn decide(&mut self, options: usize) -> usize {
        if self.0.random_bool(0.85) { 0 } else { self.0.random_range(0..options) }
    }
}
