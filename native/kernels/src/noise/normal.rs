//! Normally distributed noise on the pixels of an image.

use crate::array::level::{GreyLevel, clipped};
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::noise::box_muller::{self, BLOCK};
use crate::noise::philox::Stream;
use crate::walk::pixel_blocks;

/// What becomes of a value and a number z of the normal distribution.
#[derive(Debug, Clone, Copy)]
pub enum NormalNoise {
    /// `value + (z * spread + mean)`.
    Add {
        /// Standard deviation.
        spread: f32,
        /// What is added besides.
        mean: f32,
    },
    /// `value + value * (z * spread)`.
    Multiply {
        /// Standard deviation of the factor.
        spread: f32,
    },
    /// The noise of a sensor, red, green and blue: one number for the brightness, one for each colour.
    Sensor {
        /// Of the colours, in the image's units.
        shift: f32,
        /// Of white's brightness, in shares of `top`.
        intensity: f32,
        /// The value of white.
        top: f32,
    },
}

/// Add noise to an image (pixels, channels) of `u8`, `u16` or `f32` in C order, into one of the same type.
///
/// `is_shared` is whether all channels of a pixel have the same number; results are limited to 0 to `top` if it is given.
pub fn add(
    output: ViewMut<'_>,
    input: &View<'_>,
    stream: Stream,
    noise: NormalNoise,
    is_shared: bool,
    top: Option<f32>,
) -> Result<()> {
    let &[_, channels] = input.shape() else {
        return Err(KernelError::shape("pixels and channels have two axes"));
    };
    let is_sensor = matches!(noise, NormalNoise::Sensor { .. });
    if output.shape() != input.shape() || (is_sensor && channels != 3) {
        return Err(KernelError::shape(format!("noise from {:?} to {:?}", input.shape(), output.shape())));
    }
    let work = NormalWork { stream, noise, channels, is_shared, top };
    match (output, input) {
        (ViewMut::U8(to), View::U8(from)) => run(to.into_slice(), from.as_slice(), work),
        (ViewMut::U16(to), View::U16(from)) => run(to.into_slice(), from.as_slice(), work),
        (ViewMut::F32(to), View::F32(from)) => run(to.into_slice(), from.as_slice(), work),
        _ => Err(KernelError::parameter("noise is added to uint8, uint16 and float32")),
    }
}

#[derive(Clone, Copy)]
struct NormalWork {
    stream: Stream,
    noise: NormalNoise,
    channels: usize,
    is_shared: bool,
    top: Option<f32>,
}

fn run<T: GreyLevel>(to: Option<&mut [T]>, from: Option<&[T]>, work: NormalWork) -> Result<()> {
    let (Some(to), Some(from)) = (to, from) else {
        return Err(KernelError::shape("noise is added in C order"));
    };
    let channels = work.channels;
    pixel_blocks::for_each((from, to), (channels, channels), 3 * channels, |first, from, to| {
        dispatch(NormalPart { work, first, from, to });
    });
    Ok(())
}

struct NormalPart<'a, T> {
    work: NormalWork,
    /// The number of the first pixel, with which a block of numbers begins.
    first: usize,
    from: &'a [T],
    to: &'a mut [T],
}

impl<T: GreyLevel> Kernel for NormalPart<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { work, first, from, to } = self;
        let channels = work.channels;
        if let NormalNoise::Sensor { shift, intensity, top } = work.noise {
            let blocks = from.chunks(3 * BLOCK).zip(to.chunks_mut(3 * BLOCK));
            for (number, (from, to)) in blocks.enumerate() {
                sensor(&work, first / BLOCK + number, (from, to), [shift, intensity, top]);
            }
            return;
        }
        let mut numbers = [0.0; BLOCK];
        if !work.is_shared || channels == 1 {
            let blocks = from.chunks(BLOCK).zip(to.chunks_mut(BLOCK));
            for (number, (from, to)) in blocks.enumerate() {
                box_muller::fill(work.stream, 0, first * channels / BLOCK + number, &mut numbers);
                for ((to, from), z) in to.iter_mut().zip(from).zip(&numbers) {
                    *to = work.changed(*from, *z);
                }
            }
            return;
        }
        let blocks = from.chunks(BLOCK * channels).zip(to.chunks_mut(BLOCK * channels));
        for (number, (from, to)) in blocks.enumerate() {
            box_muller::fill(work.stream, 0, first / BLOCK + number, &mut numbers);
            let each = from.chunks_exact(channels).zip(to.chunks_exact_mut(channels)).zip(&numbers);
            for ((from, to), z) in each {
                for (to, from) in to.iter_mut().zip(from) {
                    *to = work.changed(*from, *z);
                }
            }
        }
    }
}

