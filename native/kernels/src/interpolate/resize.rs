//! Weighted resampling: every output pixel is a weighted sum of a run of input pixels, on each axis in turn.
//!
//! The first spatial axis is summed first, the last one last, each from the lowest tap to the highest, in `f64` all
//! the way; the weights come from the caller. A row of the output is made from the input rows it needs, so nothing
//! of the image's size lies between the passes. Bytes on two spatial axes are summed in fixed point where that is
//! known to give the same result ([`fixed_point`]).

mod fixed_point;
mod taps;
mod weights;

pub use taps::Taps;

use self::fixed_point::FixedPoint;
use crate::array::axes::{Axes, check_planes};
use crate::array::pixels::Pixels;
use crate::array::sample::Sample;
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::interpolate::read_row::ReadRow;
use crate::match_dtype;
use crate::memory;
use crate::walk::rows::{RowMaker, RowWorker, make_rows};

/// Resample the spatial axes of `input` into `output`, by one table per axis, storing by the rounding cast.
///
/// Both arrays have the axes `[outer…, spatial…, inner…]`, as many spatial axes as `tables`, and equal planes.
pub fn resize(input: &View<'_>, output: ViewMut<'_>, outer: usize, tables: &[Taps]) -> Result<()> {
    let axes = Axes { outer, spatial: tables.len() };
    check_planes(input.shape(), output.shape(), axes, axes)?;
    for (axis, table) in tables.iter().enumerate() {
        if !table.fits(input.shape()[outer + axis], output.shape()[outer + axis]) {
            return Err(KernelError::shape(format!("the taps of spatial axis {axis} do not fit the arrays")));
        }
    }
    if output.is_empty() {
        return Ok(());
    }
    let cost = tables.iter().map(|table| 1 + table.weights.len() / table.runs.len()).sum();
    match_dtype!(View, input, array => {
        let pixels = Pixels::new(array.view(), axes);
        let (last, leading) = tables.split_last().expect("at least one spatial axis");
        let (_, step) = pixels.spatial[leading.len()];
        let is_contiguous = pixels.is_interleaved() && step == pixels.planes();
        let fixed = match leading {
            [rows] if is_contiguous && pixels.bytes().is_some() && matches!(output, ViewMut::U8(_)) => {
                FixedPoint::new(rows, last, pixels.planes(), pixels.spatial[0].1)
            }
            _ => None,
        };
        let last = if pixels.always_finite() { last.evened() } else { last };
        make_rows(output, axes, cost, &Resizer { pixels, leading, last, is_contiguous, fixed });
    });
    Ok(())
}

struct Resizer<'a, T: Sample> {
    pixels: Pixels<'a, T>,
    leading: &'a [Taps],
    last: &'a Taps,
    /// Whether the samples of a row lie side by side.
    is_contiguous: bool,
    fixed: Option<FixedPoint<'a>>,
}

impl<T: Sample> RowMaker for Resizer<'_, T> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        let width = self.pixels.spatial[self.leading.len()].0 * self.pixels.planes();
        let fixed = self.fixed.as_ref().zip(self.pixels.bytes());
        let fixed = fixed.map(|(fixed, bytes)| fixed_point::FixedPointWorker::new(fixed, bytes));
        Box::new(Worker { resizer: self, width, row: Vec::new(), sums: Vec::new(), fixed })
    }
}

/// Samples after a row that may be read, though nothing comes of them.
const SPARE: usize = 1;

struct Worker<'a, T: Sample> {
    resizer: &'a Resizer<'a, T>,
    /// Samples of an input row.
    width: usize,
    row: Vec<usize>,
    /// An input row, and above it a row summed over the first leading axis, over the first two, and so on.
    sums: Vec<Vec<f64>>,
    fixed: Option<fixed_point::FixedPointWorker<'a>>,
}

impl<T: Sample> RowWorker for Worker<'_, T> {
    fn start(&mut self, row: &[usize]) {
        self.row.clear();
        memory::extend_from_slice(&mut self.row, row);
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        let Self { resizer, width, row, sums, .. } = self;
        // Where all rows are summed in fixed point there is no need of them.
        while sums.len() <= resizer.leading.len() {
            memory::push(sums, memory::zeros(*width + SPARE));
        }
        resizer.sum_leading(row, resizer.pixels.outer_offset(outer), *width, sums);
        let line = &sums[sums.len() - 1];
        dispatch(SumLine { line, taps: resizer.last, planes: resizer.pixels.planes(), to });
    }

    fn fill_bytes(&mut self, outer: &[usize], to: &mut [u8]) -> bool {
        let plane = self.resizer.pixels.outer_offset(outer);
        self.fixed.as_mut().is_some_and(|fixed| fixed.fill(self.row[0], plane, to))
    }
}

