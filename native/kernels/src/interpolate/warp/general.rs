//! Any order on any number of axes.

use crate::array::sample::Sample;
use crate::exec::simd::dispatch;
use crate::interpolate::intervals::{Interval, interior};
use crate::interpolate::warp::approx::{ApproxInterior, InteriorPoints, can_approximate, error_bound};
use crate::interpolate::warp::inside::{AxisSpan, InteriorTaps, MAX_RANK, SumInterior};
use crate::interpolate::warp::row::WarpRow;
use crate::interpolate::warp::source::Warp;
use crate::memory::CollectVec;
use crate::walk::rows::{RowMaker, RowWorker};

/// Makes the rows of a warp of order `TAPS - 1`.
pub(super) struct GeneralWarp<'p, 'm, T: Sample, const TAPS: usize> {
    warp: Warp<'p, 'm, T>,
    /// The error bound of approximate sums; `None` if there are none.
    error_bound: Option<f64>,
}

impl<'p, 'm, T: Sample, const TAPS: usize> GeneralWarp<'p, 'm, T, TAPS> {
    /// Outputs of type `f64` are not approximated.
    pub fn new(warp: Warp<'p, 'm, T>, is_narrow: bool) -> Self {
        let elements = T::as_doubles(warp.pixels.elements());
        let approximated = elements.filter(|_| is_narrow && can_approximate::<T, TAPS>(&warp.pixels));
        let error_bound = approximated.and_then(error_bound);
        Self { warp, error_bound }
    }
}

impl<T: Sample, const TAPS: usize> RowMaker for GeneralWarp<'_, '_, T, TAPS> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        let warp @ Warp { pixels, width, .. } = &self.warp;
        let rank = pixels.spatial.len();
        let mut intervals = (0..rank).map_while(|axis| interior::<TAPS>(warp.samples(axis))).collect_vec();
        if intervals.len() < rank || rank > MAX_RANK {
            intervals.clear();
        }
        let capacity = if intervals.is_empty() { 0 } else { *width };
        Box::new(GeneralWorker {
            warp: &self.warp,
            error_bound: self.error_bound,
            intervals,
            row: WarpRow::<TAPS>::new(*width, rank),
            taps: InteriorTaps::<TAPS>::new(if self.error_bound.is_none() { capacity } else { 0 }, rank),
            approx_points: InteriorPoints::<TAPS>::new(
                if self.error_bound.is_some() { capacity } else { 0 },
                rank,
            ),
        })
    }
}

struct GeneralWorker<'w, 'p, 'm, T: Sample, const TAPS: usize> {
    warp: &'w Warp<'p, 'm, T>,
    error_bound: Option<f64>,
    /// Where all taps lie inside, on each axis; empty if there is no loop for interior points.
    intervals: Vec<Interval>,
    row: WarpRow<TAPS>,
    taps: InteriorTaps<TAPS>,
    /// Used instead of `taps` where sums are approximated.
    approx_points: InteriorPoints<TAPS>,
}

impl<T: Sample, const TAPS: usize> RowWorker for GeneralWorker<'_, '_, '_, T, TAPS> {
    fn start(&mut self, row: &[usize]) {
        let warp @ Warp { pixels, map, options, .. } = self.warp;
        self.row.place(map, row, warp.spatial(), &self.intervals, options);
        // Without such a loop no points count as interior.
        for (axis, interval) in self.intervals.iter().enumerate() {
            let (_, stride) = pixels.spatial[axis];
            let span = AxisSpan { interval: *interval, stride, offset_of_first: warp.offset_of_first(axis) };
            let coordinates = self.row.axis_inside(map, row, axis, options);
            match self.error_bound {
                Some(_) => self.approx_points.find(axis, coordinates, span),
                None => self.taps.find(axis, coordinates, span),
            }
        }
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        assert!(self.error_bound.is_none(), "only narrower types are approximated");
        let Warp { pixels, options, .. } = self.warp;
        let planes = pixels.inner.len();
        let (base, fill) = (pixels.outer_offset(outer), options.fill);
        to[..self.row.covered.start * planes].fill(fill);
        to[self.row.covered.end * planes..].fill(fill);
        let inside = &mut to[self.row.inside.start * planes..self.row.inside.end * planes];
        if !inside.is_empty() {
            dispatch(SumInterior { taps: &self.taps, pixels, base, to: inside });
        }
        self.warp.sum_edges(&self.row.edges, outer, to);
    }

    fn fill_floats(&mut self, outer: &[usize], to: &mut [f32]) -> bool {
        self.fill_approx(outer, to)
    }

    fn fill_bytes(&mut self, outer: &[usize], to: &mut [u8]) -> bool {
        self.fill_approx(outer, to)
    }
}

impl<T: Sample, const TAPS: usize> GeneralWorker<'_, '_, '_, T, TAPS> {
    /// Like `fill`, stored with the rounding cast; false if sums are not approximated.
    fn fill_approx<O: Sample>(&mut self, outer: &[usize], to: &mut [O]) -> bool {
        if const { TAPS <= 2 } {
            return false;
        }
        let Warp { pixels, options, .. } = self.warp;
        let (Some(error_bound), Some(elements)) = (self.error_bound, T::as_doubles(pixels.elements())) else {
            return false;
        };
        let planes = pixels.inner.len();
        let (base, fill) = (pixels.outer_offset(outer), options.fill);
        to[..self.row.covered.start * planes].fill(O::from_f64_rounded(fill));
        to[self.row.covered.end * planes..].fill(O::from_f64_rounded(fill));
        let inside = &mut to[self.row.inside.start * planes..self.row.inside.end * planes];
        let elements = elements.get(base..).unwrap_or_default();
        let (points, spatial, inner) = (&self.approx_points, &pixels.spatial, &pixels.inner);
        dispatch(ApproxInterior { points, elements, spatial, inner, error_bound, to: inside });
        self.warp.sum_edges(&self.row.edges, outer, to);
        true
    }
}
