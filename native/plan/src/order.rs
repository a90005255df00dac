//! The order of an epoch: a bijection of the numbers below a count, without a list of them.
//!
//! A Feistel network over two ranges, with cycle walking; `offgraph/pipeline/order.py` says how it works. A round waits for the
//! one before it, so several numbers go through it side by side.

use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};

/// Numbers that go through the network side by side.
const LANES: usize = 8;
/// Odd and near 2**64 divided by the golden ratio: the step of SplitMix64's counter.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Most rounds that there are keys for.
pub const MOST_ROUNDS: usize = 32;

/// A key for each round: the first eight bytes of the BLAKE2b digest of a text that ends with its number, lowest first.
pub fn round_keys(text: &str) -> [u64; MOST_ROUNDS] {
    std::array::from_fn(|round| {
        let digits = [round / 10, round % 10].map(|digit| b'0' + digit as u8);
        let digits = if round < 10 { &digits[1..] } else { &digits[..] };
        let digest = Blake2b::<U8>::new().chain_update(text).chain_update(digits).finalize();
        u64::from_le_bytes(digest.into())
    })
}

/// The high 32 bits of a hash of `half`, scaled to a range.
fn scaled_hash(half: u64, key: u64, length: u64) -> u64 {
    let z = half.wrapping_mul(GOLDEN).wrapping_add(key);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z >> 32) * length) >> 32
}

/// The halves of numbers: the network works on `left * low + right`, with `left` below `high`.
struct Network<'a> {
    high: u64,
    low: u64,
    keys: &'a [u64],
}

impl<'a> Network<'a> {
    /// `count` is above 0 and at most 2**60.
    fn new(count: u64, keys: &'a [u64]) -> Self {
        // Even: adding an odd number modulo it is an odd permutation, so that odd orders can be reached as well.
        let high = 2 * ((count - 1).isqrt() / 2 + 1);
        Self { high, low: count.div_ceil(high), keys }
    }

    /// Send numbers through all rounds, once.
    fn encipher<const N: usize>(&self, numbers: [u64; N]) -> [u64; N] {
        let (mut left, mut right) = (numbers.map(|x| x / self.low), numbers.map(|x| x % self.low));
        for (round, &key) in self.keys.iter().enumerate() {
            let (source, target, length) = match round % 2 {
                0 => (&right, &mut left, self.high),
                _ => (&left, &mut right, self.low),
            };
            for (target, &source) in target.iter_mut().zip(source) {
                let sum = *target + scaled_hash(source, key, length);
                *target = sum.min(sum.wrapping_sub(length)); // what is below zero became large
            }
        }
        std::array::from_fn(|lane| left[lane] * self.low + right[lane])
    }
}

/// Replace places in an order by the numbers that stand there.
///
/// # Panics
///
/// For a place that is not below `count`, and for a `count` above 2**60.
pub fn permute(places: &mut [u64], count: u64, keys: &[u64]) {
    assert!(count <= 1 << 60 && places.iter().all(|&place| place < count), "places of another order");
    if places.is_empty() {
        return;
    }
    let network = Network::new(count, keys);
    let walk = |mut x: u64| {
        while x >= count {
            [x] = network.encipher([x]);
        }
        x
    };
    let (chunks, rest) = places.as_chunks_mut::<LANES>();
    for chunk in chunks {
        *chunk = network.encipher(*chunk).map(walk);
    }
    for x in rest {
        let [first] = network.encipher([*x]);
        *x = walk(first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_pythons() {
        // hashlib.blake2b(b"offgraph order 7 3 round 0", digest_size=8), and of rounds 9, 10 and 31
        let keys = round_keys("offgraph order 7 3 round ");
        assert_eq!(
            [keys[0], keys[9], keys[10], keys[31]],
            [0xf210_44f4_52cc_1118, 0x38d9_c01e_1eb0_11eb, 0x55c4_811a_50b0_8bc9, 0x6090_645a_6a47_58f0]
        );
    }
    use proptest::prelude::*;

    /// The network on single numbers, with modulo for the sums.
    fn by_definition(place: u64, count: u64, keys: &[u64]) -> u64 {
        let high = (2..).step_by(2).find(|n: &u64| n * n >= count).unwrap();
        let low = count.div_ceil(high);
        let mut x = place;
        loop {
            let (mut left, mut right) = (x / low, x % low);
            for (round, &key) in keys.iter().enumerate() {
                if round % 2 == 0 {
                    left = (left + scaled_hash(right, key, high)) % high;
                } else {
                    right = (right + scaled_hash(left, key, low)) % low;
                }
            }
            x = left * low + right;
            if x < count {
                return x;
            }
        }
    }

    proptest! {
        #[test]
        fn each_place_has_the_number_of_the_definition(
            count in 1_u64..5000,
            keys in prop::collection::vec(any::<u64>(), 0..40),
        ) {
            let mut found: Vec<u64> = (0..count).collect();
            permute(&mut found, count, &keys);
            let want: Vec<u64> = (0..count).map(|place| by_definition(place, count, &keys)).collect();
            prop_assert_eq!(&found, &want);
            found.sort_unstable();
            prop_assert!(found.into_iter().eq(0..count));
        }
    }

    #[test]
    fn the_largest_count_does_not_overflow() {
        let count = 1_u64 << 60;
        let mut found = [0, 1, count / 2, count - 1];
        permute(&mut found, count, &[u64::MAX; 12]);
        assert!(found.iter().all(|&number| number < count));
    }
}
