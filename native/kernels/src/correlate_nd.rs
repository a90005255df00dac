//! Correlation with weights over any number of axes.

use crate::border::Border;
use crate::correlate::c_order;
use crate::error::{KernelError, Result, check_room};
use crate::match_dtype;
use crate::parallel;
use crate::rows::advance;
use crate::sample::Sample;
use crate::simd::{Kernel, dispatch};
use crate::strips::{Block, Reader, Source, TILE, Target, Writer};
use crate::view::{View, ViewMut};

/// A strip of about this many samples stays in the second-level cache.
const STRIP_SAMPLES: usize = 32 * 1024;

/// The weights of a correlation: an array in C order, of as many axes as the image, and where it lies.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    /// The weights in C order.
    pub values: &'a [f64],
    /// Their number along every axis.
    pub shape: &'a [usize],
    /// Index `k` of an axis meets the sample `k - shape / 2 - origin` away from the pixel.
    pub origins: &'a [isize],
}

/// Correlate with `weights`.
///
/// The sums are SciPy's: weights within `f64::EPSILON` of zero are left out, the others are met in C order. Results
/// are stored by the cast of N-D filters.
///
/// # Errors
///
/// When shapes do not fit, an origin puts the window beside the pixel, or there is no memory for such a window.
pub fn correlate(
    input: &View<'_>,
    output: ViewMut<'_>,
    weights: Weights<'_>,
    border: Border,
    fill: f64,
) -> Result<()> {
    let shape = input.shape();
    let ndim = shape.len();
    if shape != output.shape() || weights.shape.len() != ndim || weights.origins.len() != ndim {
        return Err(KernelError::shape(format!(
            "cannot correlate an array of shape {shape:?} with weights of shape {:?} into one of shape {:?}",
            weights.shape,
            output.shape()
        )));
    }
    if input.is_empty() {
        return Ok(());
    }
    let window = Window::new(shape, weights)?;
    let (first, run) = (window.axes[0].len, window.run());
    let output = output.into_shape(&[first, input.len() / (first * run), run])?;
    let cost = input.len().saturating_mul(1 + window.taps.len() / 2);
    let blocks = output.split_blocks(&[1, 2], parallel::blocks_for(cost));
    match_dtype!(View, input, array => {
        let reader = Source(c_order(array.as_slice())?, Sample::to_f64);
        parallel::for_each_block(blocks, |(origin, block)| {
            let rows = block.shape()[0];
            let mut writer: Box<dyn Writer<f64, f64> + '_> = match_dtype!(ViewMut, block, block => {
                Box::new(Target(block, Sample::to_f64, Sample::from_f64_filtered))
            });
            window.filter(origin[0], rows, border, fill, &reader, writer.as_mut());
        });
    });
    Ok(())
}

/// An axis of the image and of the window.
struct WindowAxis {
    len: usize,
    /// Samples of the window before the pixel, and less than this many after it.
    before: usize,
    size: usize,
}

impl WindowAxis {
    fn padded(&self) -> usize {
        self.len + self.size - 1
    }
}

/// The window over axes of which only the last ones that have a single weight are taken as one.
struct Window {
    axes: Vec<WindowAxis>,
    /// Neighbouring samples that the window does not mix.
    inner: usize,
    /// Distance of neighbours along each axis in the padded strip.
    pitches: Vec<usize>,
    /// Distance in the padded strip from the first sample of the window, and weight.
    taps: Vec<(usize, f64)>,
    /// Rows of a strip.
    rows: usize,
}

