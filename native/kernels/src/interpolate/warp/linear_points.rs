//! Order 1 at points in any order, on two axes: the blocks of `bilinear.rs` for what lies inside.

use super::Warp;
use super::edges::Edges;
use super::row::{Interval, alive, blended, blends_to_the_end, marked};
use crate::array::sample::Sample;
use crate::exec::simd::dispatch;
use crate::interpolate::bilinear::{Locate, Part, Points};
use crate::memory;
use crate::walk::rows::{Pixels, RowMaker, RowWorker};
use std::ops::Range;

/// Makes the rows of a list of points on two axes, of an image of fewer than 2^31 elements.
pub(super) struct Linear<'p, 'm, T: Sample>(pub Warp<'p, 'm, T>);

impl<T: Sample> RowMaker for Linear<'_, '_, T> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        let warp @ Warp { options, width, .. } = &self.0;
        let to_the_end = blends_to_the_end(T::FINITE, options);
        let interval = |axis: usize| blended(warp.samples(axis), warp.spatial()[axis].0, to_the_end);
        Box::new(Worker {
            warp: &self.0,
            intervals: interval(0).zip(interval(1)).map(|(y, x)| [y, x]),
            coordinates: [memory::zeros(*width), memory::zeros(*width)],
            points: Points::new(*width),
            outside: memory::filled(true, *width),
            alive: 0..0,
            edges: Edges::new(2),
        })
    }
}

struct Worker<'w, 'p, 'm, T: Sample> {
    warp: &'w Warp<'p, 'm, T>,
    /// Where two by two neighbours lie inside, on each axis; `None` if they never do.
    intervals: Option<[Interval; 2]>,
    /// Room for those of the row on each axis.
    coordinates: [Vec<f64>; 2],
    /// All points of the row; those outside go along with the others, to be overwritten.
    points: Points,
    outside: Vec<bool>,
    /// The pixels beyond which there is nothing but the fill value.
    alive: Range<usize>,
    /// Those of them that lie outside.
    edges: Edges<2>,
}

impl<'p, T: Sample> Worker<'_, 'p, '_, T> {
    /// Fill a row: what lies inside by `blend`, from the first element of a plane on.
    fn fill_any<O: Sample>(
        &self,
        outer: &[usize],
        to: &mut [O],
        blend: impl FnOnce(&Pixels<'p, T>, usize, Part<'_>, &mut [O]),
    ) {
        let Warp { pixels, options, .. } = self.warp;
        let (planes, alive, fill) =
            (pixels.inner.len(), self.alive.clone(), O::from_f64_rounded(options.fill));
        to[..alive.start * planes].fill(fill);
        to[alive.end * planes..].fill(fill);
        if self.edges.len() < alive.len() {
            let to = &mut to[alive.start * planes..alive.end * planes];
            blend(pixels, pixels.outer_offset(outer), self.points.part(alive), to);
        }
        self.warp.sum_edges(&self.edges, outer, to);
    }
}

impl<T: Sample> RowWorker for Worker<'_, '_, '_, T> {
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
            let skipped = (warp.skipped(0) + warp.skipped(1)) as u32;
            if skipped > 0 {
                self.points.starts[..*width].iter_mut().for_each(|start| *start -= skipped);
            }
        }
        self.edges.clear();
        self.alive = 0..*width;
        if map.only_rises_or_falls() {
            let [(height, _), (length, _)] = *warp.spatial() else { return };
            self.alive = alive([(y, height), (x, length)], *width, options);
        }
        for place in marked(&self.outside[self.alive.clone()]) {
            let pixel = self.alive.start + place;
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
