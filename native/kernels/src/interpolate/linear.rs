//! Order 1 at points in any order, on two axes: the blocks of `bilinear.rs` for what lies inside.

use super::Warp;
use super::edges::{Edges, SumEdges};
use super::row::{Interval, blended, blends_to_the_end};
use crate::bilinear::{Locate, Part, Points};
use crate::rows::{Pixels, RowMaker, RowWorker};
use crate::sample::Sample;
use crate::simd::dispatch;

/// Points that are passed over at once if all of them lie inside.
const SKIPPED: usize = 32;

/// Makes the rows of a list of points on two axes, of an image of fewer than 2^31 elements.
pub(super) struct Linear<'p, 'm, T: Sample>(pub Warp<'p, 'm, T>);

impl<T: Sample> RowMaker for Linear<'_, '_, T> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        let Warp { pixels, options, width, .. } = &self.0;
        let to_the_end = blends_to_the_end(T::FINITE, options);
        let interval = |axis: usize| blended(pixels.spatial[axis].0, to_the_end);
        Box::new(Worker {
            warp: &self.0,
            intervals: interval(0).zip(interval(1)).map(|(y, x)| [y, x]),
            coordinates: [vec![0.0; *width], vec![0.0; *width]],
            points: Points::new(*width),
            outside: vec![true; *width],
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
    /// Those outside.
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
        let Warp { pixels, options, width, .. } = self.warp;
        let base = pixels.outer_offset(outer);
        if self.edges.len() < *width {
            blend(pixels, base, self.points.part(0..*width), to);
        }
        dispatch(SumEdges { edges: &self.edges, pixels, base, fill: options.fill, to });
    }
}

impl<T: Sample> RowWorker for Worker<'_, '_, '_, T> {
    fn start(&mut self, row: &[usize]) {
        let Warp { pixels, map, options, width } = self.warp;
        let [y, x] = &mut self.coordinates;
        let [y, x] = [(0, y), (1, x)].map(|(axis, copy)| {
            map.row_in_place(axis, row, options.pad, *width).unwrap_or_else(|| {
                map.row(axis, row, options.pad, copy);
                copy
            })
        });
        if let Some(intervals) = self.intervals {
            dispatch(Locate {
                y,
                x,
                intervals,
                lens: [pixels.spatial[0].0, pixels.spatial[1].0],
                strides: [pixels.spatial[0].1, pixels.spatial[1].1],
                points: &mut self.points,
                outside: &mut self.outside,
            });
        }
        self.edges.clear();
        // Most points lie inside: whole pieces of the row are passed over.
        for (piece, outside) in self.outside.chunks(SKIPPED).enumerate() {
            if outside.iter().fold(false, |any, outside| any | outside) {
                for pixel in (piece * SKIPPED..).zip(outside).filter_map(|(i, outside)| outside.then_some(i))
                {
                    self.edges.push(pixel, [y[pixel], x[pixel]], &pixels.spatial, options);
                }
            }
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