impl<T: Sample> Resizer<'_, T> {
    /// Put into the last of `sums` the input row at `start`, summed over the taps of every leading axis.
    fn sum_leading(&self, row: &[usize], start: usize, width: usize, sums: &mut [Vec<f64>]) {
        let (sum, below) = sums.split_last_mut().expect("one row for each spatial axis");
        let sum = &mut sum[..width];
        let Some((position, row)) = row.split_last() else {
            self.pixels.read(start, sum);
            return;
        };
        let (first, weights) = self.leading[row.len()].at(*position);
        let stride = self.pixels.spatial[row.len()].1;
        let start = start + first * stride;
        if row.is_empty() && self.is_contiguous {
            let rows = &self.pixels.elements()[start..];
            dispatch(SumRows { rows, stride, weights, to: sum });
            return;
        }
        sum.fill(0.0);
        for (tap, weight) in weights.iter().enumerate() {
            self.sum_leading(row, start + tap * stride, width, below);
            dispatch(AddScaled { from: &below[below.len() - 1], weight: *weight, to: sum });
        }
    }
}

/// Sum rows that lie `stride` samples apart.
struct SumRows<'a, T> {
    rows: &'a [T],
    stride: usize,
    weights: &'a [f64],
    to: &'a mut [f64],
}

impl<T: Sample> Kernel for SumRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        /// Sums that stay in registers over all taps.
        const BLOCK: usize = 32;
        let Self { rows, stride, weights, to } = self;
        let (blocks, rest) = to.as_chunks_mut::<BLOCK>();
        let done = blocks.len() * BLOCK;
        for (block, to) in blocks.iter_mut().enumerate() {
            let mut sums = [0.0; BLOCK];
            for (tap, weight) in weights.iter().enumerate() {
                let from = &rows[tap * stride + block * BLOCK..][..BLOCK];
                for lane in 0..BLOCK {
                    sums[lane] += from[lane].to_f64() * weight;
                }
            }
            *to = sums;
        }
        for (column, to) in rest.iter_mut().enumerate() {
            *to = 0.0;
            for (tap, weight) in weights.iter().enumerate() {
                *to += rows[tap * stride + done + column].to_f64() * weight;
            }
        }
    }
}

struct AddScaled<'a> {
    from: &'a [f64],
    weight: f64,
    to: &'a mut [f64],
}

impl Kernel for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.to.iter_mut().zip(self.from).for_each(|(to, from)| *to += from * self.weight);
    }
}

/// Sum the taps of every output pixel of a row.
struct SumLine<'a> {
    line: &'a [f64],
    taps: &'a Taps,
    planes: usize,
    to: &'a mut [f64],
}

impl Kernel for SumLine<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.planes {
            1 => self.sum_planes::<1>(),
            3 => self.sum_planes::<3>(),
            4 => self.sum_planes::<4>(),
            planes => {
                for (position, to) in self.to.chunks_exact_mut(planes).enumerate() {
                    let (start, weights) = self.taps.at(position);
                    to.fill(0.0);
                    for (from, weight) in self.line[start * planes..].chunks_exact(planes).zip(weights) {
                        to.iter_mut().zip(from).for_each(|(to, from)| *to += from * weight);
                    }
                }
            }
        }
    }
}

