//! Random numbers by address, without state: the draws of `offgraph/core/random.py`, bit for bit.
//!
//! Philox4x64-10 (Salmon et al., 2011) encrypts one counter block per (block, step, index, epoch) under the seed; each
//! block gives four words.

const MULTIPLIERS: [u64; 2] = [0xD2E7_470E_E14C_6C93, 0xCA5A_8263_9512_1157];
const WEYL: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xBB67_AE85_84CA_A73B];
const ROUNDS: usize = 10;

/// Second word of the key: keeps Offgraph's draws apart from other uses of Philox with the same seed.
const PROGRAM: u64 = u64::from_be_bytes(*b"Offgraph");

/// The address of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The run's seed.
    pub seed: u64,
    /// The pass over the data.
    pub epoch: u64,
    /// The number of the image in its source.
    pub index: u64,
}

/// Encrypt one counter block; words are given and returned with the lowest first.
pub fn philox4x64(counter: [u64; 4], key: [u64; 2]) -> [u64; 4] {
    let wide = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        ((product >> 64) as u64, product as u64)
    };
    let ([mut c0, mut c1, mut c2, mut c3], [mut k0, mut k1]) = (counter, key);
    for _ in 0..ROUNDS {
        let (first_high, first_low) = wide(c0, MULTIPLIERS[0]);
        let (second_high, second_low) = wide(c2, MULTIPLIERS[1]);
        (c0, c1, c2, c3) = (second_high ^ c1 ^ k0, second_low, first_high ^ c3 ^ k1, first_low);
        (k0, k1) = (k0.wrapping_add(WEYL[0]), k1.wrapping_add(WEYL[1]));
    }
    [c0, c1, c2, c3]
}

/// Values drawn at one address: a key and the hash of a step's address.
#[derive(Debug)]
pub struct Draw {
    key: [u64; 2],
    address: [u64; 3],
    block: u64,
    words: [u64; 4],
    used: usize,
}

impl Draw {
    /// The draws of a step, whose address has this hash, for a sample.
    pub fn new(key: Key, step: u64) -> Self {
        Self {
            key: [key.seed, PROGRAM],
            address: [step, key.index, key.epoch],
            block: 0,
            words: [0; 4],
            used: 4,
        }
    }

    /// The next 64 random bits.
    pub fn word(&mut self) -> u64 {
        if self.used == self.words.len() {
            let [step, index, epoch] = self.address;
            self.words = philox4x64([self.block, step, index, epoch], self.key);
            self.block = self.block.wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    fn fraction(&mut self) -> f64 {
        (self.word() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A float drawn evenly from [low, high].
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        let fraction = self.fraction();
        if high - low > f64::MAX {
            return low * (1.0 - fraction) + high * fraction; // more than an f64 holds
        }
        // Python's `min` and `max`: of two equal values, such as 0 and -0, the first.
        let value = low + (high - low) * fraction;
        let value = if low > value { low } else { value };
        if high < value { high } else { value }
    }

    /// A whole number drawn evenly from low, low + 1, ..., high, for `low <= high`.
    pub fn integer(&mut self, low: i64, high: i64) -> i64 {
        let count = high.wrapping_sub(low) as u64 + 1;
        // Words in the last, incomplete run of `count` would favour low numbers.
        let rest = (u64::MAX % count + 1) % count;
        let mut word = self.word();
        while word > u64::MAX - rest {
            word = self.word();
        }
        low + (word % count) as i64
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.fraction() < p
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_the_published_one() {
        // The known answer of Random123 for a counter and a key of zeros.
        let zero = philox4x64([0; 4], [0; 2]);
        assert_eq!(
            zero,
            [0x1655_4d9e_ca36_314c, 0xdb20_fe9d_672d_0fdc, 0xd7e7_72ce_e186_176b, 0x7e68_b68a_ec7b_a23b]
        );
    }

    #[test]
    fn an_integer_is_never_outside() {
        let mut draw = Draw::new(Key { seed: 1, epoch: 2, index: 3 }, 4);
        for high in [0, 1, 2, 6, 1 << 40] {
            for _ in 0..100 {
                assert!((-3..=high).contains(&draw.integer(-3, high)));
            }
        }
    }
}
