//! The price path: how far from its base a symbol stands at a moment.

use super::hash::{Lane, hash};

/// Noise at this many time scales, each four times as long as the one before: a second to half a year.
const SCALES: usize = 13;

/// How far the longest scale alone can carry the price, as a part of the base. The others add up
/// to less than that again, so the price stays within a quarter of its base, for ever above 0.
const LONGEST: f64 = 0.12;

/// A function of time that looks like a random walk and needs no memory.
///
/// A walk would have to be summed from its beginning. This is value noise instead: at each scale,
/// corners at fixed moments have hashed heights with straight lines between, and heights grow with
/// the square root of the scale, as those of a walk do. Only additions, multiplications and
/// divisions are used, which IEEE 754 defines to the bit: every machine sees the same price.
#[derive(Debug)]
pub(super) struct Path {
    seed: u64,
    /// The corners around the last moment asked for: only a cache.
    spans: [Span; SCALES],
}

#[derive(Debug, Clone, Copy)]
struct Span {
    index: i64,
    left: f64,
    right: f64,
}

impl Path {
    pub(super) fn new(seed: u64) -> Self {
        // An index that no moment has, so that each span is worked out when it is first needed.
        Self { seed, spans: [Span { index: i64::MIN, left: 0.0, right: 0.0 }; SCALES] }
    }

    /// The deviation from the base at `nanos`, as a part of the base: -0.25 to 0.25.
    pub(super) fn at(&mut self, nanos: i64) -> f64 {
        let mut period = 1_000_000_000_i64;
        let mut height = LONGEST / (1_u64 << (SCALES - 1)) as f64;
        let mut sum = 0.0;
        for (scale, span) in self.spans.iter_mut().enumerate() {
            let index = nanos.div_euclid(period);
            if span.index != index {
                let corner = |index| corner(self.seed, scale, index);
                // Forwards through time the old right corner is the new left one.
                let left = if span.index.checked_add(1) == Some(index) { span.right } else { corner(index) };
                *span = Span { index, left, right: corner(index + 1) };
            }
            let into = (nanos - index * period) as f64 / period as f64;
            sum += height * (span.left + (span.right - span.left) * into);
            period *= 4;
            height *= 2.0;
        }
        sum
    }
}

/// The height of a corner: -1 to 1.
fn corner(seed: u64, scale: usize, index: i64) -> f64 {
    // 53 bits fit a double exactly.
    let bits = hash(seed.wrapping_add(scale as u64), Lane::Path, index) >> 11;
    bits as f64 / (1_u64 << 52) as f64 - 1.0
}
