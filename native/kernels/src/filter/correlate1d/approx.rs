//! Bytes from bytes: sums approximated in `f32`, with an exact fallback.
//!
//! ```text
//! sum = weighted sum in f32                      # lanes twice as many as in f64
//! if truncate(sum - error) == truncate(sum + error): that is the result
//! else: sum again in f64, in SciPy's order
//! ```

use crate::array::sample::Sample;
use crate::border::Border;
use crate::exec::simd::{Kernel, dispatch};
use crate::filter::correlate1d::taps::{LineWeights, lanes};
use crate::memory::CollectVec;
use crate::walk::line_tiles::CHUNK;
use std::sync::OnceLock;

/// Sums in `f32`, and how far they may be from SciPy's.
///
/// Samples, and sums of two, are integers below 2^10 and exact. With `u = 2^-24`, rounding a weight, its product and
/// each of at most `n` additions multiply by a factor within `1 ± u`: together they are off by at most `1.01 (n + 2) u`
/// of `M`, the sum of the absolute weights times 255. SciPy's own sum is off by as much with `u = 2^-53`, and the two
/// sums `sum ± error` are rounded once more, by at most `1.01 u M`: `1.02 (n + 4) u M` covers all of it. Truncation is
/// monotonic, so everything between two values that truncate alike does too.
///
/// Two shortcuts: constant areas, whose sums lie exactly at the edge of truncation, are looked up; rows that repeat, as
/// they do inside constant areas, copy the results of the previous row.
pub(super) struct ApproxSums<'a> {
    exact: LineWeights<'a, f64>,
    weights: Vec<f32>,
    error: f32,
    /// The result for a window filled with each byte; computed on first use.
    constant: OnceLock<[u8; 256]>,
}

impl<'a> ApproxSums<'a> {
    /// `None` if more than one result in twenty would be uncertain, or the samples are not bytes.
    pub(super) fn new(exact: LineWeights<'a, f64>, border: Border, fill: f64) -> Option<Self> {
        border.fill_as::<u8>(fill)?;
        let most = 255.0 * exact.weights.iter().map(|weight| weight.abs()).sum::<f64>();
        let whole = most < 2_f64.powi(24) && exact.weights.iter().all(|weight| weight.fract() == 0.0);
        let error = if whole {
            // Integers below 2^24 throughout: nothing is rounded.
            0.0
        } else {
            // The smallest normal number covers products that underflow.
            1.02 * (exact.weights.len() + 4) as f64 * 2_f64.powi(-24) * most + f64::from(f32::MIN_POSITIVE)
        };
        let weights = exact.weights.iter().map(|weight| *weight as f32).collect_vec();
        (error < 0.025).then_some(Self {
            exact,
            weights,
            error: error as f32 * 1.000_001,
            constant: OnceLock::new(),
        })
    }

    /// Store the truncated sums; return whether one of them is uncertain.
    #[inline(always)]
    fn store<const N: usize>(&self, sums: &[f32; N], result: &mut [u8; N]) -> bool {
        let mut uncertain = 0;
        for lane in 0..N {
            let (low, high) = (sums[lane] - self.error, sums[lane] + self.error);
            // SAFETY: samples and weights are finite, and no sum exceeds `most`, which is below 2^24: checked for
            // integer weights, and otherwise because the error is below 0.025.
            let (low, high): (i32, i32) = unsafe { (low.to_int_unchecked(), high.to_int_unchecked()) };
            uncertain |= low ^ high;
            result[lane] = low as u8;
        }
        uncertain != 0
    }

    /// SciPy's results. Samples are bytes, so sums of two are exact in `f32`.
    #[inline(always)]
    fn exact_results<const N: usize>(&self, samples: &[f32], step: usize) -> [u8; N] {
        let sums: [f64; N] = self.exact.sum(samples, step);
        let mut results = [0; N];
        for lane in 0..N {
            results[lane] = u8::from_f64_truncated(sums[lane]);
        }
        results
    }

    /// SciPy's results for windows filled with each byte.
    fn constant_results(&self) -> [u8; 256] {
        let bytes: [f32; 256] = std::array::from_fn(|byte| byte as f32);
        let mut results = [0; 256];
        for (results, bytes) in results.as_chunks_mut::<32>().0.iter_mut().zip(bytes.as_chunks::<32>().0) {
            *results = self.exact_results(bytes, 0);
        }
        results
    }
}

pub(super) struct ApproxKernel<'a> {
    pub(super) samples: &'a [f32],
    pub(super) approx: &'a ApproxSums<'a>,
    pub(super) step: usize,
    pub(super) result: &'a mut [u8],
}

impl Kernel for ApproxKernel<'_> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        /// Shorter rows are not worth a comparison.
        const MIN_COMPARED_ROW: usize = 32;
        let (size, step) = (self.approx.weights.len(), self.step);
        let rows = self.result.len() / step;
        // The first row without a result, and how many rows up to this one equal their successor.
        let (mut start, mut equal) = (0, 0);
        let compared = if step < MIN_COMPARED_ROW { 0 } else { (rows + size).saturating_sub(2) };
        for before in 0..compared {
            equal = if is_repeated(&self.samples[before * step..], step) { equal + 1 } else { 0 };
            if equal >= size {
                // The window of this row holds the same samples as that of the row above.
                let row = before + 2 - size;
                if start < row {
                    self.rows(start, row);
                }
                self.result.copy_within((row - 1) * step..row * step, row * step);
                start = row + 1;
            }
        }
        if start < rows || compared == 0 {
            self.rows(start, rows + 1);
        }
    }
}

