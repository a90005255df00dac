//! The filters of PNG: each sample less a value predicted from its neighbours.

use crate::Refused;

/// The numbers of the filters in front of a row: nothing subtracted, the value to the left, the one above, the mean of
/// both, and Paeth's choice.
const NONE: u8 = 0;
const LEFT: u8 = 1;
const ABOVE: u8 = 2;
const MEAN: u8 = 3;
pub(super) const PAETH: u8 = 4;

/// Write the differences of a row from Paeth's prediction. `above` is the row before, or zeros, and `pixel` the bytes
/// per pixel.
pub(super) fn subtract_paeth(row: &[u8], above: &[u8], pixel: usize, out: &mut [u8]) {
    // Left of a row lie zeros, and of an upper value alone the prediction is that value.
    for ((out, value), above) in out.iter_mut().zip(row).zip(above).take(pixel) {
        *out = value.wrapping_sub(*above);
    }
    let inner = row.len() - pixel;
    let (left, row) = (&row[..inner], &row[pixel..]);
    let (above_left, above) = (&above[..inner], &above[pixel..]);
    let neighbours = left.iter().zip(above).zip(above_left);
    for ((out, value), ((left, above), above_left)) in out[pixel..].iter_mut().zip(row).zip(neighbours) {
        *out = value.wrapping_sub(paeth(*left, *above, *above_left));
    }
}

/// Restore a row from what a filter left of it. `above` is the row before, or zeros, and `pixel` the bytes per pixel.
///
/// # Errors
///
/// [`Refused`] if there is no such filter.
pub(super) fn restore(
    filter: u8,
    coded: &[u8],
    above: &[u8],
    pixel: usize,
    out: &mut [u8],
) -> Result<(), Refused> {
    match pixel {
        1 => restore_pixels::<1>(filter, coded, above, out),
        2 => restore_pixels::<2>(filter, coded, above, out),
        3 => restore_pixels::<3>(filter, coded, above, out),
        4 => restore_pixels::<4>(filter, coded, above, out),
        6 => restore_pixels::<6>(filter, coded, above, out),
        8 => restore_pixels::<8>(filter, coded, above, out),
        _ => Err(Refused("it has pixels of another size")),
    }
}

fn restore_pixels<const PIXEL: usize>(
    filter: u8,
    coded: &[u8],
    above: &[u8],
    out: &mut [u8],
) -> Result<(), Refused> {
    let pixels = coded.as_chunks::<PIXEL>().0.iter().zip(above.as_chunks::<PIXEL>().0);
    let pixels = pixels.zip(out.as_chunks_mut::<PIXEL>().0);
    let mut left = [0; PIXEL];
    match filter {
        NONE => out.copy_from_slice(coded),
        ABOVE => {
            for ((out, coded), above) in out.iter_mut().zip(coded).zip(above) {
                *out = coded.wrapping_add(*above);
            }
        }
        LEFT => {
            for ((coded, _), out) in pixels {
                for at in 0..PIXEL {
                    left[at] = coded[at].wrapping_add(left[at]);
                }
                *out = left;
            }
        }
        MEAN => {
            for ((coded, above), out) in pixels {
                for at in 0..PIXEL {
                    let mean = (u16::from(left[at]) + u16::from(above[at])) / 2;
                    left[at] = coded[at].wrapping_add(mean as u8);
                }
                *out = left;
            }
        }
        PAETH => {
            // Each pixel waits for the one to its left, so what counts is how many operations that wait takes.
            let (mut left, mut above_left) = ([0_i16; PIXEL], [0_i16; PIXEL]);
            for ((coded, above), out) in pixels {
                for at in 0..PIXEL {
                    let above = i16::from(above[at]);
                    let predicted = sorted_paeth(left[at], above, above_left[at]);
                    above_left[at] = above;
                    left[at] = (predicted + i16::from(coded[at])) & 0xff;
                    out[at] = left[at] as u8;
                }
            }
        }
        _ => return Err(Refused("it has a row with an unknown filter")),
    }
    Ok(())
}

