//! Normally distributed noise on the pixels of an image.
//!
//! A number is the sum of two quantiles: 16 random bits choose one of 65,536 values of the same probability, and two of
//! them are added. The first of number i is at position i of the stream, the second at position n + i.

use crate::array::level::{GreyLevel, clipped};
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::noise::philox::{MOST, Room16, Stream};
use crate::walk::pixel_blocks;

/// Entries of the table of quantiles.
pub const QUANTILES: usize = 1 << 16;

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
    quantiles: &[f32],
    stream: Stream,
    noise: NormalNoise,
    is_shared: bool,
    top: Option<f32>,
) -> Result<()> {
    let Ok(quantiles) = quantiles.try_into() else {
        return Err(KernelError::shape(format!("{} quantiles, not {QUANTILES}", quantiles.len())));
    };
    let &[pixels, channels] = input.shape() else {
        return Err(KernelError::shape("pixels and channels have two axes"));
    };
    let is_sensor = matches!(noise, NormalNoise::Sensor { .. });
    if output.shape() != input.shape() || (is_sensor && channels != 3) {
        return Err(KernelError::shape(format!("noise from {:?} to {:?}", input.shape(), output.shape())));
    }
    let numbers = if is_sensor {
        4 * pixels
    } else if is_shared {
        pixels
    } else {
        pixels * channels
    };
    let draws = Normals { stream, quantiles, numbers };
    let work = NormalWork { draws, noise, channels, is_shared, top, pixels };
    match (output, input) {
        (ViewMut::U8(to), View::U8(from)) => run(to.into_slice(), from.as_slice(), work),
        (ViewMut::U16(to), View::U16(from)) => run(to.into_slice(), from.as_slice(), work),
        (ViewMut::F32(to), View::F32(from)) => run(to.into_slice(), from.as_slice(), work),
        _ => Err(KernelError::parameter("noise is added to uint8, uint16 and float32")),
    }
}

/// Numbers of the normal distribution, by their positions.
#[derive(Clone, Copy)]
struct Normals<'a> {
    stream: Stream,
    quantiles: &'a [f32; QUANTILES],
    /// How many an image has.
    numbers: usize,
}

impl Normals<'_> {
    /// Write the numbers from position `first` on.
    #[inline(always)]
    fn fill(self, first: usize, mut to: &mut [f32]) {
        let mut first = first;
        if first.is_multiple_of(A_BLOCK) && self.numbers.is_multiple_of(A_BLOCK) {
            let whole = to.len() / A_BLOCK * A_BLOCK;
            let (blocks, rest) = to.split_at_mut(whole);
            let numbers = [first / A_BLOCK, (self.numbers + first) / A_BLOCK];
            add_quantiles(self.stream, numbers, self.quantiles, blocks.as_chunks_mut().0);
            (first, to) = (first + whole, rest);
        }
        let mut rooms = [Room16::default(), Room16::default()];
        let [one, other] = &mut rooms;
        let last = first + to.len();
        let one = self.stream.sixteen_bits(first..last, one);
        let other = self.stream.sixteen_bits(self.numbers + first..self.numbers + last, other);
        for ((to, one), other) in to.iter_mut().zip(one).zip(other) {
            *to = self.quantiles[usize::from(*one)] + self.quantiles[usize::from(*other)];
        }
    }
}

/// Numbers of 16 bits in a block of a stream.
const A_BLOCK: usize = 16;

