//! How often each value of 8 or 16 bits occurs in each channel.

use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::threads::check_interrupt;
use crate::memory;

/// Values that are counted in 32 bits, at most.
const PART: usize = 1 << 24;

/// Counters of bytes side by side: two equal values one after another need not wait for each other.
const SIDE_BY_SIDE: usize = 4;

/// Write `counts[c, v]`, the number of values v of channel c, of an image (pixels, channels) in C order.
///
/// `counts` is `i64` of the shape (channels, 256), or (channels, 65536).
pub fn count(counts: ViewMut<'_>, input: &View<'_>) -> Result<()> {
    let channels = input.shape().last().copied().unwrap_or(0);
    let levels = 1 << (8 * input.sample_bytes());
    let shape = counts.shape();
    if input.ndim() != 2 || shape != [channels, levels] {
        return Err(KernelError::shape(format!("counts of shape {shape:?} for {:?}", input.shape())));
    }
    let ViewMut::I64(counts) = counts else {
        return Err(KernelError::parameter("counts are int64"));
    };
    let Some(counts) = counts.into_slice() else { return out_of_order() };
    counts.fill(0);
    if channels == 0 {
        return Ok(());
    }
    match input {
        View::U8(from) => {
            let Some(from) = from.as_slice() else { return out_of_order() };
            for part in from.chunks(PART / channels * channels) {
                match channels {
                    1 => bytes::<1>(part, counts),
                    3 => bytes::<3>(part, counts),
                    4 => bytes::<4>(part, counts),
                    _ => each(part, counts, channels, levels),
                }
                check_interrupt();
            }
            Ok(())
        }
        View::U16(from) => {
            let Some(from) = from.as_slice() else { return out_of_order() };
            for part in from.chunks(PART / channels * channels) {
                each(part, counts, channels, levels);
                check_interrupt();
            }
            Ok(())
        }
        _ => Err(KernelError::parameter("only values of 8 and 16 bits are counted")),
    }
}

fn out_of_order() -> Result<()> {
    Err(KernelError::shape("values are counted in C order"))
}

fn each<T: Copy + Into<usize>>(from: &[T], counts: &mut [i64], channels: usize, levels: usize) {
    for pixel in from.chunks_exact(channels) {
        for (value, counts) in pixel.iter().zip(counts.chunks_exact_mut(levels)) {
            counts[(*value).into()] += 1;
        }
    }
}

fn bytes<const CHANNELS: usize>(from: &[u8], counts: &mut [i64]) {
    let mut tables = memory::zeros::<[u32; 256]>(SIDE_BY_SIDE * CHANNELS);
    let (tables, _) = tables.as_chunks_mut::<CHANNELS>();
    let (pixels, _) = from.as_chunks::<CHANNELS>();
    let (blocks, rest) = pixels.as_chunks::<SIDE_BY_SIDE>();
    for block in blocks {
        for (pixel, tables) in block.iter().zip(&mut *tables) {
            for (value, table) in pixel.iter().zip(tables) {
                table[usize::from(*value)] += 1;
            }
        }
    }
    for pixel in rest {
        for (value, table) in pixel.iter().zip(&mut tables[0]) {
            table[usize::from(*value)] += 1;
        }
    }
    for tables in tables {
        for (sum, count) in counts.iter_mut().zip(tables.as_flattened()) {
            *sum += i64::from(*count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_value_is_counted_once((pixels, channels) in (0_usize..300, 1_usize..6), factor in any::<u16>()) {
            let input = Array2::from_shape_fn((pixels, channels), |(p, c)| {
                ((p * p + 3 * c) as u16 >> 3).wrapping_mul(factor)
            });
            let narrow = input.mapv(|value| value as u8);
            let (mut wide, mut bytes) =
                (Array2::<i64>::zeros((channels, 65536)), Array2::<i64>::zeros((channels, 256)));
            count(ViewMut::I64(wide.view_mut().into_dyn()), &View::U16(input.view().into_dyn())).unwrap();
            count(ViewMut::I64(bytes.view_mut().into_dyn()), &View::U8(narrow.view().into_dyn())).unwrap();
            for channel in 0..channels {
                for value in input.column(channel) {
                    wide[[channel, usize::from(*value)]] -= 1;
                    bytes[[channel, usize::from(*value as u8)]] -= 1;
                }
            }
            prop_assert!(wide.iter().chain(&bytes).all(|left| *left == 0));
        }
    }
}
