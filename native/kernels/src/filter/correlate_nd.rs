//! Correlation with weights over any number of axes: the loop of `correlate` and `convolve`.
//!
//! ```text
//! for each strip of rows of the first axis:
//!     pad the strip by the border mode into a workspace
//!     for each line of results: sum sample * weight over the taps, each a fixed offset in the workspace
//! ```

mod line_sums;

use crate::array::index::advance;
use crate::array::sample::Sample;
use crate::array::scratch::{Element, Scratch};
use crate::array::view::{View, ViewMut};
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::exec::threads;
use crate::filter::line_filter::c_order;
use crate::memory::{self, CollectVec};
use crate::walk::line_tiles::{Block, CHUNK, Reader, Source, Target, Writer};
use crate::{match_dtype, window};
use line_sums::{LineTaps, MAX_LINES};
use std::convert;

/// Samples per cache line.
const CACHE_LINE_SAMPLES: usize = 8;

/// A strip of about this many samples stays in the second-level cache.
const TILE_SAMPLES: usize = 32 * 1024;

/// A large window may enlarge a strip to this many samples.
const MAX_STRIP_SAMPLES: usize = 512 * 1024;

/// Lines are computed in segments of this many samples, all lines of a strip before the next segment, so that their
/// input stays in the first-level cache.
const SEGMENT: usize = 512;

/// The weights of a correlation: a C-ordered array with as many axes as the image, and its origins.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    /// The weights in C order.
    pub values: &'a [f64],
    /// Their number along each axis.
    pub shape: &'a [usize],
    /// Index `k` of an axis multiplies the sample `k - shape / 2 - origin` away from the pixel.
    pub origins: &'a [isize],
}

/// Correlate with `weights`.
///
/// The sums are SciPy's: weights within `f64::EPSILON` of zero are skipped, the others are applied in C order. Results
/// are stored with the cast of N-D filters.
///
/// # Errors
///
/// If shapes do not fit, an origin moves the window off the pixel, or there is no memory for so large a window.
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
    let window = PaddedWindow::new(shape, weights)?;
    let (first, run) = (window.axes[0].len, window.run());
    let output = output.into_shape(&[first, input.len() / (first * run), run])?;
    let cost = input.len().saturating_mul(1 + window.lines.taps() / 2);
    let blocks = output.split_blocks(&[1, 2], threads::blocks_for(cost));
    match_dtype!(View, input, array => {
        let reader = Source(c_order(array.as_slice())?, Sample::to_f64);
        threads::for_each_block(blocks, |(origin, block)| {
            let part = RowRange { row: origin[0], rows: block.shape()[0], border, fill };
            if let ViewMut::F32(block) = block {
                let mut writer = Target(block, Sample::to_f64, convert::identity);
                window.filter(part, &reader, &mut writer, f32::from_f64_filtered);
                return;
            }
            let mut writer: Box<dyn Writer<f64, f64> + '_> = match_dtype!(ViewMut, block, block => {
                Box::new(Target(block, Sample::to_f64, Sample::from_f64_filtered))
            });
            window.filter(part, &reader, writer.as_mut(), convert::identity);
        });
    });
    Ok(())
}

/// A range of rows of the first axis, and the border.
#[derive(Clone, Copy)]
struct RowRange {
    row: usize,
    rows: usize,
    border: Border,
    fill: f64,
}

/// One axis of the image and of the window.
struct WindowAxis {
    len: usize,
    /// Samples of the window before the pixel; fewer than `size`.
    before: usize,
    size: usize,
}

impl WindowAxis {
    fn padded(&self) -> usize {
        self.len + self.size - 1
    }
}

/// The window, and the padded strip that it slides over. Trailing axes with a single weight are merged into `inner`.
struct PaddedWindow {
    axes: Vec<WindowAxis>,
    /// Adjacent samples that the window does not mix.
    inner: usize,
    /// Stride of each axis in the padded strip.
    pitches: Vec<usize>,
    /// The taps, as offsets in the padded strip from the first sample of the window.
    lines: LineTaps,
    /// Rows per strip.
    rows: usize,
}

