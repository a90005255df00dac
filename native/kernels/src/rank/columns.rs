//! The median of 3×3 and 5×5 boxes: columns are sorted once and shared by all boxes that contain them.
//!
//! The comparisons are written out so that values stay in registers. Lanes are adjacent pixels.

use crate::exec::simd::{Kernel, dispatch};
use crate::memory::{self, CollectVec};
use crate::rank::counts::{BoxGrid, Plane};
use crate::rank::key::Key;
use crate::rank::layout::{LANES, LineStart};

/// Largest stride of columns for which a block holds all columns of a box.
const MAX_COLUMN_STEP: usize = 64;

/// Results, in units of [`LANES`], for which columns are sorted together.
const BLOCK: usize = 4;

/// Compare and exchange pairs of places, one after another.
macro_rules! in_order {
    ($values:ident: $($low:literal $high:literal),*) => {
        $(($values[$low], $values[$high]) = (
            $values[$low].min($values[$high]),
            $values[$low].max($values[$high]),
        );)*
    };
}

#[inline(always)]
fn sort3<K: Ord + Copy>(mut v: [K; 3]) -> [K; 3] {
    in_order!(v: 0 1, 1 2, 0 1);
    v
}

#[inline(always)]
fn sort5<K: Ord + Copy>(mut v: [K; 5]) -> [K; 5] {
    in_order!(v: 0 3, 1 4, 0 2, 1 3, 0 1, 2 4, 1 2, 3 4, 2 3);
    v
}

/// The median of three sorted columns: the median of the largest minimum, the middle median and the smallest maximum.
#[inline(always)]
fn median3x3<K: Ord + Copy>(v: [K; 9]) -> K {
    let [low, middle, high] = [[v[0], v[1], v[2]], [v[3], v[4], v[5]], [v[6], v[7], v[8]]];
    let middle = sort3(middle)[1];
    sort3([low[0].max(low[1]).max(low[2]), middle, high[0].min(high[1]).min(high[2])])[1]
}

/// The median of five sorted columns, given row by row: sort the rows, then the 13 cells that may still be the median.
/// Comparisons are left out if all 6^5 sets of sorted columns of zeros and ones still give the right result.
#[inline(always)]
fn median5x5<K: Ord + Copy>(mut v: [K; 25]) -> K {
    in_order!(v:
        1 4, 0 2, 0 1, 2 4, 1 2, 3 4, 2 3, 5 8, 6 9, 6 8, 5 6, 7 9, 6 7, 8 9, 7 8, 10 13, 11 14, 10 12,
        11 13, 10 11, 12 14, 11 12, 13 14, 12 13, 15 18, 16 19, 15 17, 16 18, 15 16, 17 19, 16 17, 17
        18, 20 23, 21 24, 21 23, 20 21, 22 24, 21 22, 3 16, 4 12, 20 21, 8 11, 15 4, 13 20, 16 12, 17
        21, 7 16, 11 17, 11 13, 4 16, 11 12, 13 9, 11 4, 13 16, 13 4
    );
    v[4]
}

/// The networks for one box size.
trait Median<const HEIGHT: usize, const CELLS: usize> {
    fn sort<K: Ord + Copy>(column: [K; HEIGHT]) -> [K; HEIGHT];
    fn median<K: Ord + Copy>(columns: [K; CELLS]) -> K;
}

struct Three;
struct Five;

impl Median<3, 9> for Three {
    #[inline(always)]
    fn sort<K: Ord + Copy>(column: [K; 3]) -> [K; 3] {
        sort3(column)
    }

    #[inline(always)]
    fn median<K: Ord + Copy>(columns: [K; 9]) -> K {
        median3x3(columns)
    }
}

impl Median<5, 25> for Five {
    #[inline(always)]
    fn sort<K: Ord + Copy>(column: [K; 5]) -> [K; 5] {
        sort5(column)
    }

    #[inline(always)]
    fn median<K: Ord + Copy>(columns: [K; 25]) -> K {
        median5x5(columns)
    }
}

/// Whether [`medians`] applies to this box and rank.
pub(super) fn is_median(grid: &BoxGrid, rank: usize) -> bool {
    let BoxGrid { rows, columns, column_step, .. } = *grid;
    rows == columns && matches!((rows, rank), (3, 4) | (5, 12)) && column_step <= MAX_COLUMN_STEP
}