/// As [`paeth`], in fewer steps one after another: of `left` and `above` the larger one is nearest if
/// `3 above_left - left - above` is not above the smaller one, and the smaller one if it is not below the larger one.
#[inline(always)]
fn sorted_paeth(left: i16, above: i16, above_left: i16) -> i16 {
    let bound = 3 * above_left - (left + above);
    let (low, high) = (left.min(above), left.max(above));
    let low_or_corner = if high <= bound { low } else { above_left };
    if bound <= low { high } else { low_or_corner }
}

/// Whichever neighbour is nearest to `left + above - above_left`; on a tie the first of left, above, above left.
#[inline(always)]
fn paeth(left: u8, above: u8, above_left: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(above), i16::from(above_left));
    let (from_left, from_above) = ((b - c).abs(), (a - c).abs());
    let from_above_left = (a + b - 2 * c).abs();
    let nearer = if from_left <= from_above { left } else { above };
    if from_left.min(from_above) <= from_above_left { nearer } else { above_left }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the PNG specification words it.
    fn defined(a: i32, b: i32, c: i32) -> i32 {
        let p = a + b - c;
        let (pa, pb, pc) = ((p - a).abs(), (p - b).abs(), (p - c).abs());
        if pa <= pb && pa <= pc {
            a
        } else if pb <= pc {
            b
        } else {
            c
        }
    }

    #[test]
    fn paeth_is_the_same_in_fewer_steps() {
        for at in 0..1_u32 << 24 {
            let [a, b, c, _] = at.to_le_bytes();
            let sorted = sorted_paeth(i16::from(a), i16::from(b), i16::from(c));
            assert_eq!(sorted as u8, paeth(a, b, c), "{a} {b} {c}");
        }
    }

    proptest! {
        #[test]
        fn rows_are_restored(
            filter in 0_u8..5,
            pixel in prop::sample::select(vec![1_usize, 2, 3, 4, 6, 8]),
            values in (1_usize..30).prop_flat_map(|n| prop::collection::vec(any::<[u8; 2]>(), n * 8)),
        ) {
            let values = &values[..values.len() / 8 * pixel];
            let (row, above): (Vec<u8>, Vec<u8>) = values.iter().map(|[a, b]| (*a, *b)).unzip();
            let coded: Vec<u8> = (0..row.len()).map(|x| {
                let before = |line: &[u8]| if x < pixel { 0 } else { i32::from(line[x - pixel]) };
                let (a, b, c) = (before(&row), i32::from(above[x]), before(&above));
                let predicted = [0, a, b, (a + b) / 2, defined(a, b, c)][usize::from(filter)];
                (i32::from(row[x]) - predicted).rem_euclid(256) as u8
            }).collect();
            let mut out = vec![7; row.len()];
            prop_assert_eq!(restore(filter, &coded, &above, pixel, &mut out), Ok(()));
            prop_assert_eq!(out, row);
            prop_assert!(restore(5, &coded, &above, pixel, &mut vec![0; coded.len()]).is_err());
        }

        #[test]
        fn paeth_is_as_defined(
            pixel in 1_usize..5,
            values in (1_usize..40).prop_flat_map(|n| prop::collection::vec(any::<[u8; 2]>(), n * 4)),
        ) {
            let values = &values[..values.len() / 4 * pixel];
            let (row, above): (Vec<u8>, Vec<u8>) = values.iter().map(|[a, b]| (*a, *b)).unzip();
            let mut out = vec![0; row.len()];
            subtract_paeth(&row, &above, pixel, &mut out);
            for x in 0..row.len() {
                let before = |line: &[u8]| if x < pixel { 0 } else { i32::from(line[x - pixel]) };
                let predicted = defined(before(&row), i32::from(above[x]), before(&above));
                prop_assert_eq!(i32::from(out[x]), (i32::from(row[x]) - predicted).rem_euclid(256));
            }
        }
    }
}
