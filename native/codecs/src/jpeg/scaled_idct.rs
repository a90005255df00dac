//! Inverse cosine transforms of a block to 4 × 4 and 2 × 2 samples, to the bytes of libjpeg's jidctred.c: columns first, with
//! the fractions of the full transform (`idct`). To one sample, it is the mean alone.
//!
//! Frequencies that the fewer samples do not show are left out, and so are a few that barely do: the fourth one along
//! an axis of four samples, and the even ones along an axis of two.
//!
//! libjpeg-turbo's SIMD code keeps the columns' results in 16 bits. They are at most 5.2 times the sum of a column's
//! absolute coefficients, which [`COLUMN_LIMIT`](super::idct::COLUMN_LIMIT) bounds to 2950.

use super::idct::{ColumnSums, FRACTION, KEPT, dequantize, descale};
use std::array;

/// Transform a block to 4 × 4 samples, rows of which are `stride` apart.
#[inline(always)]
pub(super) fn half(
    coefficients: &[i16; 64],
    quantization: &[i16; 64],
    sums: &mut ColumnSums,
    out: &mut [u8],
    stride: usize,
) {
    let block = dequantize::<8>(coefficients, quantization, sums);
    let mut columns = [[0_i32; 8]; 4];
    for lane in 0..8 {
        let results = line_of_four(array::from_fn(|k| i32::from(block[8 * k + lane])));
        for k in 0..4 {
            columns[k][lane] = descale::<{ FRACTION - KEPT + 1 }>(results[k]);
        }
    }
    for (k, row) in columns.iter().enumerate() {
        let samples = line_of_four(*row).map(descale::<{ FRACTION + KEPT + 3 + 1 }>);
        out[k * stride..][..4].copy_from_slice(&samples.map(sample));
    }
}

/// Transform a block to 2 × 2 samples, rows of which are `stride` apart.
#[inline(always)]
pub(super) fn quarter(
    coefficients: &[i16; 64],
    quantization: &[i16; 64],
    sums: &mut ColumnSums,
    out: &mut [u8],
    stride: usize,
) {
    let block = dequantize::<8>(coefficients, quantization, sums);
    let mut columns = [[0_i32; 8]; 2];
    for lane in 0..8 {
        let results = line_of_two(array::from_fn(|k| i32::from(block[8 * k + lane])));
        for k in 0..2 {
            columns[k][lane] = descale::<{ FRACTION - KEPT + 2 }>(results[k]);
        }
    }
    for (k, row) in columns.iter().enumerate() {
        let samples = line_of_two(*row).map(descale::<{ FRACTION + KEPT + 3 + 2 }>);
        out[k * stride..][..2].copy_from_slice(&samples.map(sample));
    }
}

/// Twice as large as the results, for one more bit of `descale`.
#[inline(always)]
fn line_of_four(d: [i32; 8]) -> [i32; 4] {
    let times = i32::wrapping_mul;
    let sum = |terms: [i32; 4]| terms.into_iter().fold(0, i32::wrapping_add);
    let even0 = d[0].wrapping_shl(FRACTION + 1);
    let even2 = times(d[2], 15137).wrapping_sub(times(d[6], 6270));
    let (a0, a1) = (even0.wrapping_add(even2), even0.wrapping_sub(even2));
    let b1 = sum([times(d[7], -1730), times(d[5], 11893), times(d[3], -17799), times(d[1], 8697)]);
    let b0 = sum([times(d[7], -4176), times(d[5], -4926), times(d[3], 7373), times(d[1], 20995)]);
    [a0.wrapping_add(b0), a1.wrapping_add(b1), a1.wrapping_sub(b1), a0.wrapping_sub(b0)]
}

/// Four times as large as the results, for two more bits of `descale`.
#[inline(always)]
fn line_of_two(d: [i32; 8]) -> [i32; 2] {
    let times = i32::wrapping_mul;
    let even = d[0].wrapping_shl(FRACTION + 2);
    let odd = [times(d[7], -5906), times(d[5], 6967), times(d[3], -10426), times(d[1], 29692)]
        .into_iter()
        .fold(0, i32::wrapping_add);
    [even.wrapping_add(odd), even.wrapping_sub(odd)]
}

#[inline(always)]
fn sample(value: i32) -> u8 {
    (value.clamp(-128, 127) + 128) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jpeg::idct::exceeds_limit;
    use proptest::prelude::*;
    use std::f64::consts::PI;

    /// The cosine transform in real numbers.
    fn in_real_numbers(block: &[f64; 64]) -> [f64; 64] {
        let basis = |k: usize, x: usize| {
            let norm = if k == 0 { 0.125_f64.sqrt() } else { 0.5 };
            norm * (PI * ((2 * x + 1) * k) as f64 / 16.0).cos()
        };
        let at = |y: usize, x: usize| {
            let terms = (0..64).map(|i| block[i] * basis(i / 8, y) * basis(i % 8, x));
            terms.sum::<f64>()
        };
        array::from_fn(|i| at(i / 8, i % 8))
    }

    proptest! {
        /// The samples mean those of the full transform, averaged.
        #[test]
        fn low_frequencies_are_transformed(values in proptest::collection::vec(-150..150_i16, 4), mean in -700..700_i16) {
            let mut block = [0; 64];
            block[0] = mean;
            (block[1], block[8], block[9], block[2]) = (values[0], values[1], values[2], values[3]);
            let averaged = |block: &[i16; 64], n: usize| -> Vec<f64> {
                let full = in_real_numbers(&block.map(f64::from));
                let size = 8 / n;
                let mean = |y: usize, x: usize| {
                    let pixels = (0..size * size).map(|i| full[8 * (size * y + i / size) + size * x + i % size]);
                    pixels.sum::<f64>() / (size * size) as f64
                };
                (0..n * n).map(|i| mean(i / n, i % n)).collect()
            };
            for n in [4, 2] {
                let (mut sums, mut out) = ([0; 8], [7; 4 * 6]);
                if n == 4 {
                    half(&block, &[1; 64], &mut sums, &mut out, 6);
                } else {
                    block[2] = 0; // the even ones are left out
                    quarter(&block, &[1; 64], &mut sums, &mut out, 6);
                }
                prop_assert!(!exceeds_limit(&sums));
                for (i, expected) in averaged(&block, n).into_iter().enumerate() {
                    let found = f64::from(out[6 * (i / n) + i % n]);
                    let expected = (expected + 128.0).clamp(0.0, 255.0);
                    prop_assert!((found - expected).abs() < 1.0, "{n} {i}: {found} {expected}");
                }
                prop_assert!(out.iter().enumerate().all(|(i, &v)| (i % 6 < n && i / 6 < n) || v == 7));
            }
        }
    }

    #[test]
    fn a_mean_alone_is_flat() {
        for dc in -2950..=2950 {
            let mut block = [0; 64];
            block[0] = dc as i16;
            let (mut sums, mut four, mut two) = ([0; 8], [0; 16], [0; 4]);
            half(&block, &[1; 64], &mut sums, &mut four, 4);
            quarter(&block, &[1; 64], &mut sums, &mut two, 2);
            let expected = crate::jpeg::idct::flat_sample(dc);
            assert_eq!((four, two), ([expected; 16], [expected; 4]), "{dc}");
        }
    }
}
