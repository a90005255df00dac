//! The lines along an axis that are worked on together, from their squares to the nearest points.

use crate::distance::envelope::{Envelope, LineMetric};
use crate::distance::nearby::{LANES, NearbySearch, REACH};
use crate::distance::squared::Squared;
use crate::exec::simd::{Kernel, dispatch};
use crate::memory;
use ndarray::{ArrayViewMut2, Axis};

/// Groups of lines that go without a search after one in which it found nothing.
const PATIENCE: usize = 7;

/// Lines along an axis: one contiguous line, or up to [`LANES`] interleaved ones.
pub(super) struct LineGroup<S> {
    len: usize,
    step: usize,
    /// [`REACH`] elements without a point, the lines, and as many again.
    squares: Vec<S>,
    least: Vec<S>,
    nearest: Vec<i32>,
    followed: Vec<i32>,
    envelope: Envelope,
    /// Groups left to go without a search.
    patience: usize,
}

impl<S: Squared> LineGroup<S> {
    #[inline]
    pub fn new(len: usize, step: usize) -> Self {
        Self {
            len,
            step,
            squares: memory::filled(S::NONE, (len + 2 * REACH) * step + LANES),
            least: memory::zeros(len * step),
            nearest: memory::zeros(len * step),
            followed: memory::zeros(len * step),
            envelope: Envelope::new(len),
            patience: 0,
        }
    }

    #[inline]
    pub fn read(&mut self, lines: &ArrayViewMut2<'_, S>) {
        let inside = &mut self.squares[REACH * self.step..][..self.len * self.step];
        if let (1, Some(line)) = (self.step, lines.as_slice()) {
            inside.copy_from_slice(line);
            return;
        }
        let width = lines.len_of(Axis(1));
        if width < self.step {
            // Zero is nearest to itself at once.
            inside.fill(S::ZERO);
        }
        for (to, from) in inside.chunks_exact_mut(self.step).zip(lines.rows()) {
            match from.as_slice() {
                Some(from) => to[..width].copy_from_slice(from),
                None => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
            }
        }
    }

    #[inline]
    pub fn find(&mut self, metric: LineMetric, indexed: bool) {
        let finished = match (S::whole(&self.squares), S::whole_mut(&mut self.least)) {
            (Some(lines), Some(least)) if self.patience == 0 => dispatch(NearbySearch {
                lines,
                len: self.len,
                step: self.step,
                weight: (metric.spacing * metric.spacing) as i32,
                least,
                nearest: indexed.then_some(&mut self.nearest[..]),
            }),
            _ => [false; LANES],
        };
        if finished[..self.step].iter().any(|finished| *finished) {
            self.patience = 0;
        } else {
            self.patience = if self.patience == 0 { PATIENCE } else { self.patience - 1 };
        }
        for lane in (0..self.step).filter(|lane| !finished[*lane]) {
            self.find_by_envelope(lane, metric);
        }
    }

    #[inline]
    fn find_by_envelope(&mut self, lane: usize, metric: LineMetric) {
        let inside = &self.squares[REACH * self.step + lane..];
        let inside = inside.iter().step_by(self.step);
        let line = self.envelope.line.iter_mut();
        line.zip(inside.clone()).for_each(|(to, from)| *to = from.to_f64());
        let found = self.envelope.find(metric);
        let nearest = self.nearest.iter_mut().skip(lane).step_by(self.step);
        let least = self.least.iter_mut().skip(lane).step_by(self.step);
        for (at, (to, least)) in nearest.zip(least).enumerate() {
            if found {
                let index = self.envelope.nearest[at];
                let distance = (f64::from(index) - at as f64) * metric.spacing;
                let own = self.squares[(REACH + index as usize) * self.step + lane];
                (*to, *least) = (index, own.plus_square(distance));
            } else {
                (*to, *least) = (at as i32, S::NONE);
            }
        }
    }

    /// Replace each feature by that of the nearest point.
    #[inline]
    pub fn follow(&mut self, mut features: ArrayViewMut2<'_, i32>) {
        let Self { step, nearest, followed, .. } = self;
        if let (1, Some(line)) = (*step, features.as_slice_mut()) {
            followed.copy_from_slice(line);
            line.iter_mut().zip(nearest).for_each(|(to, nearest)| *to = followed[*nearest as usize]);
            return;
        }
        for (to, from) in followed.chunks_exact_mut(*step).zip(features.rows()) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        }
        for (mut to, nearest) in features.rows_mut().into_iter().zip(nearest.chunks_exact(*step)) {
            for (lane, (to, nearest)) in to.iter_mut().zip(nearest).enumerate() {
                *to = followed[*nearest as usize * *step + lane];
            }
        }
    }

    #[inline]
    pub fn write_nearest(&self, features: ArrayViewMut2<'_, i32>) {
        self.write_rows(features, &self.nearest, |index| index);
    }

    #[inline]
    pub fn write(&self, squares: ArrayViewMut2<'_, S>) {
        self.write_rows(squares, &self.least, |square| square);
    }

    #[inline]
    pub fn write_roots(&self, mut distances: ArrayViewMut2<'_, f64>, unit: f64) {
        match (S::whole(&self.least), distances.as_slice_mut()) {
            (Some(squares), Some(distances)) if self.step == 1 => {
                dispatch(Roots { squares, distances, unit })
            }
            _ => self.write_rows(distances, &self.least, |square| square.to_f64().sqrt() * unit),
        }
    }

    #[inline]
    fn write_rows<T: Copy, U>(&self, mut to: ArrayViewMut2<'_, U>, from: &[T], convert: impl Fn(T) -> U) {
        if let (1, Some(to)) = (self.step, to.as_slice_mut()) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = convert(*from));
            return;
        }
        for (mut to, from) in to.rows_mut().into_iter().zip(from.chunks_exact(self.step)) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = convert(*from));
        }
    }
}

struct Roots<'a> {
    squares: &'a [i32],
    distances: &'a mut [f64],
    unit: f64,
}

impl Kernel for Roots<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { squares, distances, unit } = self;
        distances.iter_mut().zip(squares).for_each(|(to, square)| *to = f64::from(*square).sqrt() * unit);
    }
}
