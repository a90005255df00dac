//! Selection in large windows of bytes by counting; SIMD lanes are adjacent pixels, and no value is looked up.
//!
//! ```text
//! result = number of thresholds t for which at most `rank` samples of the window are <= t
//! ```
//!
//! The sample at `rank` exceeds `t` exactly if at most `rank` samples are `<= t`, and a byte exceeds as many thresholds
//! from 0 on as its value says.
//!
//! 1. Each threshold takes a few additions per pixel for any window size: counts per column are updated from row to
//!    row, and the columns of a window are added up in short runs.
//! 2. A tile needs only the thresholds between its smallest and its largest result, which bisection finds.

use crate::exec::simd::{Kernel, dispatch};
use crate::memory::{self, CollectVec};
use crate::rank::layout::{Axis, Dim, LineStart};
use std::ops::{AddAssign, Range, SubAssign};

/// Rows and columns of a tile. Larger tiles spend less on their edges, but hold more different values.
const TILE_ROWS: usize = 24;
const TILE_WIDTH: usize = 256;

/// How many samples beyond its first column a box may reach; and the same for a whole row of a tile.
const REACH: usize = 64;
const SPAN: usize = TILE_WIDTH + REACH;

/// Places that are added up together, and most terms of a sum whose loop is unrolled.
const BLOCK: usize = 64;
const MAX_TERMS: usize = 8;

/// A full box that is longer than 1 along one or two axes; the second has the smaller stride.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoxGrid {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Strides between rows and between columns of the box, in a padded band.
    pub(super) row_step: usize,
    pub(super) column_step: usize,
}

/// A plane of results: positions along the box's first axis, each with `width` results.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane {
    pub(super) rows: Dim,
    pub(super) width: usize,
}

impl BoxGrid {
    /// Pass the values at `rank` around the pixels of the planes that start at `lines` to `sink`, piece by piece.
    pub(super) fn count(
        &self,
        padded: &[u8],
        rank: usize,
        plane: Plane,
        lines: impl Iterator<Item = LineStart>,
        sink: &mut dyn FnMut(usize, &[u8]),
    ) {
        for line in lines {
            for row in (0..plane.rows.len).step_by(TILE_ROWS) {
                for column in (0..plane.width).step_by(TILE_WIDTH) {
                    let height = TILE_ROWS.min(plane.rows.len - row);
                    let width = TILE_WIDTH.min(plane.width - column);
                    let tile = &padded[line.padded + row * plane.rows.padded + column..];
                    let out = line.out + row * plane.rows.out + column;
                    let sink = |row: usize, values: &[u8]| sink(out + row * plane.rows.out, values);
                    if self.rows * self.columns <= usize::from(u8::MAX) {
                        CountTile::<u8>::new(*self, tile, rank as u8, height, width).select(sink);
                    } else {
                        CountTile::<u16>::new(*self, tile, rank as u16, height, width).select(sink);
                    }
                }
            }
        }
    }

    /// Whether counts fit for so large a box, and columns are near enough to be counted together.
    pub(super) fn is_countable(&self) -> bool {
        self.rows * self.columns <= usize::from(u16::MAX) && (self.columns - 1) * self.column_step <= REACH
    }
}

/// A full box along one or two axes, and the arrangement of its results.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) grid: BoxGrid,
    /// The first axis of the box, if it has two.
    outer: Option<usize>,
    /// Whether results are contiguous along the last axis too, not only after it.
    along_last: bool,
}

impl Counted {
    /// From this stride on, the last axis is treated like any other.
    const WIDE: usize = 64;

    /// `None` for a box along more axes.
    pub(super) fn new(axes: &[Axis], inner: usize, padded_strides: &[usize]) -> Option<Self> {
        let (last, before) = axes.split_last()?;
        let mut long = (0..before.len()).filter(|axis| axes[*axis].window > 1);
        let (outer, more) = (long.next(), long.next());
        if more.is_some() {
            return None;
        }
        let grid = match outer {
            None if inner >= Self::WIDE => {
                BoxGrid { rows: last.window, columns: 1, row_step: inner, column_step: inner }
            }
            None => BoxGrid { rows: 1, columns: last.window, row_step: 0, column_step: inner },
            Some(axis) => BoxGrid {
                rows: axes[axis].window,
                columns: last.window,
                row_step: padded_strides[axis],
                column_step: inner,
            },
        };
        Some(Self { grid, outer, along_last: outer.is_some() || inner < Self::WIDE })
    }

