//! Order 1 on three axes, with the blocks of [`trilinear`](crate::interpolate::trilinear).

use crate::array::sample::Sample;
use crate::interpolate::intervals::{Interval, linear_interior_of, reaches_last_sample};
use crate::interpolate::trilinear::{VolumePoints, VolumeSpan};
use crate::interpolate::warp::row::{RowAxis, WarpRow};
use crate::interpolate::warp::source::Warp;
use crate::memory::CollectVec;
use crate::walk::rows::{RowMaker, RowWorker};

/// Makes rows of a warp of order 1 with three axes, of an image of fewer than 2^31 elements.
pub(super) struct LinearVolume<'p, 'm, T: Sample>(pub Warp<'p, 'm, T>);

impl<T: Sample> RowMaker for LinearVolume<'_, '_, T> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        let warp @ Warp { options, width, .. } = &self.0;
        let to_last = reaches_last_sample(T::FINITE, options);
        let interval = |axis: usize| linear_interior_of(warp.samples(axis), warp.spatial()[axis].0, to_last);
        let mut intervals = (0..3).map_while(interval).collect_vec();
        if intervals.len() < 3 {
            intervals.clear();
        }
        Box::new(LinearVolumeWorker {
            warp,
            intervals,
            row: WarpRow::new(*width, 3),
            points: VolumePoints::new(*width),
        })
    }
}

struct LinearVolumeWorker<'w, 'p, 'm, T: Sample> {
    warp: &'w Warp<'p, 'm, T>,
    /// Where all neighbours lie inside, on each axis; empty if nowhere.
    intervals: Vec<Interval>,
    row: WarpRow<2>,
    points: VolumePoints,
}

impl<T: Sample> LinearVolumeWorker<'_, '_, '_, T> {
    fn fill_any<O: Sample>(&self, outer: &[usize], to: &mut [O]) {
        let Warp { pixels, options, .. } = self.warp;
        let (planes, fill) = (pixels.inner.len(), O::from_f64_rounded(options.fill));
        let WarpRow { covered, inside, edges, .. } = &self.row;
        to[..covered.start * planes].fill(fill);
        to[covered.end * planes..].fill(fill);
        let blended = &mut to[inside.start * planes..inside.end * planes];
        self.points.blend(pixels, pixels.outer_offset(outer), blended);
        self.warp.sum_edges(edges, outer, to);
    }
}

impl<T: Sample> RowWorker for LinearVolumeWorker<'_, '_, '_, T> {
    fn start(&mut self, row: &[usize]) {
        let warp @ Warp { pixels, map, options, .. } = self.warp;
        self.row.place_points(map, row, warp.spatial(), &self.intervals, options);
        let [z, y, x] = self.intervals[..] else { return };
        let count = self.row.inside.len();
        let axis = |axis: usize| self.row.points_inside(map, row, axis, options);
        let span = |axis: usize, interval: Interval| VolumeSpan {
            interval,
            last_first: warp.samples(axis).end - 2,
            stride: pixels.spatial[axis].1,
            offset_of_first: warp.offset_of_first(axis),
        };
        let spans = [span(0, z), span(1, y), span(2, x)];
        match [axis(0), axis(1), axis(2)] {
            [RowAxis::Linear(z), RowAxis::Linear(y), RowAxis::Linear(x)] => {
                self.points.find([z, y, x], count, spans);
            }
            [RowAxis::List(z), RowAxis::List(y), RowAxis::List(x)] => {
                self.points.find([&z[..count], &y[..count], &x[..count]], count, spans);
            }
            _ => unreachable!("all axes have coordinates of one kind"),
        }
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        self.fill_any(outer, to);
    }

    fn fill_bytes(&mut self, outer: &[usize], to: &mut [u8]) -> bool {
        self.fill_any(outer, to);
        true
    }

    fn fill_floats(&mut self, outer: &[usize], to: &mut [f32]) -> bool {
        self.fill_any(outer, to);
        true
    }
}
