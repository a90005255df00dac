//! Coordinates of some pixels on their way from the output to the input, and what fills pixels meanwhile.

use super::Map;
use super::Stage;
use super::field::move_by_field;
use super::pull::Pull;
use offgraph_kernels::error::Result;
use offgraph_kernels::exec::simd::{Kernel, dispatch};
use offgraph_kernels::interpolate::projective2d::on_border;
use offgraph_kernels::memory;

/// Coordinates of some pixels on their way, one axis after another.
pub(super) struct Block {
    rank: usize,
    count: usize,
    pub(super) from: Vec<f64>,
    next: Vec<f64>,
    filled: Vec<Option<f64>>,
    /// Whether any of `filled` may be a value.
    is_any_filled: bool,
}

impl Block {
    #[inline]
    pub(super) fn new(rank: usize, most: usize) -> Self {
        let (from, next) = (memory::zeros(rank * most), memory::zeros((rank + 1) * most));
        Self { rank, count: most, from, next, filled: memory::filled(None, most), is_any_filled: false }
    }

    #[inline]
    pub(super) fn begin(&mut self, count: usize) {
        self.count = count;
        if self.is_any_filled {
            self.filled.fill(None);
            self.is_any_filled = false;
        }
    }

    /// The values that pixels get, if any do.
    #[inline]
    pub(super) fn filled(&self) -> &[Option<f64>] {
        if self.is_any_filled { &self.filled[..self.count] } else { &[] }
    }

    /// Give pixels a value by their coordinate along an axis.
    #[inline]
    pub(super) fn fill_where(
        &mut self,
        axis: usize,
        value: f64,
        is_filled: impl Fn(f64, &Option<f64>) -> bool,
    ) {
        self.is_any_filled = true;
        let line = &self.from[axis * self.count..][..self.count];
        for (filled, along) in self.filled.iter_mut().zip(line) {
            if is_filled(*along, filled) {
                *filled = Some(value);
            }
        }
    }

    /// Take the coordinates through stages.
    #[inline]
    pub(super) fn pass(&mut self, stages: &[Stage]) -> Result<()> {
        let Self { rank, count, from, next, filled, is_any_filled } = self;
        let (count, len) = (*count, *rank * *count);
        for stage in stages {
            match stage {
                Stage::Map(Map::Field { coefficients, order, scale, nothing }) => {
                    move_by_field(coefficients, *order, scale, *nothing, &mut from[..len], &mut next[..len])?;
                }
                Stage::Map(map) => {
                    dispatch(Pull { map, from: &from[..len], to: &mut next[..len + count], width: count });
                    from[..len].copy_from_slice(&next[..len]);
                }
                Stage::Border(rule) => {
                    *is_any_filled = true;
                    for (line, n) in from[..len].chunks_exact_mut(count).zip(&rule.size) {
                        rule.apply(line, *n, filled);
                    }
                }
                Stage::OnBorder(size) => {
                    for (line, n) in from[..len].chunks_exact_mut(count).zip(size) {
                        dispatch(ToBorder { line, n: *n });
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether all numbers lie between two, these included; one that is no number does not.
pub(super) struct AllWithin<'a> {
    pub(super) line: &'a [f64],
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Kernel for AllWithin<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { line, low, high } = self;
        line.chunks(64)
            .all(|part| part.iter().fold(true, |all, along| all & (*along >= low) & (*along <= high)))
    }
}

/// Moves what rounding has carried over the border onto it.
struct ToBorder<'a> {
    line: &'a mut [f64],
    n: usize,
}

impl Kernel for ToBorder<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let n = self.n;
        self.line.iter_mut().for_each(|along| *along = on_border(*along, n));
    }
}
