//! Bytes scaled to `f32`: `value * scale + offset` in `f64`, rounded once.
//!
//! Scale and offset differ per channel. Blocks of as many pixels as a register has lanes always start with the same
//! channel, so the numbers of one block are tabulated once and serve all blocks.

use crate::array::sample::Sample;
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};

/// Pixels of a block: the lanes of a register of `f32`.
const PIXELS: usize = 16;

/// `output[.., c] = input[.., c] * scale + offset` with the scale and offset of channel c, for C-contiguous arrays of bytes and of
/// `f32` whose last axis is the channel.
pub fn scale(output: ViewMut<'_>, input: &View<'_>, linear: &[[f64; 2]]) -> Result<()> {
    let channels = input.shape().last().copied().unwrap_or(1);
    if output.shape() != input.shape() || linear.len() != channels {
        let shapes = (output.shape(), input.shape());
        return Err(KernelError::shape(format!(
            "output and input of shapes {shapes:?}, {} channels",
            linear.len()
        )));
    }
    let ViewMut::F32(mut output) = output else {
        return Err(KernelError::parameter("bytes are scaled to float32"));
    };
    match (output.as_slice_mut(), input) {
        (Some(to), View::U8(input)) if input.is_standard_layout() => {
            by_channels(input.as_slice(), to, linear)
        }
        (Some(to), View::I8(input)) if input.is_standard_layout() => {
            by_channels(input.as_slice(), to, linear)
        }
        _ => return Err(KernelError::shape("bytes are scaled in C order")),
    }
    Ok(())
}

fn by_channels<T: Sample>(from: Option<&[T]>, to: &mut [f32], linear: &[[f64; 2]]) {
    let from = from.unwrap_or_default();
    match linear.len() {
        1 => dispatch(Scale::<T, 1, PIXELS> { from, to, linear }),
        2 => dispatch(Scale::<T, 2, { 2 * PIXELS }> { from, to, linear }),
        3 => dispatch(Scale::<T, 3, { 3 * PIXELS }> { from, to, linear }),
        4 => dispatch(Scale::<T, 4, { 4 * PIXELS }> { from, to, linear }),
        channels => {
            for (to, from) in to.chunks_exact_mut(channels.max(1)).zip(from.chunks_exact(channels.max(1))) {
                for ((to, from), [scale, offset]) in to.iter_mut().zip(from).zip(linear) {
                    *to = (from.to_f64() * scale + offset) as f32;
                }
            }
        }
    }
}

struct Scale<'a, T, const CHANNELS: usize, const BLOCK: usize> {
    from: &'a [T],
    to: &'a mut [f32],
    linear: &'a [[f64; 2]],
}

impl<T: Sample, const CHANNELS: usize, const BLOCK: usize> Kernel for Scale<'_, T, CHANNELS, BLOCK> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { from, to, linear } = self;
        let (mut scales, mut offsets) = ([0.0; BLOCK], [0.0; BLOCK]);
        for lane in 0..BLOCK {
            [scales[lane], offsets[lane]] = linear[lane % CHANNELS];
        }
        let (blocks, rest) = to.as_chunks_mut::<BLOCK>();
        let (blocks_from, rest_from) = from.as_chunks::<BLOCK>();
        for (to, from) in blocks.iter_mut().zip(blocks_from) {
            for lane in 0..BLOCK {
                to[lane] = (from[lane].to_f64() * scales[lane] + offsets[lane]) as f32;
            }
        }
        for (lane, (to, from)) in rest.iter_mut().zip(rest_from).enumerate() {
            *to = (from.to_f64() * scales[lane] + offsets[lane]) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_byte_is_scaled_by_the_numbers_of_its_channel(
            shape in (0_usize..9, 0_usize..20, 1_usize..7), numbers in prop::collection::vec(-3.0..3.0_f64, 12),
        ) {
            let input = ArrayD::from_shape_fn(vec![shape.0, shape.1, shape.2], |at| {
                (at[0] * 91 + at[1] * 17 + at[2] * 5) as i8
            });
            let linear: Vec<[f64; 2]> = (0..shape.2).map(|c| [numbers[2 * c], numbers[2 * c + 1]]).collect();
            at_every_level(1, || {
                let mut found = ArrayD::<f32>::zeros(input.raw_dim());
                scale(ViewMut::F32(found.view_mut()), &View::I8(input.view()), &linear).unwrap();
                for (at, value) in found.indexed_iter() {
                    let [scale, offset] = linear[at[2]];
                    prop_assert_eq!(*value, (f64::from(input[&at]) * scale + offset) as f32);
                }
                Ok(())
            })?;
        }
    }
}