impl Window {
    fn new(shape: &[usize], weights: Weights<'_>) -> Result<Self> {
        let mixed = weights.shape.iter().rposition(|size| *size > 1).map_or(0, |last| last + 1);
        let mut axes: Vec<WindowAxis> = Vec::with_capacity(shape.len().max(2));
        for ((len, size), origin) in shape.iter().zip(weights.shape).zip(weights.origins).take(mixed) {
            let before = (size / 2).checked_add_signed(*origin).filter(|before| before < size);
            let before = before.ok_or_else(|| {
                KernelError::parameter(format!("a window of {size} samples cannot have the origin {origin}"))
            })?;
            axes.push(WindowAxis { len: *len, before, size: *size });
        }
        while axes.len() < 2 {
            axes.insert(0, WindowAxis { len: 1, before: 0, size: 1 });
        }
        let inner: usize = shape[mixed..].iter().product();
        let too_large = || KernelError::memory("the window is larger than this machine's memory");
        let mut pitches = vec![inner; axes.len()];
        for axis in (1..axes.len()).rev() {
            pitches[axis - 1] = pitches[axis].checked_mul(axes[axis].padded()).ok_or_else(too_large)?;
        }
        let around = axes[0].size - 1;
        let least = around.saturating_mul(2).max(8);
        let rows = (STRIP_SAMPLES / pitches[0]).saturating_sub(around).max(least).min(axes[0].len);
        let samples = pitches[0].checked_mul(rows + around + 1).ok_or_else(too_large)?;
        check_room::<f64>(samples.checked_add(TILE).ok_or_else(too_large)?)?;
        let mut taps = Vec::new();
        let sizes: Vec<usize> = axes.iter().map(|axis| axis.size).collect();
        let mut index = vec![0; axes.len()];
        for weight in weights.values {
            if weight.abs() > f64::EPSILON {
                taps.push((index.iter().zip(&pitches).map(|(index, pitch)| index * pitch).sum(), *weight));
            }
            advance(&mut index, &sizes);
        }
        Ok(Self { axes, inner, pitches, taps, rows })
    }

    /// Neighbouring samples of a row of the last axis.
    fn run(&self) -> usize {
        self.axes[self.axes.len() - 1].len * self.inner
    }

    /// Compute `rows` rows of the first axis, from `origin` on.
    fn filter(
        &self,
        origin: usize,
        rows: usize,
        border: Border,
        fill: f64,
        reader: &dyn Reader<f64>,
        writer: &mut dyn Writer<f64, f64>,
    ) {
        let around = self.axes[0].size - 1;
        let tiles = (self.rows.min(rows) * self.pitches[0]).next_multiple_of(TILE);
        // A window that begins in the last row may reach into one more.
        let mut padded = vec![0.0; tiles + (around + 1) * self.pitches[0]];
        let mut result = vec![0.0; tiles];
        let run = self.run();
        let outer_shape: Vec<usize> = self.axes[..self.axes.len() - 1].iter().map(|axis| axis.len).collect();
        let mut stored = 0;
        for row in (0..rows).step_by(self.rows) {
            let rows = self.rows.min(rows - row);
            self.pad(&mut padded, origin + row, rows, border, fill, reader);
            let tiles = (rows * self.pitches[0]).next_multiple_of(TILE);
            dispatch(Sums { padded: &padded, taps: &self.taps, result: &mut result[..tiles] });
            let mut shape = outer_shape.clone();
            shape[0] = rows;
            let mut index = vec![0; shape.len()];
            loop {
                let start: usize = index.iter().zip(&self.pitches).map(|(index, pitch)| index * pitch).sum();
                writer.write(Block::row(stored, run), 0, &result[start..start + run]);
                stored += run;
                if !advance(&mut index, &shape) {
                    break;
                }
            }
        }
    }

    /// Put `rows` rows of the first axis from `row` on, and what the window needs around them, into `to`.
    fn pad(
        &self,
        to: &mut [f64],
        row: usize,
        rows: usize,
        border: Border,
        fill: f64,
        reader: &dyn Reader<f64>,
    ) {
        let (outer, last) = self.axes.split_at(self.axes.len() - 1);
        let (last, width, run) = (&last[0], self.pitches[outer.len() - 1], self.run());
        let mut shape: Vec<usize> = outer.iter().map(WindowAxis::padded).collect();
        shape[0] = rows + outer[0].size - 1;
        let mut index = vec![0; outer.len()];
        for to in to.chunks_exact_mut(width) {
            let inside =
                index.iter().zip(outer).enumerate().try_fold(0, |line, (position, (index, axis))| {
                    let index = if position == 0 { index + row } else { *index };
                    let inside = border.index(index as isize - axis.before as isize, axis.len)?;
                    Some(line * axis.len + inside)
                });
            match inside {
                Some(line) => {
                    let first = last.before * self.inner;
                    reader.read(Block::row(line * run, run), &mut to[first..first + run]);
                    for position in (0..last.before).chain(last.before + last.len..last.padded()) {
                        let at = position * self.inner;
                        match border.index(position as isize - last.before as isize, last.len) {
                            Some(inside) => {
                                let from = first + inside * self.inner;
                                to.copy_within(from..from + self.inner, at);
                            }
                            None => to[at..at + self.inner].fill(fill),
                        }
                    }
                }
                None => to.fill(fill),
            }
            if !advance(&mut index, &shape) {
                break;
            }
        }
    }
}