/// Whether the row after the first one is the same.
#[inline(always)]
fn is_repeated(samples: &[f32], step: usize) -> bool {
    let (row, next) = samples[..2 * step].split_at(step);
    let differ = |row: &[f32; 16], next: &[f32; 16]| {
        let mut differing = 0;
        for lane in 0..16 {
            differing |= row[lane].to_bits() ^ next[lane].to_bits();
        }
        differing != 0
    };
    let (rows, rest) = row.as_chunks::<16>();
    let (nexts, next_rest) = next.as_chunks::<16>();
    !rows.iter().zip(nexts).any(|(row, next)| differ(row, next)) && rest == next_rest
}

impl ApproxKernel<'_> {
    /// Compute the rows from `start` to `end` in whole chunks; results computed beyond them are correct too.
    #[inline(always)]
    fn rows(&mut self, start: usize, end: usize) {
        let Self { samples, approx, step, ref mut result } = *self;
        let taps = LineWeights { weights: &approx.weights, symmetry: approx.exact.symmetry };
        let start = (start * step).min(result.len()) / CHUNK;
        let end = (end * step).div_ceil(CHUNK).min(result.len() / CHUNK);
        let results = result.as_chunks_mut::<CHUNK>().0.iter_mut().enumerate();
        for (index, result) in results.take(end).skip(start) {
            let samples = &samples[index * CHUNK..];
            let sums: [f32; CHUNK] = taps.sum(samples, step);
            if approx.store(&sums, result) {
                const PART: usize = 32;
                let parts = result.as_chunks_mut::<PART>().0.iter_mut().zip(sums.as_chunks::<PART>().0);
                for (part, (result, sums)) in parts.enumerate() {
                    if approx.store(sums, result) {
                        dispatch(Recompute { samples: &samples[part * PART..], approx, step, result });
                    }
                }
            }
        }
    }
}

/// Recomputes uncertain results exactly.
struct Recompute<'a, const N: usize> {
    samples: &'a [f32],
    approx: &'a ApproxSums<'a>,
    step: usize,
    result: &'a mut [u8; N],
}

impl<const N: usize> Kernel for Recompute<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { samples, approx, step, result } = self;
        if is_constant::<N>(samples, step, approx.weights.len()) {
            let constant = approx.constant.get_or_init(|| approx.constant_results());
            for (to, sample) in result.iter_mut().zip(samples) {
                // SAFETY: samples are bytes. The checked conversion takes several times as long.
                let byte: i32 = unsafe { sample.to_int_unchecked() };
                *to = constant[byte as usize & 255];
            }
        } else {
            *result = approx.exact_results(samples, step);
        }
    }
}

/// Whether each of `N` windows of `size` samples is constant.
#[inline(always)]
fn is_constant<const N: usize>(samples: &[f32], step: usize, size: usize) -> bool {
    /// Most windows that vary do so in the first samples: check after one, and from time to time later.
    const SAMPLES_PER_CHECK: usize = 8;
    let first: &[f32; N] = lanes(samples);
    let mut differing = [0; N];
    let any = |differing: &[u32; N]| differing.iter().fold(0, |any, bits| any | bits) != 0;
    for index in 1..size {
        let samples: &[f32; N] = lanes(&samples[index * step..]);
        for lane in 0..N {
            differing[lane] |= first[lane].to_bits() ^ samples[lane].to_bits();
        }
        if index % SAMPLES_PER_CHECK == 1 && any(&differing) {
            return false;
        }
    }
    !any(&differing)
}

#[cfg(test)]
mod tests {
    use crate::array::sample::Sample;
    use crate::array::view::{View, ViewMut};
    use crate::border::Border;
    use crate::exec::simd::testing::every_level;
    use crate::filter::correlate1d::{AxisPass, correlate_rows};
    use ndarray::{ArrayD, Axis};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn approximated_bytes_equal_truncated_sums(
            height in 1_usize..60,
            width in 1_usize..90,
            inner in 1_usize..5,
            half in prop::collection::vec(0.0_f64..0.5, 1..9),
            kind in 0..3,
            run in prop::sample::select(vec![1_usize, 7, 64, 5000]),
            axis in 0_usize..3,
            repeated in prop::sample::select(vec![0_usize, 3, 20, 1000]),
            code in 0..7,
        ) {
            let total = half[0] + 2.0 * half[1..].iter().sum::<f64>();
            // Weights with sum 1, so that constant areas lie at the edge of truncation; derivatives; arbitrary ones.
            let scale = if kind == 0 { 1.0 / total.max(0.1) } else { 1.0 };
            let sign = if kind == 1 { -1.0 } else { 1.0 };
            let (left, right) = (half[1..].iter().rev(), half[1..].iter().map(|weight| sign * weight));
            let weights: Vec<f64> =
                left.copied().chain([half[0]]).chain(right).map(|weight| weight * scale).collect();
            let mut count = 0_usize;
            let shape = vec![height, width, inner];
            let mut bytes = ArrayD::from_shape_simple_fn(shape, || { count += 1; (count / run * 31 % 256) as u8 });
            // From the middle on, rows equal the one before.
            let first = bytes.index_axis(Axis(axis), 0).to_owned();
            bytes.axis_iter_mut(Axis(axis)).skip(repeated).for_each(|mut row| row.assign(&first));
            let border = Border::from_code(code).unwrap();
            let mut sums = bytes.mapv(f64::from);
            let pass = AxisPass { axis, weights: &weights, border, fill: 7.0, origin: 0 };
            correlate_rows(None, ViewMut::F64(sums.view_mut()), pass, 0).unwrap();
            let expected = sums.mapv(u8::from_f64_truncated);
            for _ in every_level() {
                let mut output = bytes.clone();
                let view = ViewMut::U8(output.view_mut());
                correlate_rows(Some(&View::U8(bytes.view())), view, pass, 0).unwrap();
                prop_assert_eq!(&output, &expected);
            }
        }
    }
}