impl PaddedWindow {
    fn new(shape: &[usize], weights: Weights<'_>) -> Result<Self> {
        let mixed = weights.shape.iter().rposition(|size| *size > 1).map_or(0, |last| last + 1);
        let mut axes: Vec<WindowAxis> = memory::with_capacity(shape.len().max(2));
        for ((len, size), origin) in shape.iter().zip(weights.shape).zip(weights.origins).take(mixed) {
            let before = window::before(*size, *origin)?;
            memory::push(&mut axes, WindowAxis { len: *len, before, size: *size });
        }
        while axes.len() < 2 {
            memory::push(&mut axes, WindowAxis { len: 1, before: 0, size: 1 });
            axes.rotate_right(1);
        }
        let inner: usize = shape[mixed..].iter().product();
        let too_large = || KernelError::memory("the window is larger than this machine's memory");
        let mut pitches = memory::filled(inner, axes.len());
        for axis in (1..axes.len()).rev() {
            let pitch = pitches[axis].checked_mul(axes[axis].padded()).ok_or_else(too_large)?;
            // Align the start of long lines to a cache line.
            let long = axis + 1 == axes.len() && pitch >= SEGMENT;
            let pitch = if long { pitch.checked_next_multiple_of(CACHE_LINE_SAMPLES) } else { Some(pitch) };
            pitches[axis - 1] = pitch.ok_or_else(too_large)?;
        }
        let around = axes[0].size - 1;
        let least = around.saturating_mul(2).max(8);
        let most = (MAX_STRIP_SAMPLES / pitches[0]).saturating_sub(around).max(1);
        let rows = (TILE_SAMPLES / pitches[0]).saturating_sub(around).max(least).min(most);
        // With two axes rows are lines, which are summed four at a time.
        let rows = if rows > MAX_LINES { rows.next_multiple_of(MAX_LINES) } else { rows }.min(axes[0].len);
        let samples = pitches[0].checked_mul(rows + around).ok_or_else(too_large)?;
        memory::check::<f64>(samples.checked_add(CHUNK + CACHE_LINE_SAMPLES).ok_or_else(too_large)?)?;
        let mut taps = Vec::new();
        let sizes: Vec<usize> = axes.iter().map(|axis| axis.size).collect_vec();
        let mut index = memory::zeros(axes.len());
        for weight in weights.values {
            if weight.abs() > f64::EPSILON {
                memory::push(
                    &mut taps,
                    (index.iter().zip(&pitches).map(|(index, pitch)| index * pitch).sum(), *weight),
                );
            }
            advance(&mut index, &sizes);
        }
        let lines = LineTaps::new(taps, pitches[pitches.len() - 2]);
        Ok(Self { axes, inner, pitches, lines, rows })
    }

    /// Samples per row of the last axis.
    fn run(&self) -> usize {
        self.axes[self.axes.len() - 1].len * self.inner
    }

    /// Compute these rows; `narrow` converts sums to results while they are in registers.
    fn filter<R: Element>(
        &self,
        part: RowRange,
        reader: &dyn Reader<f64>,
        writer: &mut dyn Writer<f64, R>,
        narrow: impl Fn(f64) -> R + Copy,
    ) {
        let RowRange { rows, .. } = part;
        let around = self.axes[0].size - 1;
        let rows_at_once = self.rows.min(rows) + around;
        let last = &self.axes[self.axes.len() - 1];
        // Align the image's own samples to a cache line.
        let padding_offset = (last.before * self.inner).wrapping_neg() % CACHE_LINE_SAMPLES;
        let mut padded = Scratch::<f64>::new(padding_offset + rows_at_once * self.pitches[0] + CHUNK);
        let padded = &mut padded[padding_offset..];
        let mut results = Scratch::<R>::new(MAX_LINES * SEGMENT);
        let run = self.run();
        let lines = self.axes.len() - 1;
        let mut shape: Vec<usize> = self.axes[..lines].iter().map(|axis| axis.len).collect_vec();
        let mut stored = 0;
        for row in (0..rows).step_by(self.rows) {
            shape[0] = self.rows.min(rows - row);
            self.pad(padded, RowRange { row: part.row + row, rows: shape[0], ..part }, reader);
            let mut index = memory::zeros(lines);
            loop {
                let start: usize = index.iter().zip(&self.pitches).map(|(index, pitch)| index * pitch).sum();
                // All adjacent lines.
                let (count, pitch) = (shape[lines - 1], self.pitches[lines - 1]);
                let mut write = |line: usize, column: usize, results: &[R]| {
                    writer.write(Block::row(stored + line * run + column, results.len()), 0, results);
                };
                let lines_at_once = SEGMENT / pitch;
                if lines_at_once > 1 {
                    // Several short lines in one piece, including the padding between them.
                    for line in (0..count).step_by(lines_at_once) {
                        let lines_at_once = lines_at_once.min(count - line);
                        let samples = ((lines_at_once - 1) * pitch + run).next_multiple_of(CHUNK);
                        let padded = &padded[start + line * pitch..];
                        self.lines.sum_one(padded, narrow, &mut results[..samples]);
                        for (index, results) in results.chunks(pitch).take(lines_at_once).enumerate() {
                            write(line + index, 0, &results[..run]);
                        }
                    }
                } else {
                    for column in (0..run).step_by(SEGMENT) {
                        let len = SEGMENT.min(run - column);
                        let tiles = len.next_multiple_of(CHUNK);
                        let mut line = 0;
                        while line < count {
                            let padded = &padded[start + line * pitch + column..];
                            let parts = results.chunks_exact_mut(SEGMENT).map(|part| &mut part[..tiles]);
                            let met = self.lines.sum(padded, narrow, parts.take(count - line));
                            for (index, results) in results.chunks_exact(SEGMENT).take(met).enumerate() {
                                write(line + index, column, &results[..len]);
                            }
                            line += met;
                        }
                    }
                }
                stored += count * run;
                index[lines - 1] = count - 1;
                if !advance(&mut index, &shape) {
                    break;
                }
            }
        }
    }

