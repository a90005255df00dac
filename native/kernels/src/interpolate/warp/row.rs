//! One row of a warp: its coordinates, and how its pixels are computed.

use crate::exec::simd::{Kernel, dispatch};
use crate::interpolate::edges::Edges;
use crate::interpolate::intervals::{Interval, covered, intersect, positions_within};
use crate::interpolate::options::Options;
use crate::interpolate::warp::map::Map;
use crate::memory;
use std::ops::Range;

/// Points of a list that are skipped at once if all of them lie inside.
const CHUNK: usize = 32;

/// The pixels of one row.
pub(super) struct WarpRow<const TAPS: usize> {
    width: usize,
    /// One row of coordinates per axis, except those that the map holds in memory.
    coordinates: Vec<f64>,
    /// Pixels outside this range have the fill value.
    pub covered: Range<usize>,
    /// Pixels that are computed without a border test; those also in `edges` are then overwritten.
    pub inside: Range<usize>,
    /// All other covered pixels.
    pub edges: Edges<TAPS>,
    /// Which points of a list lie outside the intervals.
    outside: Vec<bool>,
}

impl<const TAPS: usize> WarpRow<TAPS> {
    pub fn new(width: usize, rank: usize) -> Self {
        Self {
            width,
            coordinates: memory::zeros(width * rank),
            covered: 0..0,
            inside: 0..0,
            edges: Edges::new(rank),
            outside: Vec::new(),
        }
    }

    /// The coordinates of the pixels `inside` on an axis. For lists these include points outside an interval, whose
    /// results are overwritten.
    pub fn axis_inside<'r>(
        &'r self,
        map: &'r Map<'_>,
        row: &[usize],
        axis: usize,
        options: &Options,
    ) -> &'r [f64] {
        &on_axis(&self.coordinates, map, row, axis, self.width, options)[self.inside.clone()]
    }

    /// Classify the pixels of a row.
    ///
    /// `spatial` has length and stride of each axis; `intervals` tells where points have all taps inside, and is empty
    /// if none count as interior.
    pub fn place(
        &mut self,
        map: &Map<'_>,
        row: &[usize],
        spatial: &[(usize, usize)],
        intervals: &[Interval],
        options: &Options,
    ) {
        let width = self.width;
        map.prefetch_next_row(row, width);
        for (axis, to) in self.coordinates.chunks_exact_mut(width).enumerate() {
            if map.row_in_place(axis, row, options.pad, width).is_none() {
                map.row(axis, row, options.pad, to);
            }
        }
        self.edges.clear();
        (self.covered, self.inside) = (0..width, 0..if intervals.is_empty() { 0 } else { width });
        if map.is_monotonic() {
            let axes = self.coordinates.chunks_exact(width).zip(spatial);
            self.covered = covered(axes.map(|(coordinates, (len, _))| (coordinates, *len)), width, options);
            for (coordinates, interval) in self.coordinates.chunks_exact(width).zip(intervals) {
                self.inside =
                    intersect(self.inside.clone(), positions_within(coordinates, *interval).unwrap_or(0..0));
            }
            let inside = if self.inside.is_empty() {
                self.covered.start..self.covered.start
            } else {
                self.inside.clone()
            };
            for pixel in (self.covered.start..inside.start).chain(inside.end..self.covered.end) {
                self.edges.push(
                    pixel,
                    self.coordinates.iter().skip(pixel).step_by(width).copied(),
                    spatial,
                    options,
                );
            }
        } else {
            self.place_list(map, row, spatial, intervals, options);
        }
    }

    /// [`place`](Self::place) for points in any order.
    fn place_list(
        &mut self,
        map: &Map<'_>,
        row: &[usize],
        spatial: &[(usize, usize)],
        intervals: &[Interval],
        options: &Options,
    ) {
        let Self { width, coordinates, outside, edges, .. } = self;
        let on_axis = |axis| on_axis(coordinates, map, row, axis, *width, options);
        outside.clear();
        memory::resize(outside, *width, intervals.is_empty());
        for (axis, interval) in intervals.iter().enumerate() {
            dispatch(FindOutside { coordinates: on_axis(axis), interval: *interval, outside });
        }
        for pixel in marked_indices(outside) {
            edges.push(pixel, (0..spatial.len()).map(|axis| on_axis(axis)[pixel]), spatial, options);
        }
        if self.edges.len() == self.width {
            self.inside = 0..0;
        }
    }
}

/// The coordinates of a row on an axis: those of the map if it holds them, else the copy.
fn on_axis<'r>(
    copied: &'r [f64],
    map: &'r Map<'_>,
    row: &[usize],
    axis: usize,
    width: usize,
    options: &Options,
) -> &'r [f64] {
    map.row_in_place(axis, row, options.pad, width).unwrap_or_else(|| &copied[axis * width..][..width])
}

/// The indices of the set marks. Most points lie inside, so chunks without a mark are skipped.
pub(super) fn marked_indices(marks: &[bool]) -> impl Iterator<Item = usize> {
    let pieces = (0..).step_by(CHUNK).zip(marks.chunks(CHUNK));
    let pieces = pieces.filter(|(_, piece)| piece.iter().fold(false, |any, mark| any | mark));
    pieces.flat_map(|(first, piece)| first..first + piece.len()).filter(|place| marks[*place])
}

/// Marks the coordinates that are not in an interval, NaN included.
struct FindOutside<'a> {
    coordinates: &'a [f64],
    interval: Interval,
    outside: &'a mut [bool],
}

impl Kernel for FindOutside<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (low, high) = self.interval;
        for (outside, x) in self.outside.iter_mut().zip(self.coordinates) {
            *outside |= !((*x >= low) & (*x <= high));
        }
    }
}
