//! Selection by a histogram of a window that slides along a line.

use crate::exec::threads;
use crate::memory::{self, CollectVec};
use crate::rank::key::{Key, Numbered};
use crate::rank::layout::LineStart;

/// Bits of a value that one level of [`Histogram`] distinguishes.
const LEVEL_BITS: u32 = 4;
const FAN: usize = 1 << LEVEL_BITS;

/// The values in a window, counted in a tree: each level counts by a few more leading bits.
#[derive(Debug)]
struct Histogram {
    levels: Vec<Vec<u32>>,
}

impl Histogram {
    /// An empty window for values below `limit`.
    fn new(limit: usize) -> Self {
        let bits = usize::BITS - limit.saturating_sub(1).leading_zeros();
        let depth = bits.div_ceil(LEVEL_BITS).max(1);
        Self { levels: (1..=depth).map(|level| memory::zeros(1 << (level * LEVEL_BITS))).collect_vec() }
    }

    /// Add `change` to the count of `value`; it wraps, so that values can be removed.
    #[inline(always)]
    fn change(&mut self, value: u32, change: u32) {
        let mut shift = LEVEL_BITS * self.levels.len() as u32;
        for level in &mut self.levels {
            shift -= LEVEL_BITS;
            let count = &mut level[(value >> shift) as usize];
            *count = count.wrapping_add(change);
        }
    }

    fn add(&mut self, value: u32) {
        self.change(value, 1);
    }

    fn remove(&mut self, value: u32) {
        self.change(value, 1_u32.wrapping_neg());
    }

    /// The value at `rank`, counted from the smallest; there must be more than `rank` values.
    #[inline]
    fn nth(&self, mut rank: u32) -> u32 {
        let mut prefix = 0;
        for level in &self.levels {
            let first = prefix * FAN;
            let mut bin = 0;
            for &count in &level[first..first + FAN - 1] {
                if rank < count {
                    break;
                }
                rank -= count;
                bin += 1;
            }
            prefix = first + bin;
        }
        prefix as u32
    }
}

/// How a window slides along a line, as offsets from its first cell in the padded band.
#[derive(Debug)]
pub(super) struct Slide {
    /// Steps from one pixel to the next, in the padded band and in the output.
    pub(super) padded_step: usize,
    pub(super) out_step: usize,
    /// The samples that leave and enter when the window advances by one pixel, as offsets from its old position.
    pub(super) leave: Vec<usize>,
    pub(super) enter: Vec<usize>,
}

impl Slide {
    /// Write the value at `rank` of the window (all of `taps`) around each of the `len` pixels of `lines` to `out`.
    pub(super) fn select<K: Key>(
        &self,
        padded: &[K],
        taps: &[usize],
        rank: u32,
        lines: impl Iterator<Item = LineStart>,
        len: usize,
        out: &mut [K],
    ) {
        let Numbered { ids, values } = K::number(padded);
        let mut histogram = Histogram::new(values.len());
        for line in lines {
            threads::check_interrupt();
            let mut first = line.padded;
            taps.iter().for_each(|tap| histogram.add(ids[first + tap]));
            for pixel in 0..len {
                if pixel > 0 {
                    self.leave.iter().for_each(|cell| histogram.remove(ids[first + cell]));
                    self.enter.iter().for_each(|cell| histogram.add(ids[first + cell]));
                    first += self.padded_step;
                }
                out[line.out + pixel * self.out_step] = values[histogram.nth(rank) as usize];
            }
            // Removing the last window costs less than clearing a histogram with many bins.
            taps.iter().for_each(|tap| histogram.remove(ids[first + tap]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_rank_of_any_content(mut values in prop::collection::vec(0u32..5000, 1..60), gone in 0usize..60) {
            let mut histogram = Histogram::new(5000);
            values.iter().for_each(|&v| histogram.add(v));
            let mut sorted = values.split_off(gone.min(values.len() - 1));
            values.iter().for_each(|&v| histogram.remove(v));
            sorted.sort_unstable();
            for (rank, &value) in sorted.iter().enumerate() {
                prop_assert_eq!(histogram.nth(rank as u32), value);
            }
        }
    }
}
