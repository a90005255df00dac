//! Sums of runs of 8 or 16 bits, where all sums are exact and so have no order.
//!
//! Eight bytes are one word. The sums of whole words from the start of the block are added up; what a run adds is the
//! difference between its ends, and within a word the bytes before an end are those that a mask leaves.

use crate::array::sample::{Bool, Sample};
use crate::exec::simd::Kernel;
use crate::measure::run_buffer::BLOCK;
use crate::measure::runs::RunBlock;

/// Words of a block, at least.
const WORDS: usize = BLOCK / 4 + 1;

/// A whole number of which several fit a word.
pub(super) trait PackedSample: Sample {
    /// Numbers per word.
    const PER_WORD: usize;

    /// What is added to each number in a word, so that none is negative.
    const BIAS: i64;

    /// At most a word's numbers; zeros follow.
    fn pack(numbers: &[Self]) -> u64;

    /// Sum of the numbers in a word.
    fn total(word: u64) -> u32;
}

#[inline(always)]
fn total_of_bytes(word: u64) -> u32 {
    const EVEN: u64 = 0x00ff_00ff_00ff_00ff;
    let pairs = (word & EVEN) + (word >> 8 & EVEN);
    (pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48) as u32
}

#[inline(always)]
fn total_of_shorts(word: u64) -> u32 {
    const EVEN: u64 = 0x0000_ffff_0000_ffff;
    let pairs = (word & EVEN) + (word >> 16 & EVEN);
    pairs as u32 + (pairs >> 32) as u32
}

macro_rules! packed_sample {
    ($($type:ty, $unsigned:ty, $bias:literal, $total:path);*) => {
        $(
            impl PackedSample for $type {
                const PER_WORD: usize = 8 / size_of::<$type>();
                const BIAS: i64 = $bias;

                #[inline(always)]
                fn pack(numbers: &[Self]) -> u64 {
                    let bits = 8 * size_of::<$type>();
                    let shifted = |(at, number): (usize, &Self)| u64::from(*number as $unsigned ^ $bias) << (at * bits);
                    numbers.iter().enumerate().map(shifted).fold(0, |word, number| word | number)
                }

                #[inline(always)]
                fn total(word: u64) -> u32 {
                    $total(word)
                }
            }
        )*
    };
}

packed_sample!(
    u8, u8, 0, total_of_bytes;
    i8, u8, 0x80, total_of_bytes;
    u16, u16, 0, total_of_shorts;
    i16, u16, 0x8000, total_of_shorts
);

impl PackedSample for Bool {
    const PER_WORD: usize = 8;
    const BIAS: i64 = 0;

    #[inline(always)]
    fn pack(numbers: &[Self]) -> u64 {
        numbers.iter().enumerate().fold(0, |word, (at, number)| word | u64::from(number.0) << (at * 8))
    }

    #[inline(always)]
    fn total(word: u64) -> u32 {
        total_of_bytes(word)
    }
}

/// Add the elements of a block to the sums of their labels, each of which is exact.
pub(super) struct AddWhole<'a, 'b, T> {
    pub sums: &'a mut [f64],
    pub block: &'a RunBlock<'b>,
    /// Those of the block.
    pub values: &'a [T],
}

impl<T: PackedSample> Kernel for AddWhole<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { sums, block, values } = self;
        let per_word = T::PER_WORD;
        let (mut words, mut before) = ([0; WORDS], [0; WORDS]);
        let mut groups = values.chunks_exact(per_word);
        let whole = groups.len();
        words.iter_mut().zip(&mut groups).for_each(|(word, numbers)| *word = T::pack(numbers));
        words[whole] = T::pack(groups.remainder());
        before[1..].iter_mut().zip(&words[..whole]).for_each(|(sum, word)| *sum = T::total(*word));
        let mut sum = 0;
        for own in &mut before[..=whole] {
            sum += *own;
            *own = sum;
        }
        // At most 2048 numbers of 16 bits: their sum fits 32.
        let sum_before = |place: usize| {
            let (word, rest) = (place / per_word, place % per_word);
            let mask = (1 << (rest * 64 / per_word)) - 1;
            i64::from(before[word] + T::total(words[word] & mask))
        };
        let mut first = 0;
        for (label, start, end) in block.iter() {
            let last = sum_before(end);
            if let Some(sum) = sums.get_mut(label as usize) {
                *sum += (last - first - T::BIAS * (end - start) as i64) as f64;
            }
            first = last;
        }
    }
}
