//! Bytes scaled to `f32` in `f32`, with the bytes of `value * scale + offset` in `f64`, rounded once: half its time.
//!
//! Scale and offset are cut into a coarse part, with which products and sums of bytes are exact, and the small rest,
//! whose rounding is far below that of the result.
//!
//! ```text
//! q = a power of two with |value * scale + offset| <= 2^24 q for all bytes
//! coarse = scale and offset, rounded to multiples of q;  rest = what is left
//! (value * coarse.scale + coarse.offset) + (value * rest.scale + rest.offset)
//! ```
//!
//! The last addition rounds, nearly always as the sum in `f64` is rounded: that is tried for each of the 256 values
//! when a table is made.

use offgraph_kernels::array::sample::Sample;
use offgraph_kernels::exec::simd::{Kernel, dispatch};

/// Pixels of a block: the lanes of a register of `f32`. It always starts with the same channel, so that the numbers of
/// one block serve all.
const PIXELS: usize = 16;

/// A scale and an offset in two parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitLinear {
    coarse: [f32; 2],
    rest: [f32; 2],
}

impl SplitLinear {
    /// Cut a scale and an offset.
    pub fn new([scale, offset]: [f64; 2]) -> Self {
        let q = (256.0 * scale.abs() + offset.abs()).log2().ceil().exp2() * (-24.0_f64).exp2();
        let cut = |number: f64| (number / q).round() * q;
        let coarse = [cut(scale), cut(offset)];
        let rest = [scale - coarse[0], offset - coarse[1]];
        Self { coarse: coarse.map(|number| number as f32), rest: rest.map(|number| number as f32) }
    }

    /// The result for one value.
    #[inline(always)]
    pub fn of(self, value: f32) -> f32 {
        let Self { coarse, rest } = self;
        (value * coarse[0] + coarse[1]) + (value * rest[0] + rest[1])
    }
}

/// Scale samples whose channels, one entry of `linear` each, follow one another.
pub fn scale<T: Sample + Into<f32>>(from: &[T], to: &mut [f32], linear: &[SplitLinear]) {
    match linear.len() {
        1 => dispatch(Scale::<T, 1, PIXELS> { from, to, linear }),
        2 => dispatch(Scale::<T, 2, { 2 * PIXELS }> { from, to, linear }),
        3 => dispatch(Scale::<T, 3, { 3 * PIXELS }> { from, to, linear }),
        4 => dispatch(Scale::<T, 4, { 4 * PIXELS }> { from, to, linear }),
        channels => {
            for (to, from) in to.chunks_exact_mut(channels.max(1)).zip(from.chunks_exact(channels.max(1))) {
                for ((to, from), linear) in to.iter_mut().zip(from).zip(linear) {
                    *to = linear.of((*from).into());
                }
            }
        }
    }
}

struct Scale<'a, T, const CHANNELS: usize, const BLOCK: usize> {
    from: &'a [T],
    to: &'a mut [f32],
    linear: &'a [SplitLinear],
}

impl<T: Sample + Into<f32>, const CHANNELS: usize, const BLOCK: usize> Kernel
    for Scale<'_, T, CHANNELS, BLOCK>
{
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { from, to, linear } = self;
        // An array per number, so that a register holds that of adjacent samples.
        let mut numbers = [[0.0; BLOCK]; 4];
        for lane in 0..BLOCK {
            let SplitLinear { coarse, rest } = linear[lane % CHANNELS];
            for (row, number) in numbers.iter_mut().zip([coarse[0], coarse[1], rest[0], rest[1]]) {
                row[lane] = number;
            }
        }
        let [scales, offsets, rest_scales, rest_offsets] = numbers;
        let one = |lane: usize, from: T| {
            let value: f32 = from.into();
            (value * scales[lane] + offsets[lane]) + (value * rest_scales[lane] + rest_offsets[lane])
        };
        let (blocks, rest) = to.as_chunks_mut::<BLOCK>();
        let (blocks_from, rest_from) = from.as_chunks::<BLOCK>();
        for (to, from) in blocks.iter_mut().zip(blocks_from) {
            for lane in 0..BLOCK {
                to[lane] = one(lane, from[lane]);
            }
        }
        for (lane, (to, from)) in rest.iter_mut().zip(rest_from).enumerate() {
            *to = one(lane, *from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offgraph_kernels::exec::simd;
    use proptest::prelude::*;

    fn in_double(value: i16, [scale, offset]: [f64; 2]) -> f32 {
        (f64::from(value) * scale + offset) as f32
    }

    #[test]
    fn it_nearly_always_gives_the_bytes_of_the_sum_in_f64() {
        let mut same = 0;
        for number in 0..1000_u32 {
            let noise =
                |salt: u32| f64::from((number * 7 + salt).wrapping_mul(2_654_435_761)) / f64::from(u32::MAX);
            let numbers = [(noise(1) - 0.5) / 50.0, (noise(2) - 0.5) * 5.0];
            let split = SplitLinear::new(numbers);
            let fits =
                |value: i16| split.of(f32::from(value)).to_bits() == in_double(value, numbers).to_bits();
            same += usize::from((-128..256).all(fits));
        }
        assert!(same > 950, "{same}");
    }

    proptest! {
        #[test]
        fn every_sample_is_scaled_by_the_numbers_of_its_channel(
            pixels in 0_usize..90, channels in 1_usize..7, numbers in prop::collection::vec(-3.0..3.0_f64, 12),
        ) {
            let from: Vec<i8> = (0..pixels * channels).map(|at| (at * 37 % 251) as u8 as i8).collect();
            let linear: Vec<_> =
                (0..channels).map(|c| SplitLinear::new([numbers[2 * c], numbers[2 * c + 1]])).collect();
            let before = simd::level();
            for level in ["baseline", "avx2", "avx512"] {
                simd::force(simd::Level::from_name(level).unwrap());
                let mut to = vec![0.0; from.len()];
                scale(&from, &mut to, &linear);
                for (at, found) in to.iter().enumerate() {
                    prop_assert_eq!(*found, linear[at % channels].of(f32::from(from[at])));
                }
            }
            simd::force(before);
        }
    }
}
