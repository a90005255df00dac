//! The points of a row: where their 2 × 2 neighbours start, and how far past the first of these they lie.

use crate::exec::simd::Kernel;
use crate::interpolate::linear_coords::LinearCoords;
use crate::memory::{self, CollectVec};
use std::ops::Range;

/// Pixels that are computed together.
pub(crate) const BLOCK: usize = 32;

/// The points of one row: the first of the four neighbours, and the distance from it.
#[derive(Debug)]
pub(crate) struct Points {
    /// Element offsets from the start of the plane. One block of arbitrary values follows, so that every block is full.
    pub starts: Vec<u32>,
    /// Vertical distance, 0 to 1; of the same length.
    pub down: Vec<f64>,
    /// Horizontal distance, 0 to 1; of the same length.
    pub right: Vec<f64>,
}

impl Points {
    /// Capacity for `len` points.
    pub fn new(len: usize) -> Self {
        let len = len + BLOCK;
        Self { starts: memory::zeros(len), down: memory::zeros(len), right: memory::zeros(len) }
    }

    /// A range of the points.
    pub fn part(&self, range: Range<usize>) -> PointsSlice<'_> {
        let after = range.start..range.end + BLOCK;
        let (down, right) = (&self.down[after.clone()], &self.right[after]);
        PointsSlice { starts: &self.starts[range], down, right, row_weights: None }
    }

    /// Both horizontal weights of every point in a range.
    pub fn weights(&self, range: Range<usize>) -> Vec<[f64; 2]> {
        self.right[range].iter().map(|right| tap_weights(*right)).collect_vec()
    }

    /// A range of points that all lie on one row, with vertical distance `down`. Their [`weights`](Self::weights) are
    /// passed in, because rows share them.
    pub fn with_constant_row<'a>(
        &'a self,
        range: Range<usize>,
        down: &'a [f64; BLOCK],
        weights: &'a [[f64; 2]],
    ) -> PointsSlice<'a> {
        PointsSlice { down, row_weights: Some(weights), ..self.part(range) }
    }
}

/// A range of points.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PointsSlice<'a> {
    pub starts: &'a [u32],
    pub down: &'a [f64],
    pub right: &'a [f64],
    /// Both horizontal weights, if all points have one vertical distance; `down` is then one block of that number.
    pub row_weights: Option<&'a [[f64; 2]]>,
}

impl<'a> PointsSlice<'a> {
    /// Split into parts of at most `len` points.
    #[inline(always)]
    pub fn chunks(self, len: usize) -> impl Iterator<Item = PointsSlice<'a>> {
        let parts = self.starts.chunks(len).zip(self.right.chunks(len));
        parts.enumerate().map(move |(number, (starts, right))| {
            let down = if self.row_weights.is_some() { self.down } else { &self.down[number * len..] };
            let row_weights = self.row_weights.map(|weights| &weights[number * len..]);
            PointsSlice { starts, down, right, row_weights }
        })
    }

    /// The distances of `LEN` points from index `at` on, at most a block.
    #[inline(always)]
    pub fn block<const LEN: usize>(&self, at: usize) -> [&'a [f64; LEN]; 2] {
        let block =
            |distances: &'a [f64]| distances.first_chunk().expect("a block lies after the last point");
        [
            block(if self.row_weights.is_some() { self.down } else { &self.down[at..] }),
            block(&self.right[at..]),
        ]
    }

    /// The distances of a block.
    #[inline(always)]
    pub fn whole(&self) -> (&'a [f64; BLOCK], &'a [f64; BLOCK]) {
        let block =
            |distances: &'a [f64]| distances.first_chunk().expect("a block lies after the last point");
        (block(self.down), block(self.right))
    }
}

/// Locates the neighbours of points, and marks the points outside, which are given some point inside.
///
/// A point on the last line counts as a full step past the last but one: its weights are then 0 and 1.
pub(crate) struct Locate<'a> {
    pub y: &'a [f64],
    pub x: &'a [f64],
    /// Where points are inside on each axis, within 0 and the last line; not empty.
    pub intervals: [(f64, f64); 2],
    /// Lengths of the axes, 2 to 2^31; the products of stride and length stay below 2^31 in total.
    pub lens: [usize; 2],
    pub strides: [usize; 2],
    pub points: &'a mut Points,
    pub outside: &'a mut [bool],
}