    /// The plane of results, and the axes outside it.
    pub(super) fn plane(&self, mut dims: Vec<Dim>) -> (Plane, Vec<Dim>) {
        let last = dims.pop().expect("at least one axis");
        let plane = match self.outer {
            Some(axis) => Plane { rows: dims.remove(axis), width: last.len * last.out },
            None if self.along_last => {
                Plane { rows: Dim { len: 1, padded: 0, out: 0 }, width: last.len * last.out }
            }
            None => Plane { rows: last, width: last.out },
        };
        (plane, dims)
    }
}

/// Unsigned integers for counting samples.
trait Count: Copy + Default + Ord + From<bool> + AddAssign + SubAssign {}

impl Count for u8 {}
impl Count for u16 {}

/// Some rows of adjacent results.
struct CountTile<C> {
    grid: BoxGrid,
    rank: C,
    width: usize,
    additions: Additions,
    /// The samples of the tile with its border, copied so that all rows have one length.
    samples: Vec<Aligned<[u8; SPAN]>>,
    /// How many thresholds each result is known to exceed.
    above: Vec<Aligned<[u8; TILE_WIDTH]>>,
    counts: Counts<C>,
}

/// Aligned so that register loads stay within a cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Aligned<T>(T);

/// Counts for each place of a row. Places past the end of the row are computed but not used.
#[repr(align(64))]
struct Counts<C> {
    /// In one column of the box.
    columns: [C; SPAN + REACH],
    /// In a run of adjacent columns.
    runs: [C; SPAN],
    /// In the box.
    sums: [C; TILE_WIDTH],
}

/// How the columns of a box are added up: runs of equal length first, then runs and remaining columns.
#[derive(Debug)]
struct Additions {
    /// Column offsets within a run.
    run: Vec<usize>,
    /// Offsets of the runs in a box, and of the remaining columns.
    runs: Vec<usize>,
    columns: Vec<usize>,
}

impl Additions {
    /// With as few terms as possible.
    fn new(columns: usize, step: usize) -> Self {
        let terms = |length: &usize| length + columns / length + columns % length;
        let length = (2..=MAX_TERMS).min_by_key(terms).filter(|length| terms(length) < columns).unwrap_or(1);
        let offsets =
            |range: Range<usize>, by: usize| range.step_by(by).map(|column| column * step).collect_vec();
        if length == 1 {
            return Self { run: Vec::new(), runs: Vec::new(), columns: offsets(0..columns, 1) };
        }
        let whole = columns / length * length;
        Self {
            run: offsets(0..length, 1),
            runs: offsets(0..whole, length),
            columns: offsets(whole..columns, 1),
        }
    }
}

/// The outcome of one threshold in a tile.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// Some results are larger.
    any: bool,
    /// All results are larger.
    all: bool,
}

impl<C: Count> CountTile<C> {
    fn new(grid: BoxGrid, padded: &[u8], rank: C, height: usize, width: usize) -> Self {
        let mut samples = memory::filled(Aligned([0; SPAN]), height + grid.rows - 1);
        let span = width + (grid.columns - 1) * grid.column_step;
        for (row, to) in samples.iter_mut().enumerate() {
            to.0[..span].copy_from_slice(&padded[row * grid.row_step..][..span]);
        }
        let zero = C::default();
        let counts = Counts { columns: [zero; SPAN + REACH], runs: [zero; SPAN], sums: [zero; TILE_WIDTH] };
        let additions = Additions::new(grid.columns, grid.column_step);
        let above = memory::filled(Aligned([0; TILE_WIDTH]), height);
        Self { grid, rank, width, additions, samples, above, counts }
    }

    fn select(mut self, mut sink: impl FnMut(usize, &[u8])) {
        let everywhere = self.search(0, u8::MAX);
        for (row, Aligned(values)) in self.above.iter_mut().enumerate() {
            values.iter_mut().for_each(|value| *value = value.wrapping_add(everywhere));
            sink(row, &values[..self.width]);
        }
    }

    /// Try the thresholds in `low..high`; return how many of those not counted in `above` all results exceed.
    fn search(&mut self, low: u8, high: u8) -> u8 {
        if low >= high {
            return 0;
        }
        let middle = low + (high - low) / 2;
        let Found { any, all } = dispatch(Try { tile: self, threshold: middle });
        // Results above a threshold exceed all smaller ones; those that are not exceed no larger one.
        let below = if all { middle - low } else { self.search(low, middle) };
        below + if any { self.search(middle + 1, high) } else { 0 }
    }
}

/// Counts one threshold.
struct Try<'t, C> {
    tile: &'t mut CountTile<C>,
    threshold: u8,
}

