//! Weighted resampling: every output pixel is a weighted sum of a run of input pixels, on each axis in turn.
//!
//! The first spatial axis is summed first, the last one last, each from the lowest tap to the highest, in `f64` all
//! the way; the weights come from the caller. A row of the output is made from the input rows it needs, so nothing
//! of the picture's size lies between the passes.

use crate::error::{KernelError, Result};
use crate::match_dtype;
use crate::rows::{Axes, Pixels, ReadRow, RowMaker, RowWorker, check_planes, make_rows};
use crate::simd::{Kernel, dispatch};
use crate::view::{View, ViewMut};

/// For every position along one output axis: the run of input positions it sums, and their weights.
#[derive(Debug, Clone, Default)]
pub struct Taps {
    runs: Vec<Run>,
    weights: Vec<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    start: usize,
    first_weight: usize,
    len: usize,
}

impl Taps {
    /// An axis without positions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Append a position that sums `weights.len()` pixels from `start` on.
    pub fn push(&mut self, start: usize, weights: &[f64]) {
        self.runs.push(Run { start, first_weight: self.weights.len(), len: weights.len() });
        self.weights.extend_from_slice(weights);
    }

    fn at(&self, position: usize) -> (usize, &[f64]) {
        let Run { start, first_weight, len } = self.runs[position];
        (start, &self.weights[first_weight..first_weight + len])
    }

    fn fits(&self, input_len: usize, output_len: usize) -> bool {
        let inside = |run: &Run| run.start.checked_add(run.len).is_some_and(|end| end <= input_len);
        self.runs.len() == output_len && self.runs.iter().all(inside)
    }
}

/// Resample the spatial axes of `input` into `output`, by one table an axis, storing by the rounding cast.
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
        make_rows(output, axes, cost, &Resizer { pixels: &Pixels::new(array.view(), axes), tables });
    });
    Ok(())
}

struct Resizer<'a> {
    pixels: &'a dyn ReadRow,
    tables: &'a [Taps],
}

impl RowMaker for Resizer<'_> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        let spatial = self.pixels.spatial();
        let width = spatial[spatial.len() - 1].0 * self.pixels.planes();
        Box::new(Worker { resizer: self, row: Vec::new(), sums: vec![vec![0.0; width]; spatial.len()] })
    }
}

struct Worker<'a> {
    resizer: &'a Resizer<'a>,
    row: Vec<usize>,
    /// An input row, and above it a row summed over the first leading axis, over the first two, and so on.
    sums: Vec<Vec<f64>>,
}

impl RowWorker for Worker<'_> {
    fn start(&mut self, row: &[usize]) {
        self.row.clear();
        self.row.extend_from_slice(row);
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        let Resizer { pixels, tables } = self.resizer;
        sum_leading(*pixels, tables, &self.row, pixels.outer_offset(outer), &mut self.sums);
        let line = &self.sums[self.sums.len() - 1];
        dispatch(SumLine { line, taps: &tables[tables.len() - 1], planes: pixels.planes(), to });
    }
}

/// Put into the last of `sums` the input row at `start`, summed over the taps of every leading axis.
fn sum_leading(pixels: &dyn ReadRow, tables: &[Taps], row: &[usize], start: usize, sums: &mut [Vec<f64>]) {
    let (sum, below) = sums.split_last_mut().expect("one row for each spatial axis");
    let Some((position, row)) = row.split_last() else {
        pixels.read(start, sum);
        return;
    };
    sum.fill(0.0);
    let (first, weights) = tables[row.len()].at(*position);
    let stride = pixels.spatial()[row.len()].1;
    for (tap, weight) in weights.iter().enumerate() {
        sum_leading(pixels, tables, row, start + (first + tap) * stride, below);
        dispatch(AddScaled { from: &below[below.len() - 1], weight: *weight, to: sum });
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
            1 => self.sum::<1>(),
            3 => self.sum::<3>(),
            4 => self.sum::<4>(),
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
    fn sum<const PLANES: usize>(self) {
        let (to, _) = self.to.as_chunks_mut::<PLANES>();
        let (line, _) = self.line.as_chunks::<PLANES>();
        for (position, to) in to.iter_mut().enumerate() {
            let (start, weights) = self.taps.at(position);
            let mut sum = [0.0; PLANES];
            for (from, weight) in line[start..start + weights.len()].iter().zip(weights) {
                (0..PLANES).for_each(|plane| sum[plane] += from[plane] * weight);
            }
            *to = sum;
        }
    }
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
            prop_assert_eq!(output, plain);
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