    /// Fill `to` with these rows and the padding that the window needs around them.
    fn pad(&self, to: &mut [f64], part: RowRange, reader: &dyn Reader<f64>) {
        let RowRange { row, rows, border, fill } = part;
        let (outer, last) = self.axes.split_at(self.axes.len() - 1);
        let (last, width, run) = (&last[0], self.pitches[outer.len() - 1], self.run());
        let mut shape: Vec<usize> = outer.iter().map(WindowAxis::padded).collect_vec();
        shape[0] = rows + outer[0].size - 1;
        let mut index = memory::zeros(outer.len());
        let padded_run = last.padded() * self.inner;
        for to in to.chunks_exact_mut(width) {
            let to = &mut to[..padded_run];
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::every_level;
    use crate::exec::threads::LocalThreads;
    use ndarray::{ArrayD, Dimension};
    use proptest::prelude::*;

    /// The definition, pixel by pixel, in SciPy's order of additions.
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
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn lines_met_together_equal_the_definition(
            planes in 1_usize..4,
            rows in 1_usize..14,
            columns in 150_usize..420,
            inner in 1_usize..5,
            sizes in (1_usize..4, 1_usize..6, 1_usize..6),
            dropped in prop::sample::select(vec![1_usize, 2, 7, 1000]),
            code in 0..7,
        ) {
            let mut count = 0_i32;
            let shape = vec![planes, rows, columns, inner];
            let array = ArrayD::from_shape_simple_fn(shape, || { count = (count * 31 + 17) % 1009; count as i16 });
            let sizes = vec![sizes.0, sizes.1, sizes.2, 1];
            let weights = ArrayD::from_shape_simple_fn(sizes.clone(), || {
                count = (count * 29 + 5) % 997;
                if count as usize % dropped == 1 { 1e-17 } else { f64::from(count) / 100.0 - 5.05 }
            });
            let border = Border::from_code(code).unwrap();
            let expected = plain(&array, &weights, &[0; 4], border);
            for _ in every_level() {
                let mut output = ArrayD::<f64>::zeros(array.raw_dim());
                let mut narrow = ArrayD::<f32>::zeros(array.raw_dim());
                for view in [ViewMut::F64(output.view_mut()), ViewMut::F32(narrow.view_mut())] {
                    let values = weights.as_slice().unwrap();
                    let weights = Weights { values, shape: &sizes, origins: &[0; 4] };
                    correlate(&View::I16(array.view()), view, weights, border, 7.0).unwrap();
                }
                prop_assert_eq!(&output, &expected);
                prop_assert_eq!(&narrow, &expected.mapv(f32::from_f64_filtered));
            }
        }
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
            let _threads = LocalThreads::new(threads);
            for _ in every_level() {
                let mut output = ArrayD::<f64>::zeros(array.raw_dim());
                let view = ViewMut::F64(output.view_mut());
                let values = weights.as_slice().unwrap();
                let weights = Weights { values, shape: &sizes, origins: &origins };
                correlate(&View::I16(array.view()), view, weights, border, 7.0).unwrap();
                prop_assert_eq!(&output, &expected);
            }
        }
    }
}
