//! Selection by a sorting network whose lanes are adjacent pixels: no branches.

use crate::memory::{self, CollectVec};
use crate::rank::key::Key;

/// Which results of a comparison are read later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Both,
    Low,
    High,
}

#[derive(Clone, Copy, Debug)]
struct Comparison {
    low: usize,
    high: usize,
    keep: Keep,
}

/// The comparisons that bring the value of one rank to a fixed place.
#[derive(Debug)]
pub(super) struct Network {
    count: usize,
    rank: usize,
    comparisons: Vec<Comparison>,
}

impl Network {
    /// Batcher's merge exchange sort (Knuth, The Art of Computer Programming, 5.2.2, algorithm M) for `count` values,
    /// without the comparisons that the value at `rank` does not depend on.
    pub(super) fn new(count: usize, rank: usize) -> Self {
        assert!(rank < count, "rank {rank} of {count} values");
        let mut comparisons = Vec::new();
        let mut needed = memory::zeros(count);
        needed[rank] = true;
        let pairs = match rank {
            // An extreme needs no sorting: compare one value with each of the others.
            0 => (1..count).map(|other| (0, other)).collect_vec(),
            _ if rank == count - 1 => (0..rank).map(|other| (other, rank)).collect_vec(),
            _ => merge_exchange(count),
        };
        for (low, high) in pairs.into_iter().rev() {
            let keep = match (needed[low], needed[high]) {
                (true, true) => Keep::Both,
                (true, false) => Keep::Low,
                (false, true) => Keep::High,
                (false, false) => continue,
            };
            (needed[low], needed[high]) = (true, true);
            memory::push(&mut comparisons, Comparison { low, high, keep });
        }
        comparisons.reverse();
        Self { count, rank, comparisons }
    }

    /// Select for every pixel of a row: `out[i]` from the values `padded[tap + i]`.
    ///
    /// `lanes` is a workspace with one entry per tap.
    #[inline(always)]
    pub(super) fn select_row<K: Key>(
        &self,
        padded: &[K],
        taps: &[usize],
        out: &mut [K],
        lanes: &mut [K::Lanes],
    ) {
        debug_assert!(taps.len() == self.count && lanes.len() == self.count);
        let block = K::LANES.as_ref().len();
        let mut done = 0;
        while done < out.len() {
            // Start the last block earlier instead of shortening it, so that blocks are full except in tiny rows.
            let start = done.min(out.len().saturating_sub(block));
            let width = block.min(out.len() - start);
            for (lane, &tap) in lanes.iter_mut().zip(taps) {
                lane.as_mut()[..width].copy_from_slice(&padded[tap + start..tap + start + width]);
            }
            self.run::<K>(lanes);
            out[start..start + width].copy_from_slice(&lanes[self.rank].as_ref()[..width]);
            done = start + width;
        }
    }

    #[inline(always)]
    fn run<K: Key>(&self, lanes: &mut [K::Lanes]) {
        for &Comparison { low, high, keep } in &self.comparisons {
            let (head, tail) = lanes.split_at_mut(high);
            let (a, b) = (head[low].as_mut(), tail[0].as_mut());
            match keep {
                Keep::Both => {
                    for (x, y) in a.iter_mut().zip(b) {
                        (*x, *y) = ((*x).min(*y), (*x).max(*y));
                    }
                }
                Keep::Low => {
                    for (x, y) in a.iter_mut().zip(b) {
                        *x = (*x).min(*y);
                    }
                }
                Keep::High => {
                    for (x, y) in a.iter_mut().zip(b) {
                        *y = (*x).max(*y);
                    }
                }
            }
        }
    }
}

/// The pairs (low, high), low < high, that sort `count` values by compare and exchange, in order.
fn merge_exchange(count: usize) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let top = count.next_power_of_two() / 2;
    let mut p = top;
    while p > 0 {
        let (mut q, mut r, mut d) = (top, 0, p);
        loop {
            memory::extend(
                &mut pairs,
                (0..count.saturating_sub(d)).filter(|i| i & p == r).map(|i| (i, i + d)),
            );
            if q == p {
                break;
            }
            (d, q, r) = (q - p, q / 2, p);
        }
        p /= 2;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_extreme_takes_one_comparison_less_than_values() {
        for count in 1..40 {
            assert_eq!(Network::new(count, 0).comparisons.len(), count - 1);
            assert_eq!(Network::new(count, count - 1).comparisons.len(), count - 1);
        }
    }

    proptest! {
        #[test]
        fn selects_what_sorting_selects(values in prop::collection::vec(any::<u16>(), 1..90), at in any::<prop::sample::Index>()) {
            let rank = at.index(values.len());
            let mut lanes: Vec<_> = values.iter().map(|&value| [value; 64]).collect();
            Network::new(values.len(), rank).run::<u16>(&mut lanes);
            let mut sorted = values.clone();
            sorted.sort_unstable();
            prop_assert_eq!(lanes[rank][7], sorted[rank]);
        }

        #[test]
        fn rows_of_any_length_are_whole(row in prop::collection::vec(any::<u8>(), 2..400)) {
            let mut out = vec![0; row.len() - 2];
            Network::new(3, 1).select_row::<u8>(&row, &[0, 1, 2], &mut out, &mut [u8::LANES; 3]);
            for (window, got) in row.windows(3).zip(out) {
                let mut sorted = window.to_vec();
                sorted.sort_unstable();
                prop_assert_eq!(got, sorted[1]);
            }
        }
    }
}