/// `result[i]`, the sum of the taps from `padded[i]` on.
struct Sums<'a> {
    padded: &'a [f64],
    taps: &'a [(usize, f64)],
    result: &'a mut [f64],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        /// As many sums as stay in registers.
        const LANES: usize = 32;
        for (index, result) in self.result.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let padded = &self.padded[index * LANES..];
            let mut sums = [0.0; LANES];
            for (offset, weight) in self.taps {
                let samples: &[f64; LANES] =
                    padded[*offset..].first_chunk().expect("samples for whole tiles");
                for lane in 0..LANES {
                    sums[lane] += samples[lane] * weight;
                }
            }
            *result = sums;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::set_local_threads;
    use crate::simd::{Level, force, level};
    use ndarray::{ArrayD, Dimension};
    use proptest::prelude::*;

    /// The definition, pixel by pixel, with SciPy's order of additions.
    fn plain(array: &ArrayD<i16>, weights: &ArrayD<f64>, origins: &[isize], border: Border) -> ArrayD<f64> {
        ArrayD::from_shape_fn(array.raw_dim(), |index| {
            weights.indexed_iter().filter(|(_, weight)| weight.abs() > f64::EPSILON).fold(
                0.0,
                |sum, (tap, w)| {
                    let mut at = index.clone();
                    let inside = (0..at.ndim()).all(|axis| {
                        let before = (weights.shape()[axis] / 2) as isize + origins[axis];
                        let position = index[axis] as isize + tap[axis] as isize - before;
                        border
                            .index(position, array.shape()[axis])
                            .map(|inside| at.slice_mut()[axis] = inside)
                            .is_some()
                    });
                    sum + w * if inside { f64::from(array[at]) } else { 7.0 }
                },
            )
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn equals_the_definition_at_every_level_and_thread_count(
            axes in prop::collection::vec((1_usize..24, 1_usize..6, -3_isize..3), 1..4),
            dropped in 1_usize..5,
            code in 0..7,
            threads in 1_usize..4,
        ) {
            let shape: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
            let sizes: Vec<usize> = axes.iter().map(|axis| axis.1).collect();
            let origins: Vec<isize> = axes
                .iter()
                .map(|(_, size, origin)| (*origin).clamp(-(*size as isize / 2), (*size as isize - 1) / 2))
                .collect();
            let mut count = 0_i32;
            let array = ArrayD::from_shape_simple_fn(shape, || { count = (count * 31 + 17) % 1009; count as i16 });
            let weights = ArrayD::from_shape_simple_fn(sizes.clone(), || {
                count = (count * 29 + 5) % 997;
                if count as usize % dropped == 1 { 1e-17 } else { f64::from(count) / 100.0 - 5.0 }
            });
            let border = Border::from_code(code).unwrap();
            let expected = plain(&array, &weights, &origins, border);
            let (threads, before) = (set_local_threads(threads), level());
            for wanted in [Level::Baseline, Level::Avx2, Level::Avx512] {
                force(wanted);
                let mut output = ArrayD::<f64>::zeros(array.raw_dim());
                let view = ViewMut::F64(output.view_mut());
                let values = weights.as_slice().unwrap();
                let weights = Weights { values, shape: &sizes, origins: &origins };
                correlate(&View::I16(array.view()), view, weights, border, 7.0).unwrap();
                prop_assert_eq!(&output, &expected);
            }
            force(before);
            set_local_threads(threads);
        }
    }
}
