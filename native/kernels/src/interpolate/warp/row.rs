//! One row of a warp: its coordinates, and how its pixels are computed.

use crate::border::Border;
use crate::exec::simd::{Kernel, dispatch};
use crate::interpolate::edges::Edges;
use crate::interpolate::intervals::{Interval, covered, intersect, positions_within};
use crate::interpolate::linear_coords::{LinearAxis, LinearCoords, POINTS};
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
    /// The coordinates on each axis that a kernel computes by itself, and the position of the first pixel.
    linear: Vec<(LinearCoords, usize)>,
}

/// The coordinates of some pixels of a row on one axis.
#[derive(Debug, Clone, Copy)]
pub(super) enum RowAxis<'a> {
    /// In memory.
    List(&'a [f64]),
    /// To be computed.
    Linear(LinearAxis),
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
            linear: Vec::new(),
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

    /// The same after [`place_points`](Self::place_points).
    pub fn points_inside<'r>(
        &'r self,
        map: &'r Map<'_>,
        row: &[usize],
        axis: usize,
        options: &Options,
    ) -> RowAxis<'r> {
        match self.linear.get(axis) {
            Some((coords, first)) => {
                let first = (first + self.inside.start) as i32;
                RowAxis::Linear(LinearAxis { coords: *coords, first })
            }
            None => RowAxis::List(self.axis_inside(map, row, axis, options)),
        }
    }

    /// [`place`](Self::place), which leaves the coordinates of an affine map to those who use them.
    pub fn place_points(
        &mut self,
        map: &Map<'_>,
        row: &[usize],
        spatial: &[(usize, usize)],
        intervals: &[Interval],
        options: &Options,
    ) {
        self.linear.clear();
        memory::extend(&mut self.linear, (0..spatial.len()).map_while(|axis| map.linear_row(axis, row)));
        let are_finite =
            self.linear.iter().all(|(coords, _)| coords.start.is_finite() && coords.step.is_finite());
        let end = self.linear.first().map_or(0, |(_, first)| first + self.width);
        if self.linear.is_empty() || !are_finite || options.pad != 0 || end > i32::MAX as usize - POINTS {
            self.linear.clear();
            self.place(map, row, spatial, intervals, options);
            return;
        }
        let range = end - self.width..end;
        let (mut covered, mut inside) = (range.clone(), range);
        if options.border == Border::Constant {
            for ((coords, _), (len, _)) in self.linear.iter().zip(spatial) {
                covered = coords.between(covered, 0.0, *len as f64 - 1.0);
            }
        }
        // Often what is covered lies inside.
        let reach = |(len, _): &(usize, usize)| (0.0, *len as f64 - 1.0);
        if options.border == Border::Constant && spatial.iter().map(reach).eq(intervals.iter().copied()) {
            inside = covered.clone();
        } else if intervals.is_empty() {
            inside = 0..0;
        } else {
            for ((coords, _), (low, high)) in self.linear.iter().zip(intervals) {
                inside = coords.between(inside, *low, *high);
            }
        }
        let first = end - self.width;
        let on_row = |range: Range<usize>| {
            if range.is_empty() { 0..0 } else { range.start - first..range.end - first }
        };
        (self.covered, self.inside) = (on_row(covered), on_row(inside));
        self.edges.clear();
        let inside =
            if self.inside.is_empty() { self.covered.start..self.covered.start } else { self.inside.clone() };
        for pixel in (self.covered.start..inside.start).chain(inside.end..self.covered.end) {
            let point = self.linear.iter().map(|(coords, _)| coords.at(first + pixel));
            self.edges.push(pixel, point, spatial, options);
        }
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
