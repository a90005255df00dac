//! Order 1 at points in any order, on two axes: the blocks of `bilinear.rs` for what lies inside.

use super::Warp;
use super::edges::SumEdges;
use super::row::{Interval, Row, blended, blends_to_the_end};
use crate::bilinear::{Locate, Part, Points};
use crate::rows::{Pixels, RowMaker, RowWorker};
use crate::sample::Sample;
use crate::simd::dispatch;

/// Makes the rows of a list of points on two axes, of an image of fewer than 2^31 elements.
pub(super) struct Linear<'p, 'm, T: Sample>(pub Warp<'p, 'm, T>);

impl<T: Sample> RowMaker for Linear<'_, '_, T> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        let Warp { pixels, options, width, .. } = &self.0;
        let to_the_end = blends_to_the_end(T::FINITE, options);
        let intervals: Option<Vec<Interval>> =
            pixels.spatial.iter().map(|(len, _)| blended(*len, to_the_end)).collect();
        Box::new(Worker {
            warp: &self.0,
            intervals: intervals.unwrap_or_default(),
            row: Row::new(*width, 2),
            points: Points::new(*width),
        })
    }
}

struct Worker<'w, 'p, 'm, T: Sample> {
    warp: &'w Warp<'p, 'm, T>,
    /// Where two by two neighbours lie inside, on each axis.
    intervals: Vec<Interval>,
    row: Row<2>,
    points: Points,
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
        let (planes, base, inside) =
            (pixels.inner.len(), pixels.outer_offset(outer), self.row.inside.clone());
        let points = self.points.part(inside.clone());
        // All points of a list count as alive.
        blend(pixels, base, points, &mut to[inside.start * planes..inside.end * planes]);
        dispatch(SumEdges { edges: &self.row.edges, pixels, base, fill: options.fill, to });
    }
}

impl<T: Sample> RowWorker for Worker<'_, '_, '_, T> {
    fn start(&mut self, row: &[usize]) {
        let Warp { pixels, map, options, .. } = self.warp;
        self.row.place(map, row, &pixels.spatial, &self.intervals, options);
        let range = self.row.inside.clone();
        let mut axes = self.row.axes_inside();
        let (Some(y), Some(x)) = (axes.next(), axes.next()) else { return };
        dispatch(Locate {
            y,
            x,
            lens: [pixels.spatial[0].0, pixels.spatial[1].0],
            strides: [pixels.spatial[0].1, pixels.spatial[1].1],
            starts: &mut self.points.starts[range.clone()],
            down: &mut self.points.down[range.clone()],
            right: &mut self.points.right[range],
        });
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