impl Kernel for Locate<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let finder = Finder::new(self.lens, self.strides);
        // Slices of one length: integers of half the width then advance in step with the floats.
        let count = self.outside.len();
        let (ys, xs) = (&self.y[..count], &self.x[..count]);
        let Points { starts, down, right } = self.points;
        let (starts, down, right) = (&mut starts[..count], &mut down[..count], &mut right[..count]);
        let [(top, bottom), (left, end)] = self.intervals;
        for i in 0..count {
            let (y, x) = (ys[i], xs[i]);
            // NaN is outside.
            let inside = (y >= top) & (y <= bottom) & (x >= left) & (x <= end);
            self.outside[i] = !inside;
            let (y, x) = if inside { (y, x) } else { (top, left) };
            (starts[i], down[i], right[i]) = finder.find(y, x);
        }
    }
}

/// [`Locate`] for rows with linear coordinates.
pub(crate) struct LocateLinear<'a> {
    pub rows: &'a [LinearRow],
    /// As in [`Locate`].
    pub lens: [usize; 2],
    pub strides: [usize; 2],
    pub points: &'a mut Points,
}

/// A row with linear coordinates.
pub(crate) struct LinearRow {
    pub y: LinearCoords,
    pub x: LinearCoords,
    /// At least one.
    pub positions: Range<usize>,
    /// The index of its first point; there must be capacity for all positions.
    pub at: usize,
}

impl Kernel for LocateLinear<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let finder = Finder::new(self.lens, self.strides);
        for LinearRow { y, x, positions, at } in self.rows {
            // Repeat the last position to fill a block: handling the rest of a short row one by one costs more.
            let range = *at..at + positions.len().next_multiple_of(BLOCK);
            let Points { starts, down, right } = &mut *self.points;
            let (starts, down) = (&mut starts[range.clone()], &mut down[range.clone()]);
            let right = &mut right[range.clone()];
            // A position below 2^31 is exact as i32, which every level converts to f64 in one instruction.
            let (first, last) = (positions.start as i32, positions.end as i32 - 1);
            for i in 0..range.len() {
                let position = f64::from((first + i as i32).min(last));
                let (y, x) = (y.start + position * y.step, x.start + position * x.step);
                (starts[i], down[i], right[i]) = finder.find(y, x);
            }
        }
    }
}

/// Computes the start and distances of a point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finder {
    last: [i32; 2],
    strides: [f64; 2],
}

impl Finder {
    /// For an image of these lengths, 2 to 2^31; the products of stride and length stay below 2^31 in total.
    #[inline(always)]
    pub fn new(lens: [usize; 2], strides: [usize; 2]) -> Self {
        // Integers below 2^31 are exact in f64, where they multiply faster than in integer registers.
        Self { last: lens.map(|len| len as i32 - 2), strides: strides.map(|stride| stride as f64) }
    }

    /// The offset of the first neighbour, and the vertical and horizontal distance from it.
    #[inline(always)]
    pub fn find(&self, y: f64, x: f64) -> (u32, f64, f64) {
        // SAFETY: callers pass coordinates from 0 to a length below 2^31. They are not negative, so truncation is
        // `floor`.
        let (row, column) = unsafe { (y.to_int_unchecked::<i32>(), x.to_int_unchecked::<i32>()) };
        let (row, column) = (f64::from(row.min(self.last[0])), f64::from(column.min(self.last[1])));
        let offset = row * self.strides[0] + column * self.strides[1];
        // SAFETY: the offset of an element, below 2^31.
        let start = unsafe { offset.to_int_unchecked::<i32>() } as u32;
        (start, y - row, x - column)
    }
}

/// Both weights on an axis for a point at this distance from the first neighbour.
#[inline(always)]
pub(in crate::interpolate) fn tap_weights(after: f64) -> [f64; 2] {
    let first = 1.0 - after;
    [first, 1.0 - first]
}