/// Write the sums of quantiles that whole blocks choose, block by block of both streams: while the look-ups of one wait
/// for the second-level cache, the next one is encrypted.
///
/// Not inlined, so that it is compiled for the baseline: wider levels would use gather instructions here, which take ten
/// times as long.
#[inline(never)]
fn add_quantiles(
    stream: Stream,
    numbers: [usize; 2],
    quantiles: &[f32; QUANTILES],
    to: &mut [[f32; A_BLOCK]],
) {
    for (number, to) in to.iter_mut().enumerate() {
        let [one, other] = stream.blocks(numbers.map(|first| first + number));
        let (words, _) = to.as_chunks_mut::<4>();
        for ((to, one), other) in words.iter_mut().zip(one).zip(other) {
            for (place, to) in to.iter_mut().enumerate() {
                let quantile = |word: u64| quantiles[usize::from((word >> (16 * place)) as u16)];
                *to = quantile(one) + quantile(other);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct NormalWork<'a> {
    draws: Normals<'a>,
    noise: NormalNoise,
    channels: usize,
    is_shared: bool,
    top: Option<f32>,
    pixels: usize,
}

fn run<T: GreyLevel>(to: Option<&mut [T]>, from: Option<&[T]>, work: NormalWork<'_>) -> Result<()> {
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
    work: NormalWork<'a>,
    /// The number of the first pixel.
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
            let blocks = from.chunks(3 * MOST).zip(to.chunks_mut(3 * MOST));
            for (number, (from, to)) in blocks.enumerate() {
                sensor(&work, first + number * MOST, (from, to), [shift, intensity, top]);
            }
            return;
        }
        let mut numbers = [0.0; MOST];
        if !work.is_shared || channels == 1 {
            let blocks = from.chunks(MOST).zip(to.chunks_mut(MOST));
            for (number, (from, to)) in blocks.enumerate() {
                let numbers = &mut numbers[..from.len()];
                work.draws.fill(first * channels + number * MOST, numbers);
                for ((to, from), z) in to.iter_mut().zip(from).zip(&*numbers) {
                    *to = work.changed(*from, *z);
                }
            }
            return;
        }
        let blocks = from.chunks(MOST * channels).zip(to.chunks_mut(MOST * channels));
        for (number, (from, to)) in blocks.enumerate() {
            let numbers = &mut numbers[..from.len() / channels];
            work.draws.fill(first + number * MOST, numbers);
            let each = from.chunks_exact(channels).zip(to.chunks_exact_mut(channels)).zip(&*numbers);
            for ((from, to), z) in each {
                for (to, from) in to.iter_mut().zip(from) {
                    *to = work.changed(*from, *z);
                }
            }
        }
    }
}

impl NormalWork<'_> {
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

/// The noise of a sensor on some pixels, the first of which has the number `first`.
#[inline(always)]
fn sensor<T: GreyLevel>(
    work: &NormalWork<'_>,
    first: usize,
    (from, to): (&[T], &mut [T]),
    [shift, intensity, top]: [f32; 3],
) {
    let mut planes = [[0.0; MOST]; 4];
    let count = from.len() / 3;
    for (number, plane) in planes.iter_mut().enumerate() {
        work.draws.fill(number * work.pixels + first, &mut plane[..count]);
    }
    let [brightness, reds, greens, blues] = &planes;
    let (from, _) = from.as_chunks::<3>();
    let (to, _) = to.as_chunks_mut::<3>();
    for (pixel, (to, from)) in to.iter_mut().zip(from).enumerate().take(MOST) {
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
            let quantiles: Vec<f32> = (0..QUANTILES).map(|i| i as f32 / 9000.0 - 3.0).collect();
            let stream = Stream { seed, frame: 2 };
            let input = Array2::from_shape_fn((pixels, channels), |(p, c)| (p * 7 + c * 31) as u8);
            let numbers = if is_shared { pixels } else { pixels * channels };
            let noise = NormalNoise::Add { spread: 9.5, mean: 0.25 };
            at_every_level(threads, || {
                let mut found = Array2::<u8>::zeros(input.raw_dim());
                add(
                    ViewMut::U8(found.view_mut().into_dyn()), &View::U8(input.view().into_dyn()), &quantiles, stream,
                    noise, is_shared, Some(250.0),
                ).unwrap();
                let mut room = Room16::default();
                for ((pixel, channel), value) in found.indexed_iter() {
                    let i = if is_shared { pixel } else { pixel * channels + channel };
                    let one = stream.sixteen_bits(i..i + 1, &mut room)[0];
                    let other = stream.sixteen_bits(numbers + i..numbers + i + 1, &mut room)[0];
                    let z = quantiles[usize::from(one)] + quantiles[usize::from(other)];
                    let wanted = f32::from(input[[pixel, channel]]) + (z * 9.5 + 0.25);
                    prop_assert_eq!(*value, wanted.clamp(0.0, 250.0).round_ties_even() as u8);
                }
                Ok(())
            })?;
        }
    }
}
