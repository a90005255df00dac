//! Philox4x64-10 (Salmon et al., 2011): encrypted counters as random words, each found by its position.
//!
//! Normally distributed numbers have a narrower one (`box_muller`).

use std::ops::Range;

const MULTIPLIERS: [u64; 2] = [0xD2E7_470E_E14C_6C93, 0xCA5A_8263_9512_1157];
const WEYL: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xBB67_AE85_84CA_A73B];
const ROUNDS: usize = 10;

/// Second word of the key: keeps the numbers of pixels apart from those that steps draw.
const PROGRAM: u64 = {
    let [b0, b1, b2, b3, b4, b5] = *b"Pixels";
    u64::from_be_bytes([0, 0, b0, b1, b2, b3, b4, b5])
};

/// Blocks that are encrypted side by side: a product waits for the one before it, not for those of other blocks.
const SIDE_BY_SIDE: usize = 2;

/// Encrypt one counter block; words are given and returned with the lowest first.
pub fn philox4x64(counter: [u64; 4], key: [u64; 2]) -> [u64; 4] {
    let [words] = encrypted([counter], key);
    words
}

#[inline(always)]
fn encrypted<const N: usize>(mut counters: [[u64; 4]; N], key: [u64; 2]) -> [[u64; 4]; N] {
    let wide = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        ((product >> 64) as u64, product as u64)
    };
    let [mut k0, mut k1] = key;
    for _ in 0..ROUNDS {
        for counter in &mut counters {
            let [c0, c1, c2, c3] = *counter;
            let (first_high, first_low) = wide(c0, MULTIPLIERS[0]);
            let (second_high, second_low) = wide(c2, MULTIPLIERS[1]);
            *counter = [second_high ^ c1 ^ k0, second_low, first_high ^ c3 ^ k1, first_low];
        }
        (k0, k1) = (k0.wrapping_add(WEYL[0]), k1.wrapping_add(WEYL[1]));
    }
    counters
}

/// The random words of one frame of an image: those of NumPy's `Philox(key=[seed, …], counter=[0, 0, 0, frame])`.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    /// What a step drew.
    pub seed: u64,
    /// The number of the frame.
    pub frame: u64,
}

impl Stream {
    /// Write the words of the blocks from `first` on. NumPy counts before it encrypts: its first counter is 1.
    fn fill(self, first: usize, blocks: &mut [[u64; 4]]) {
        let key = [self.seed, PROGRAM];
        let counter = |number: usize| [(first + number) as u64 + 1, 0, 0, self.frame];
        let (pairs, rest) = blocks.as_chunks_mut::<SIDE_BY_SIDE>();
        for (number, pair) in pairs.iter_mut().enumerate() {
            *pair = encrypted([counter(SIDE_BY_SIDE * number), counter(SIDE_BY_SIDE * number + 1)], key);
        }
        let done = SIDE_BY_SIDE * pairs.len();
        for (number, block) in rest.iter_mut().enumerate() {
            *block = philox4x64(counter(done + number), key);
        }
    }

    /// The numbers of 32 bits at these positions, two to a word, written to `room`; at most [`MOST`] of them.
    #[inline(always)]
    pub fn thirty_two_bits(self, at: Range<usize>, room: &mut Room32) -> &[u32] {
        let (first, last) = (at.start / A_BLOCK, at.end.div_ceil(A_BLOCK));
        let mut words = [[0; 4]; ROOM];
        let words = &mut words[..last.saturating_sub(first)];
        self.fill(first, words);
        for (room, words) in room.0.iter_mut().zip(&*words) {
            *room = std::array::from_fn(|place| (words[place / 2] >> (32 * (place % 2))) as u32);
        }
        &room.0.as_flattened()[at.start - first * A_BLOCK..][..at.len()]
    }
}

/// Numbers of 32 bits in a block.
const A_BLOCK: usize = 8;

/// Most numbers that are asked for at once.
pub const MOST: usize = 512;

/// Blocks that hold so many numbers of 32 bits, wherever the first of them lies.
const ROOM: usize = MOST / A_BLOCK + 1;

/// Room for numbers of 32 bits.
#[derive(Debug)]
pub struct Room32([[u32; A_BLOCK]; ROOM]);

impl Default for Room32 {
    fn default() -> Self {
        Self([[0; A_BLOCK]; ROOM])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_the_published_one() {
        // The known answer of Random123 for a counter and a key of zeros.
        let known =
            [0x1655_4d9e_ca36_314c, 0xdb20_fe9d_672d_0fdc, 0xd7e7_72ce_e186_176b, 0x7e68_b68a_ec7b_a23b];
        assert_eq!(philox4x64([0; 4], [0; 2]), known);
        assert_eq!(encrypted([[0; 4], [1, 2, 3, 4]], [0; 2])[0], known);
        assert_eq!(encrypted([[0; 4], [1, 2, 3, 4]], [5, 6])[1], philox4x64([1, 2, 3, 4], [5, 6]));
    }

    #[test]
    fn a_number_is_found_by_its_position() {
        let stream = Stream { seed: 7, frame: 3 };
        let words: Vec<u64> =
            (1..30).flat_map(|block| philox4x64([block, 0, 0, 3], [7, 0x5069_7865_6c73])).collect();
        let mut room = Room32::default();
        for (start, end) in [(0, 0), (0, 16), (3, 5), (15, 33), (40, 200)] {
            let expected: Vec<u32> = (start..end).map(|i| (words[i / 2] >> (32 * (i % 2))) as u32).collect();
            assert_eq!(stream.thirty_two_bits(start..end, &mut room), expected);
        }
    }
}
