//! Any order on any number of axes.

use super::Warp;
use super::approx::{GuessInside, Places, bound, can_guess};
use super::inside::{Inside, MAX_RANK, Span, SumInside};
use super::row::{Interval, Row, whole};
use crate::array::sample::Sample;
use crate::exec::simd::dispatch;
use crate::memory::CollectVec;
use crate::walk::rows::{RowMaker, RowWorker};

/// Makes the rows of a warp of the order `TAPS - 1`.
pub(super) struct Taps<'p, 'm, T: Sample, const TAPS: usize> {
    warp: Warp<'p, 'm, T>,
    /// By how much a guess may be off; `None` where none is made.
    bound: Option<f64>,
}

impl<'p, 'm, T: Sample, const TAPS: usize> Taps<'p, 'm, T, TAPS> {
    /// For an output of the type `f64` there is nothing to be guessed.
    pub fn new(warp: Warp<'p, 'm, T>, is_narrow: bool) -> Self {
        let elements = T::as_doubles(warp.pixels.elements());
        let guessed = elements.filter(|_| is_narrow && can_guess::<T, TAPS>(&warp.pixels));
        let bound = guessed.and_then(bound);
        Self { warp, bound }
    }
}

impl<T: Sample, const TAPS: usize> RowMaker for Taps<'_, '_, T, TAPS> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        let warp @ Warp { pixels, width, .. } = &self.warp;
        let rank = pixels.spatial.len();
        let mut intervals = (0..rank).map_while(|axis| whole::<TAPS>(warp.samples(axis))).collect_vec();
        if intervals.len() < rank || rank > MAX_RANK {
            intervals.clear();
        }
        let room = if intervals.is_empty() { 0 } else { *width };
        Box::new(Worker {
            warp: &self.warp,
            bound: self.bound,
            intervals,
            row: Row::<TAPS>::new(*width, rank),
            points: Inside::<TAPS>::new(if self.bound.is_none() { room } else { 0 }, rank),
            places: Places::<TAPS>::new(if self.bound.is_some() { room } else { 0 }, rank),
        })
    }
}

struct Worker<'w, 'p, 'm, T: Sample, const TAPS: usize> {
    warp: &'w Warp<'p, 'm, T>,
    bound: Option<f64>,
    /// Where all taps lie inside, on each axis; empty where there is no way for such points.
    intervals: Vec<Interval>,
    row: Row<TAPS>,
    points: Inside<TAPS>,
    /// In place of `points`, where there are guesses.
    places: Places<TAPS>,
}

impl<T: Sample, const TAPS: usize> RowWorker for Worker<'_, '_, '_, T, TAPS> {
    fn start(&mut self, row: &[usize]) {
        let warp @ Warp { pixels, map, options, .. } = self.warp;
        self.row.place(map, row, warp.spatial(), &self.intervals, options);
        // Without a way for them, no points are inside.
        for (axis, interval) in self.intervals.iter().enumerate() {
            let (_, stride) = pixels.spatial[axis];
            let span = Span { interval: *interval, stride, skipped: warp.skipped(axis) };
            let coordinates = self.row.axis_inside(map, row, axis, options);
            match self.bound {
                Some(_) => self.places.find(axis, coordinates, span),
                None => self.points.find(axis, coordinates, span),
            }
        }
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        assert!(self.bound.is_none(), "guesses are for other types of samples");
        let Warp { pixels, options, .. } = self.warp;
        let planes = pixels.inner.len();
        let (base, fill) = (pixels.outer_offset(outer), options.fill);
        to[..self.row.alive.start * planes].fill(fill);
        to[self.row.alive.end * planes..].fill(fill);
        let inside = &mut to[self.row.inside.start * planes..self.row.inside.end * planes];
        if !inside.is_empty() {
            dispatch(SumInside { points: &self.points, pixels, base, to: inside });
        }
        self.warp.sum_edges(&self.row.edges, outer, to);
    }

    fn fill_floats(&mut self, outer: &[usize], to: &mut [f32]) -> bool {
        self.fill_guessed(outer, to)
    }

    fn fill_bytes(&mut self, outer: &[usize], to: &mut [u8]) -> bool {
        self.fill_guessed(outer, to)
    }
}

impl<T: Sample, const TAPS: usize> Worker<'_, '_, '_, T, TAPS> {
    /// As `fill`, stored by the rounding cast; false where there are no guesses.
    fn fill_guessed<O: Sample>(&mut self, outer: &[usize], to: &mut [O]) -> bool {
        if const { TAPS <= 2 } {
            return false;
        }
        let Warp { pixels, options, .. } = self.warp;
        let (Some(bound), Some(elements)) = (self.bound, T::as_doubles(pixels.elements())) else {
            return false;
        };
        let planes = pixels.inner.len();
        let (base, fill) = (pixels.outer_offset(outer), options.fill);
        to[..self.row.alive.start * planes].fill(O::from_f64_rounded(fill));
        to[self.row.alive.end * planes..].fill(O::from_f64_rounded(fill));
        let inside = &mut to[self.row.inside.start * planes..self.row.inside.end * planes];
        let elements = elements.get(base..).unwrap_or_default();
        let (places, spatial, inner) = (&self.places, &pixels.spatial, &pixels.inner);
        dispatch(GuessInside { places, elements, spatial, inner, bound, to: inside });
        self.warp.sum_edges(&self.row.edges, outer, to);
        true
    }
}
