//! Random numbers by address, without state: the draws of `offgraph/core/random.py`, bit for bit.
//!
//! Philox4x64-10 (Salmon et al., 2011) encrypts one counter block per (block, step, index, epoch) under the seed; each
//! block gives four words.

use offgraph_kernels::noise::philox::philox4x64;

/// Second word of the key: keeps Offgraph's draws apart from other uses of Philox with the same seed.
const PROGRAM: u64 = u64::from_be_bytes(*b"Offgraph");

/// The address of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The run's seed.
    pub seed: u64,
    /// The pass over the data.
    pub epoch: u64,
    /// The number of the image in its source.
    pub index: u64,
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
    fn an_integer_is_never_outside() {
        let mut draw = Draw::new(Key { seed: 1, epoch: 2, index: 3 }, 4);
        for high in [0, 1, 2, 6, 1 << 40] {
            for _ in 0..100 {
                assert!((-3..=high).contains(&draw.integer(-3, high)));
            }
        }
    }
}