impl NormalWork {
    #[inline(always)]
    fn changed<T: GreyLevel>(&self, value: T, z: f32) -> T {
        let value = value.to_f32();
        self.limited(match self.noise {
            NormalNoise::Add { spread, mean } => value + (z * spread + mean),
            NormalNoise::Multiply { spread } => value + value * (z * spread),
            NormalNoise::Sensor { .. } => value,
        })
    }

    #[inline(always)]
    fn limited<T: GreyLevel>(&self, value: f32) -> T {
        T::of_f32(self.top.map_or(value, |top| clipped(value, top)))
    }
}

/// The noise of a sensor on the pixels whose numbers block `number` has; each of the four kinds has a plane of its own.
#[inline(always)]
fn sensor<T: GreyLevel>(
    work: &NormalWork,
    number: usize,
    (from, to): (&[T], &mut [T]),
    [shift, intensity, top]: [f32; 3],
) {
    let mut planes = [[0.0; BLOCK]; 4];
    for (plane, numbers) in (0..).zip(&mut planes) {
        box_muller::fill(work.stream, plane, number, numbers);
    }
    let [brightness, reds, greens, blues] = &planes;
    let (from, _) = from.as_chunks::<3>();
    let (to, _) = to.as_chunks_mut::<3>();
    for (pixel, (to, from)) in to.iter_mut().zip(from).enumerate().take(BLOCK) {
        let values = from.map(|value| clipped(value.to_f32(), top));
        let colours = [reds[pixel], greens[pixel], blues[pixel]];
        let mean = (colours[0] + colours[1] + colours[2]) / 3.0;
        let luma = values[0] * 0.299 + values[1] * 0.587 + values[2] * 0.114;
        let both = (luma * top).sqrt() * intensity * brightness[pixel];
        for channel in 0..3 {
            to[channel] = work.limited(values[channel] + (both + (colours[channel] - mean) * shift));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::Array2;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_gets_the_number_of_its_position(
            (pixels, channels) in (0_usize..1300, 1_usize..5), is_shared in any::<bool>(),
            seed in any::<u64>(), threads in 1_usize..3,
        ) {
            let stream = Stream { seed, frame: 2 };
            let input = Array2::from_shape_fn((pixels, channels), |(p, c)| (p * 7 + c * 31) as u8);
            let noise = NormalNoise::Add { spread: 9.5, mean: 0.25 };
            at_every_level(threads, || {
                let mut found = Array2::<u8>::zeros(input.raw_dim());
                add(
                    ViewMut::U8(found.view_mut().into_dyn()), &View::U8(input.view().into_dyn()), stream, noise,
                    is_shared, Some(250.0),
                ).unwrap();
                let mut numbers = [0.0; BLOCK];
                for ((pixel, channel), value) in found.indexed_iter() {
                    let i = if is_shared { pixel } else { pixel * channels + channel };
                    if i % BLOCK == 0 {
                        box_muller::fill(stream, 0, i / BLOCK, &mut numbers);
                    }
                    let z = numbers[i % BLOCK];
                    let wanted = f32::from(input[[pixel, channel]]) + (z * 9.5 + 0.25);
                    prop_assert_eq!(*value, wanted.clamp(0.0, 250.0).round_ties_even() as u8);
                }
                Ok(())
            })?;
        }
    }
}