impl<C: Count> Kernel for Try<'_, C> {
    type Output = Found;

    #[inline(always)]
    fn run(self) -> Found {
        let Self { tile, threshold } = self;
        let CountTile { grid, rank, width, additions, samples, above, counts } = tile;
        let rows = grid.rows;
        counts.columns = [C::default(); SPAN + REACH];
        for Aligned(samples) in &samples[..rows] {
            for (count, sample) in counts.columns.iter_mut().zip(samples) {
                *count += C::from(*sample <= threshold);
            }
        }
        // Places beyond the width must not affect the outcome.
        let (mut most, mut least) = ([0_u8; TILE_WIDTH], [1_u8; TILE_WIDTH]);
        for (row, Aligned(above)) in above.iter_mut().enumerate() {
            if row > 0 {
                let (gone, new) = (&samples[row - 1].0, &samples[row + rows - 1].0);
                for ((count, gone), new) in counts.columns.iter_mut().zip(gone).zip(new) {
                    *count += C::from(*new <= threshold);
                    *count -= C::from(*gone <= threshold);
                }
            }
            add_up(&mut counts.runs, &counts.columns, &additions.run, false);
            add_up(&mut counts.sums, &counts.runs, &additions.runs, false);
            add_up(&mut counts.sums, &counts.columns, &additions.columns, !additions.runs.is_empty());
            let sums = &counts.sums;
            for place in 0..TILE_WIDTH {
                let is_above = u8::from(sums[place] <= *rank);
                above[place] = above[place].wrapping_add(is_above);
                most[place] |= is_above;
                least[place] &= is_above;
            }
        }
        Found { any: most[..*width].contains(&1), all: !least[..*width].contains(&0) }
    }
}

/// Sum the counts at some offsets, on top of `to` if `more`.
#[inline(always)]
fn add_up<C: Count>(to: &mut [C], from: &[C], offsets: &[usize], more: bool) {
    for (part, offsets) in offsets.chunks(MAX_TERMS).enumerate() {
        let more = more || part > 0;
        match offsets.len() {
            1 => add_terms::<C, 1>(to, from, offsets, more),
            2 => add_terms::<C, 2>(to, from, offsets, more),
            3 => add_terms::<C, 3>(to, from, offsets, more),
            4 => add_terms::<C, 4>(to, from, offsets, more),
            5 => add_terms::<C, 5>(to, from, offsets, more),
            6 => add_terms::<C, 6>(to, from, offsets, more),
            7 => add_terms::<C, 7>(to, from, offsets, more),
            _ => add_terms::<C, MAX_TERMS>(to, from, offsets, more),
        }
    }
}

#[inline(always)]
fn add_terms<C: Count, const N: usize>(to: &mut [C], from: &[C], offsets: &[usize], more: bool) {
    let zeros = [C::default(); BLOCK];
    for (place, to) in to.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
        let mut terms = [&zeros; N];
        for (term, offset) in terms.iter_mut().zip(offsets) {
            *term = from[place * BLOCK + offset..][..BLOCK].try_into().expect("a block");
        }
        // A separate array shows the compiler that nothing overlaps.
        let mut sums = if more { *to } else { zeros };
        for (lane, sum) in sums.iter_mut().enumerate() {
            for term in terms {
                *sum += term[lane];
            }
        }
        *to = sums;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn counts_select_what_sorting_selects(
            rows in 1_usize..20, columns in 1_usize..20, step in 1_usize..5,
            height in 1_usize..60, width in 1_usize..300,
            spread in 1_u32..257, seed in any::<u32>(), at in any::<prop::sample::Index>(),
        ) {
            let row_step = width + (columns - 1) * step;
            let mut state = seed;
            let padded: Vec<u8> = (0..(height + rows - 1) * row_step).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((state >> 16) % spread) as u8
            }).collect();
            let rank = at.index(rows * columns);
            let grid = BoxGrid { rows, columns, row_step, column_step: step };
            prop_assume!(grid.is_countable());
            let plane = Plane { rows: Dim { len: height, padded: row_step, out: width }, width };
            let mut out = vec![0; height * width];
            let lines = std::iter::once(LineStart { padded: 0, out: 0 });
            grid.count(&padded, rank, plane, lines, &mut |place, values| {
                out[place..place + values.len()].copy_from_slice(values);
            });
            // A few pixels only, because sorting is slow.
            for pixel in (0..height * width).step_by(37) {
                let first = pixel / width * row_step + pixel % width;
                let mut window: Vec<u8> = (0..rows)
                    .flat_map(|row| (0..columns).map(move |column| first + row * row_step + column * step))
                    .map(|place| padded[place]).collect();
                window.sort_unstable();
                prop_assert_eq!(out[pixel], window[rank]);
            }
        }
    }
}