/// Pass the medians around the pixels of the planes that start at `lines` to `sink`, row by row.
///
/// `padded` holds [`LANES`] more keys than the band.
pub(super) fn medians<K: Key>(
    grid: BoxGrid,
    padded: &[K],
    plane: Plane,
    lines: impl Iterator<Item = LineStart>,
    sink: &mut dyn FnMut(usize, &[K]),
) {
    let mut out = memory::zeros(plane.width.next_multiple_of(LANES));
    let mut sorted =
        (0..grid.rows).map(|_| memory::zeros((BLOCK + 2) * LANES + 4 * MAX_COLUMN_STEP)).collect_vec();
    for line in lines {
        for row in 0..plane.rows.len {
            let padded = &padded[line.padded + row * plane.rows.padded..];
            let (sorted, medians) = (sorted.as_mut_slice(), out.as_mut_slice());
            let taps_per_row = MedianRow { grid, padded, width: plane.width, sorted, medians };
            if grid.rows == 3 {
                dispatch(SelectMedians::<K, Three, 3, 9> { row: taps_per_row, size: Three });
            } else {
                dispatch(SelectMedians::<K, Five, 5, 25> { row: taps_per_row, size: Five });
            }
            sink(line.out + row * plane.rows.out, &out[..plane.width]);
        }
    }
}

struct MedianRow<'a, K> {
    grid: BoxGrid,
    padded: &'a [K],
    width: usize,
    /// Workspace for the sorted columns of a block, smallest keys first.
    sorted: &'a mut [Vec<K>],
    medians: &'a mut [K],
}

struct SelectMedians<'a, K, M, const HEIGHT: usize, const CELLS: usize> {
    row: MedianRow<'a, K>,
    #[expect(dead_code, reason = "only its type matters")]
    size: M,
}

impl<K: Key, M: Median<HEIGHT, CELLS>, const HEIGHT: usize, const CELLS: usize> Kernel
    for SelectMedians<'_, K, M, HEIGHT, CELLS>
{
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let MedianRow { grid, padded, width, sorted, medians } = self.row;
        let step = grid.column_step;
        let unset = [K::default(); LANES];
        for start in (0..width).step_by(BLOCK * LANES) {
            let results = (BLOCK * LANES).min(width - start);
            for at in (0..results + (HEIGHT - 1) * step).step_by(LANES) {
                let mut rows = [&unset; HEIGHT];
                for (row, keys) in rows.iter_mut().enumerate() {
                    *keys = lanes_of(&padded[row * grid.row_step + start + at..]);
                }
                // A separate array shows the compiler that nothing overlaps.
                let mut block = [unset; HEIGHT];
                for lane in 0..LANES {
                    let mut column = [K::default(); HEIGHT];
                    for (key, row) in column.iter_mut().zip(rows) {
                        *key = row[lane];
                    }
                    for (keys, key) in block.iter_mut().zip(M::sort(column)) {
                        keys[lane] = key;
                    }
                }
                for (sorted, block) in sorted.iter_mut().zip(&block) {
                    sorted[at..at + LANES].copy_from_slice(block);
                }
            }
            for at in (0..results).step_by(LANES) {
                let mut cells = [&unset; CELLS];
                for (cell, keys) in cells.iter_mut().enumerate() {
                    *keys = lanes_of(&sorted[cell / HEIGHT][at + cell % HEIGHT * step..]);
                }
                let mut found = unset;
                for (lane, found) in found.iter_mut().enumerate() {
                    let mut values = [K::default(); CELLS];
                    for (value, keys) in values.iter_mut().zip(cells) {
                        *value = keys[lane];
                    }
                    *found = M::median(values);
                }
                medians[start + at..start + at + LANES].copy_from_slice(&found);
            }
        }
    }
}

#[inline(always)]
fn lanes_of<K>(keys: &[K]) -> &[K; LANES] {
    keys[..LANES].try_into().expect("as many keys as lanes")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the 0-1 principle, a network that is right for all zeros and ones is right for all values.
    fn is_right_for_zeros_and_ones<M: Median<N, CELLS>, const N: usize, const CELLS: usize>() {
        for bits in 0_u32..1 << N {
            let column: [bool; N] = std::array::from_fn(|row| bits >> row & 1 == 1);
            assert!(M::sort(column).is_sorted());
            assert_eq!(M::sort(column).iter().filter(|one| **one).count(), bits.count_ones() as usize);
        }
        // The number of ones in each sorted column.
        for code in 0..(N + 1).pow(N as u32) {
            let ones: [usize; N] = std::array::from_fn(|column| code / (N + 1).pow(column as u32) % (N + 1));
            let cells: [bool; CELLS] = std::array::from_fn(|cell| cell / N >= N - ones[cell % N]);
            assert_eq!(M::median(cells), ones.iter().sum::<usize>() > CELLS / 2);
        }
    }

    #[test]
    fn networks_are_right_for_zeros_and_ones() {
        is_right_for_zeros_and_ones::<Three, 3, 9>();
        is_right_for_zeros_and_ones::<Five, 5, 25>();
    }
}
