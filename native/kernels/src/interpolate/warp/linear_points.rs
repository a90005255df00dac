//! Order 1 at points in any order, on two axes, with the blocks of [`bilinear`](crate::interpolate::bilinear).

use crate::array::pixels::Pixels;
use crate::array::sample::Sample;
use crate::exec::simd::dispatch;
use crate::interpolate::bilinear::points::{Locate, Points, PointsSlice};
use crate::interpolate::edges::Edges;
use crate::interpolate::intervals::{Interval, covered, linear_interior_of, reaches_last_sample};
use crate::interpolate::warp::row::marked_indices;
use crate::interpolate::warp::source::Warp;
use crate::memory;
use crate::walk::rows::{RowMaker, RowWorker};
use std::ops::Range;

/// Makes the rows of a list of points on two axes, for an image of fewer than 2^31 elements.
pub(super) struct LinearPoints<'p, 'm, T: Sample>(pub Warp<'p, 'm, T>);

impl<T: Sample> RowMaker for LinearPoints<'_, '_, T> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        let warp @ Warp { options, width, .. } = &self.0;
        let to_last = reaches_last_sample(T::FINITE, options);
        let interval = |axis: usize| linear_interior_of(warp.samples(axis), warp.spatial()[axis].0, to_last);
        Box::new(LinearPointsWorker {
            warp: &self.0,
            intervals: interval(0).zip(interval(1)).map(|(y, x)| [y, x]),
            coordinates: [memory::zeros(*width), memory::zeros(*width)],
            points: Points::new(*width),
            outside: memory::filled(true, *width),
            covered: 0..0,
            edges: Edges::new(2),
        })
    }
}

struct LinearPointsWorker<'w, 'p, 'm, T: Sample> {
    warp: &'w Warp<'p, 'm, T>,
    /// Where the 2 × 2 neighbours lie inside, on each axis; `None` if nowhere.
    intervals: Option<[Interval; 2]>,
    /// Workspace for the coordinates of a row on each axis.
    coordinates: [Vec<f64>; 2],
    /// All points of the row; those outside are computed too, and overwritten.
    points: Points,
    outside: Vec<bool>,
    /// Pixels outside this range have the fill value.
    covered: Range<usize>,
    /// Covered pixels whose neighbours are not all inside.
    edges: Edges<2>,
}

impl<'p, T: Sample> LinearPointsWorker<'_, 'p, '_, T> {
    /// Fill a row; `blend` fills its interior from the plane at the given offset.
    fn fill_any<O: Sample>(
        &self,
        outer: &[usize],
        to: &mut [O],
        blend: impl FnOnce(&Pixels<'p, T>, usize, PointsSlice<'_>, &mut [O]),
    ) {
        let Warp { pixels, options, .. } = self.warp;
        let (planes, covered, fill) =
            (pixels.inner.len(), self.covered.clone(), O::from_f64_rounded(options.fill));
        to[..covered.start * planes].fill(fill);
        to[covered.end * planes..].fill(fill);
        if self.edges.len() < covered.len() {
            let to = &mut to[covered.start * planes..covered.end * planes];
            blend(pixels, pixels.outer_offset(outer), self.points.part(covered), to);
        }
        self.warp.sum_edges(&self.edges, outer, to);
    }
}

impl<T: Sample> RowWorker for LinearPointsWorker<'_, '_, '_, T> {
    fn start(&mut self, row: &[usize]) {
        let warp @ Warp { pixels, map, options, width, .. } = self.warp;
        let [y, x] = &mut self.coordinates;
        let [y, x] = [(0, y), (1, x)].map(|(axis, copy)| {
            map.row_in_place(axis, row, options.pad, *width).unwrap_or_else(|| {
                map.row(axis, row, options.pad, copy);
                copy
            })
        });
        if let Some(intervals) = self.intervals {
            let (lens, strides) =
                ([0, 1].map(|axis| warp.samples(axis).end), [0, 1].map(|axis| pixels.spatial[axis].1));
            let (points, outside) = (&mut self.points, &mut self.outside);
            dispatch(Locate { y, x, intervals, lens, strides, points, outside });
            let offset_of_first = (warp.offset_of_first(0) + warp.offset_of_first(1)) as u32;
            if offset_of_first > 0 {
                self.points.starts[..*width].iter_mut().for_each(|start| *start -= offset_of_first);
            }
        }
        self.edges.clear();
        self.covered = 0..*width;
        if map.is_monotonic() {
            let [(height, _), (length, _)] = *warp.spatial() else { return };
            self.covered = covered([(y, height), (x, length)], *width, options);
        }
        for place in marked_indices(&self.outside[self.covered.clone()]) {
            let pixel = self.covered.start + place;
            self.edges.push(pixel, [y[pixel], x[pixel]], warp.spatial(), options);
        }
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        self.fill_any(outer, to, Pixels::blend);
    }

    fn fill_floats(&mut self, outer: &[usize], to: &mut [f32]) -> bool {
        self.fill_any(outer, to, Pixels::blend);
        true
    }

    fn fill_bytes(&mut self, outer: &[usize], to: &mut [u8]) -> bool {
        if !self.warp.pixels.blends_bytes() {
            return false;
        }
        self.fill_any(outer, to, Pixels::blend_bytes);
        true
    }
}
