//! The inverse cosine transform of libjpeg's "islow": 8 × 8 integers, columns first, 13 bits of fraction.
//!
//! libjpeg-turbo's SIMD code keeps samples, sums of two of them and the columns' results in 16 bits, where its plain C
//! code takes 32. Both give the same bytes as long as nothing overflows. [`COLUMN_LIMIT`] bounds the coefficients so
//! that nothing does, and blocks above it are refused. Blocks made of 8-bit samples stay below it: their coefficients'
//! squares sum to at most 64 · 128², so that the eight of a column sum to at most √8 · 8 · 128 = 2896.

use super::transpose::transpose;

/// The largest sum of absolute coefficients in a column. A column's results are at most 4 · 1.387 times that sum, and
/// the sum of any two of them must fit into 16 bits: 2 · 5.55 · 2950 < 32768.
pub(super) const COLUMN_LIMIT: i32 = 2950;

pub(super) const FRACTION: u32 = 13;
/// Bits of fraction that the columns' results keep.
pub(super) const KEPT: u32 = 2;

/// For each column, the largest sum of absolute coefficients so far.
pub(super) type ColumnSums = [i32; 8];

/// Whether a block was transformed whose coefficients are too large.
pub(super) fn exceeds_limit(sums: &ColumnSums) -> bool {
    sums.iter().any(|&sum| sum > COLUMN_LIMIT)
}

/// The sample at every pixel of a block that has no other coefficient than `dc`, which is below [`COLUMN_LIMIT`].
#[inline(always)]
pub(super) fn flat_sample(dc: i32) -> u8 {
    ((dc + 4) >> 3).saturating_add(128).clamp(0, 255) as u8
}

/// Transform a block into `out`, rows of which are `stride` apart.
///
/// Only the first `N` (4 or 8) rows and columns of coefficients are read; the others must be zero.
#[inline(always)]
pub(super) fn transform<const N: usize>(
    coefficients: &[i16; 64],
    quantization: &[i16; 64],
    sums: &mut ColumnSums,
    out: &mut [u8],
    stride: usize,
) {
    let block = dequantize::<N>(coefficients, quantization, sums);
    let mut columns = [0_i16; 64];
    for lane in 0..8 {
        let results = transform_line::<N>(|k| block[8 * k + lane]);
        for k in 0..8 {
            columns[8 * k + lane] = descale::<{ FRACTION - KEPT }>(results[k]) as i16;
        }
    }
    let columns = transpose(&columns);
    let mut rows = [0_i16; 64];
    for lane in 0..8 {
        let results = transform_line::<N>(|k| columns[8 * k + lane]);
        for k in 0..8 {
            let sample = descale::<{ FRACTION + KEPT + 3 }>(results[k]);
            rows[8 * k + lane] = sample.clamp(-128, 127) as i16;
        }
    }
    let rows = transpose(&rows);
    for (k, row) in rows.as_chunks::<8>().0.iter().enumerate() {
        let out: &mut [u8; 8] = out[k * stride..].first_chunk_mut().expect("a block fits into its rows");
        for (out, &sample) in out.iter_mut().zip(row) {
            *out = (sample + 128) as u8;
        }
    }
}

/// The first `N` rows of a block's coefficients times their factors, with note of the columns' sums.
#[inline(always)]
pub(super) fn dequantize<const N: usize>(
    coefficients: &[i16; 64],
    quantization: &[i16; 64],
    sums: &mut ColumnSums,
) -> [i16; 64] {
    let mut block = [0_i16; 64];
    let mut column_sums = [0_i32; 8];
    for row in 0..N {
        for (column, sum) in column_sums.iter_mut().enumerate() {
            let at = 8 * row + column;
            let product = i32::from(coefficients[at]) * i32::from(quantization[at]);
            *sum += product.abs();
            block[at] = product as i16;
        }
    }
    for (most, sum) in sums.iter_mut().zip(column_sums) {
        *most = (*most).max(sum);
    }
    block
}

/// Transform eight numbers, of which those from `N` on are zero. Grouped as libjpeg-turbo's SIMD code groups them, so
/// that all factors are of 16 bits; the sums are the same in any grouping.
#[inline(always)]
fn transform_line<const N: usize>(get: impl Fn(usize) -> i16) -> [i32; 8] {
    let at = |k: usize| if k < N { get(k) } else { 0 };
    let times = |value: i16, factor: i16| i32::from(value).wrapping_mul(i32::from(factor));
    let sum = i32::wrapping_add;
    let less = i32::wrapping_sub;

    let (z2, z3) = (at(2), at(6));
    let z1 = times(z2.wrapping_add(z3), 4433);
    let (even2, even3) = (less(z1, times(z3, 15137)), sum(z1, times(z2, 6270)));
    let even0 = i32::from(at(0).wrapping_add(at(4))) << FRACTION;
    let even1 = i32::from(at(0).wrapping_sub(at(4))) << FRACTION;
    let (a0, a3) = (sum(even0, even3), less(even0, even3));
    let (a1, a2) = (sum(even1, even2), less(even1, even2));

    let (t0, t1, t2, t3) = (at(7), at(5), at(3), at(1));
    let (z3, z4) = (t0.wrapping_add(t2), t1.wrapping_add(t3));
    let z3_sum = less(times(z4, 9633), times(z3, 6436));
    let z4_sum = sum(times(z3, 9633), times(z4, 6437));
    let b0 = less(less(z3_sum, times(t0, 4927)), times(t3, 7373));
    let b1 = less(less(z4_sum, times(t1, 4176)), times(t2, 20995));
    let b2 = less(sum(z3_sum, times(t2, 4177)), times(t1, 20995));
    let b3 = less(sum(z4_sum, times(t3, 4926)), times(t0, 7373));
    [
        sum(a0, b3),
        sum(a1, b2),
        sum(a2, b1),
        sum(a3, b0),
        less(a3, b0),
        less(a2, b1),
        less(a1, b2),
        less(a0, b3),
    ]
}