impl SumLine<'_> {
    #[inline(always)]
    fn sum_planes<const PLANES: usize>(self) {
        match self.taps.even {
            1 => self.sum_even::<PLANES, 1>(),
            2 => self.sum_even::<PLANES, 2>(),
            3 => self.sum_even::<PLANES, 3>(),
            4 => self.sum_even::<PLANES, 4>(),
            5 => self.sum_even::<PLANES, 5>(),
            6 => self.sum_even::<PLANES, 6>(),
            7 => self.sum_even::<PLANES, 7>(),
            8 => self.sum_even::<PLANES, 8>(),
            _ => {
                let (to, _) = self.to.as_chunks_mut::<PLANES>();
                for (position, to) in to.iter_mut().enumerate() {
                    let (start, weights) = self.taps.at(position);
                    *to = sum(&self.line[start * PLANES..], weights);
                }
            }
        }
    }

    /// A known number of taps: their loop is unrolled, and the sums of many pixels are under way at once.
    #[inline(always)]
    fn sum_even<const PLANES: usize, const TAPS: usize>(self) {
        let (to, _) = self.to.as_chunks_mut::<PLANES>();
        let (weights, _) = self.taps.weights.as_chunks::<TAPS>();
        for ((to, run), weights) in to.iter_mut().zip(&self.taps.runs).zip(weights) {
            *to = sum(&self.line[run.start * PLANES..][..TAPS * PLANES + SPARE], weights);
        }
    }
}

#[inline(always)]
fn sum<const PLANES: usize>(line: &[f64], weights: &[f64]) -> [f64; PLANES] {
    // Four lanes for three planes too, as a register holds them.
    let lanes = if PLANES == 3 { 4 } else { PLANES };
    let mut sums = [0.0; 4];
    for (tap, weight) in weights.iter().enumerate() {
        let from = &line[tap * PLANES..][..lanes];
        (0..lanes).for_each(|plane| sums[plane] += from[plane] * weight);
    }
    std::array::from_fn(|plane| sums[plane])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, Dimension};
    use proptest::prelude::*;

    fn tables(sizes: &[(usize, usize)]) -> Vec<Taps> {
        sizes
            .iter()
            .map(|(from, to)| {
                let mut taps = Taps::new();
                for position in 0..*to {
                    let start = (position * 7 + 1) % from;
                    let len = (position % 3 + 1).min(from - start);
                    let weights: Vec<f64> = (0..len).map(|tap| 0.3 + 0.1 * (tap + position) as f64).collect();
                    taps.push(start, &weights);
                }
                taps
            })
            .collect()
    }

    proptest! {
        #[test]
        fn rows_equal_one_pass_after_another(
            sizes in prop::collection::vec((1_usize..5, 1_usize..5), 1..4),
            planes in 1_usize..6,
        ) {
            let tables = tables(&sizes);
            let mut shape: Vec<usize> = sizes.iter().map(|(from, _)| *from).collect();
            shape.push(planes);
            let input = ArrayD::from_shape_fn(shape, |index| {
                index.as_array_view().iter().fold(1.0, |value, i| value * 1.7 + *i as f64)
            });
            let mut plain = input.clone();
            for (axis, ((_, to), table)) in sizes.iter().zip(&tables).enumerate() {
                let mut shape = plain.shape().to_vec();
                shape[axis] = *to;
                let sum = |index: ndarray::IxDyn| {
                    let (start, weights) = table.at(index[axis]);
                    weights.iter().enumerate().fold(0.0, |sum, (tap, weight)| {
                        let mut from = index.clone();
                        from[axis] = start + tap;
                        sum + plain[from] * weight
                    })
                };
                plain = ArrayD::from_shape_fn(shape, sum);
            }
            let mut output = ArrayD::<f64>::zeros(plain.raw_dim());
            resize(&View::F64(input.view()), ViewMut::F64(output.view_mut()), 0, &tables).unwrap();
            prop_assert_eq!(&output, &plain);
            // Integers have as many taps at every position, and the same sums: here rounded once.
            let (whole, mut rounded) = (input.mapv(|value| value as i32), ArrayD::<i32>::zeros(plain.raw_dim()));
            resize(&View::I32(whole.view()), ViewMut::I32(rounded.view_mut()), 0, &tables).unwrap();
            resize(&View::F64(whole.mapv(f64::from).view()), ViewMut::F64(output.view_mut()), 0, &tables).unwrap();
            prop_assert_eq!(rounded, output.mapv(i32::from_f64_rounded));
        }
    }

    #[test]
    fn taps_outside_are_refused() {
        let input = ArrayD::<u8>::zeros(vec![3]);
        let mut output = ArrayD::<u8>::zeros(vec![1]);
        let mut taps = Taps::new();
        taps.push(2, &[0.5, 0.5]);
        assert!(resize(&View::U8(input.view()), ViewMut::U8(output.view_mut()), 0, &[taps]).is_err());
    }
}
