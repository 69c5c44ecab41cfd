//! Chance without state: the same question always has the same answer.

/// What a hash is asked about: questions of different lanes have unrelated answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lane {
    /// A symbol's own seed.
    Symbol = 1,
    /// A corner of the price path.
    Path,
    /// A second of the tape: whether, when and how a trade happens.
    Trade,
    /// That trade's size.
    Size,
    /// A moment of the book.
    Book,
}

/// 64 even bits for `index` on `lane` of `seed`.
pub(super) fn hash(seed: u64, lane: Lane, index: i64) -> u64 {
    let lane = mix(seed ^ (lane as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mix(lane ^ index.cast_unsigned().wrapping_mul(0xd1b5_4a32_d192_ed03))
}

/// A symbol's seed within the market of `seed`: FNV-1a of its letters, mixed.
pub(super) fn symbol_seed(seed: u64, symbol: &str) -> u64 {
    let letters = symbol.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash(seed ^ letters, Lane::Symbol, 0)
}

/// SplitMix64's finaliser.
const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