#[inline(always)]
pub(super) fn descale<const BITS: u32>(value: i32) -> i32 {
    value.wrapping_add(1 << (BITS - 1)) >> BITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// jidctint.c, in 64 bits, without regard to speed.
    fn line_by_definition(d: [i64; 8]) -> [i64; 8] {
        let z1 = (d[2] + d[6]) * 4433;
        let (tmp2, tmp3) = (z1 - d[6] * 15137, z1 + d[2] * 6270);
        let (tmp0, tmp1) = ((d[0] + d[4]) << 13, (d[0] - d[4]) << 13);
        let even = [tmp0 + tmp3, tmp1 + tmp2, tmp1 - tmp2, tmp0 - tmp3];
        let z5 = (d[7] + d[3] + d[5] + d[1]) * 9633;
        let (z1, z2) = (-(d[7] + d[1]) * 7373, -(d[5] + d[3]) * 20995);
        let (z3, z4) = (z5 - (d[7] + d[3]) * 16069, z5 - (d[5] + d[1]) * 3196);
        let odd =
            [d[1] * 12299 + z1 + z4, d[3] * 25172 + z2 + z3, d[5] * 16819 + z2 + z4, d[7] * 2446 + z1 + z3];
        std::array::from_fn(|k| if k < 4 { even[k] + odd[k] } else { even[7 - k] - odd[7 - k] })
    }

    fn by_definition(coefficients: &[i16; 64], quantization: &[i16; 64]) -> [u8; 64] {
        let mut block: [i64; 64] =
            std::array::from_fn(|i| i64::from(coefficients[i]) * i64::from(quantization[i]));
        for column in 0..8 {
            let results = line_by_definition(std::array::from_fn(|k| block[8 * k + column]));
            (0..8).for_each(|k| block[8 * k + column] = (results[k] + (1 << 10)) >> 11);
        }
        for row in 0..8 {
            let results = line_by_definition(std::array::from_fn(|k| block[8 * row + k]));
            (0..8).for_each(|k| block[8 * row + k] = (results[k] + (1 << 17)) >> 18);
        }
        block.map(|sample| (sample + 128).clamp(0, 255) as u8)
    }

    fn sparse() -> impl Strategy<Value = [i16; 64]> {
        proptest::collection::vec((0..64_usize, -700..700_i16), 1..30).prop_map(|set| {
            let mut block = [0; 64];
            set.into_iter().for_each(|(at, value)| block[at] = value);
            block
        })
    }

    proptest! {
        #[test]
        fn is_the_definition_below_the_limit(block in sparse(), small: bool, factor in 1..40_i16) {
            let keep = |i: usize| !small || (i % 8 < 4 && i / 8 < 4);
            let block = std::array::from_fn(|i| if keep(i) { block[i] } else { 0 });
            let quantization = std::array::from_fn(|i| factor + i as i16);
            let mut sums = [0; 8];
            let mut out = [7; 8 * 11];
            if small {
                transform::<4>(&block, &quantization, &mut sums, &mut out, 11);
            } else {
                transform::<8>(&block, &quantization, &mut sums, &mut out, 11);
            }
            let expected_sums: [i32; 8] = std::array::from_fn(|column| {
                (0..8).map(|k| 8 * k + column).map(|i| (i32::from(block[i]) * i32::from(quantization[i])).abs()).sum()
            });
            prop_assert_eq!(sums, expected_sums);
            if !exceeds_limit(&sums) {
                let expected = by_definition(&block, &quantization);
                for row in 0..8 {
                    prop_assert_eq!(&out[11 * row..11 * row + 8], &expected[8 * row..8 * row + 8]);
                    prop_assert!(row == 7 || out[11 * row + 8..11 * row + 11] == [7; 3]);
                }
            }
        }
    }

    #[test]
    fn a_flat_block_is_the_definition() {
        for dc in -COLUMN_LIMIT..=COLUMN_LIMIT {
            let mut block = [0; 64];
            block[0] = dc as i16;
            assert_eq!([flat_sample(dc); 64], by_definition(&block, &[1; 64]), "{dc}");
        }
    }
}
