//! Which partition a key belongs to.

/// The partition of `key` among `partitions`, as Java's default partitioner has it.
///
/// Worked out here and set on each record, because librdkafka's own default (CRC-32) puts a symbol
/// elsewhere than Java's clients do: with both producing, one symbol's quotes would lose their order.
pub(crate) fn of(key: &[u8], partitions: i32) -> i32 {
    // Java clears the sign bit rather than taking the absolute value.
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// `org.apache.kafka.common.utils.Utils.murmur2`: 32-bit MurmurHash2 with Kafka's seed.
fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;

    // Kafka mixes in the length as a Java int; keys are far below 4 GB.
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = word.iter().rev().fold(0, |k, &byte| k << 8 | u32::from(byte)).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        hash ^= rest.iter().rev().fold(0, |k, &byte| k << 8 | u32::from(byte));
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^= hash >> 15;
    hash.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn hashes_as_kafkas_java_client() {
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()), hash, "{text}");
        }
    }

    #[test]
    fn negative_hashes_have_a_partition_too() {
        for partitions in 1..64 {
            for key in ["21", "foobar", "abc", "AAPL", "BRK.B", ""] {
                assert!((0..partitions).contains(&of(key.as_bytes(), partitions)));
            }
        }
        // -973932308 with the sign bit cleared is 1173551340.
        assert_eq!(of(b"21", 7), 1_173_551_340 % 7);
    }
}
