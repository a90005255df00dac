//! Channels as weighted sums of all channels.
//!
//! The sums are made in `f64`, term after term. Red, green and blue of bytes are summed in `f32` first, 64 pixels at a
//! time; the error of such a sum has a bound, and where it might carry the sum over the middle between two integers, the
//! sum is made again in `f64`.

#[cfg(target_arch = "x86_64")]
mod wide;

use crate::array::level::{ColorPlane, GreyLevel, PIXELS, VALUES};
use crate::array::triples;
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{self, Kernel, Level, dispatch};
use crate::walk::pixel_blocks;
use ndarray::{ArrayViewD, ArrayViewMutD};

/// The largest sum of bytes whose nearest integer is found by adding 1.5 * 2^23.
const MOST: f64 = 65536.0;

/// `output[p, i] = sum over j of weights[i][j] * input[p, j]`, limited to 0 to `top`, for arrays (pixels, channels) of
/// `u8`, `u16` or `f32` in C order.
pub fn mix(output: ViewMut<'_>, input: &View<'_>, weights: &[f64], top: f64) -> Result<()> {
    let channels = input.shape().last().copied().unwrap_or(0);
    if input.ndim() != 2 || output.shape() != input.shape() || weights.len() != channels * channels {
        let shapes = (input.shape(), output.shape(), weights.len());
        return Err(KernelError::shape(format!("pixels and weights of shapes {shapes:?}")));
    }
    match (output, input) {
        (ViewMut::U8(to), View::U8(from)) => {
            let narrow = NarrowWeights::new(weights, top);
            blocks(to, from, channels, |from, to| match &narrow {
                Some(narrow) => dispatch(MixBytes { from, to, narrow }),
                None => dispatch(MixPixels { from, to, weights, channels, top }),
            })
        }
        (ViewMut::U16(to), View::U16(from)) => {
            blocks(to, from, channels, |from, to| dispatch(MixPixels { from, to, weights, channels, top }))
        }
        (ViewMut::F32(to), View::F32(from)) => {
            blocks(to, from, channels, |from, to| dispatch(MixPixels { from, to, weights, channels, top }))
        }
        _ => Err(KernelError::parameter("channels of uint8, uint16 or float32 are mixed")),
    }
}

fn blocks<T: GreyLevel>(
    to: ArrayViewMutD<'_, T>,
    from: &ArrayViewD<'_, T>,
    channels: usize,
    work: impl Fn(&[T], &mut [T]) + Sync,
) -> Result<()> {
    let (Some(to), Some(from)) = (to.into_slice(), from.as_slice()) else {
        return Err(KernelError::shape("channels are mixed in C order"));
    };
    if !to.is_empty() {
        let cost = channels * channels;
        pixel_blocks::for_each((from, to), (channels, channels), cost, |_, from, to| work(from, to));
    }
    Ok(())
}

/// The definition, of any number of channels.
struct MixPixels<'a, T> {
    from: &'a [T],
    to: &'a mut [T],
    weights: &'a [f64],
    channels: usize,
    top: f64,
}

impl<T: GreyLevel> Kernel for MixPixels<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { from, to, weights, channels, top } = self;
        for (from, to) in from.chunks_exact(channels).zip(to.chunks_exact_mut(channels)) {
            for (to, weights) in to.iter_mut().zip(weights.chunks_exact(channels)) {
                let mut terms =
                    from.iter().zip(weights).map(|(value, weight)| f64::from(value.to_f32()) * weight);
                let first = terms.next().unwrap_or(0.0);
                *to = limited(terms.fold(first, |sum, term| sum + term), top);
            }
        }
    }
}

/// Not a number stays that.
#[inline(always)]
fn limited<T: GreyLevel>(sum: f64, top: f64) -> T {
    let sum = if sum < 0.0 { 0.0 } else { sum };
    T::of_f64(if sum > top { top } else { sum })
}

/// Weights of red, green and blue whose sums of bytes are found in `f32`, but for a few.
struct NarrowWeights {
    exact: [[f64; 3]; 3],
    weights: [[f32; 3]; 3],
    top: f64,
    /// Further than this from the middle between two integers a sum in `f32` is on the same side as the one in `f64`.
    error: f32,
    /// Whether the level in use is AVX-512.
    is_wide: bool,
}

impl NarrowWeights {
    /// None where too many sums would have to be made again, or white is no integer.
    fn new(weights: &[f64], top: f64) -> Option<Self> {
        let ([a, b, c], []) = weights.as_chunks::<3>() else { return None };
        let exact = [*a, *b, *c];
        let most = exact.iter().map(|row| row.iter().map(|weight| weight.abs()).sum::<f64>() * 255.0);
        let most = most.fold(0.0, f64::max);
        // Each weight, product and sum is rounded by half a unit in the last place: four of all magnitudes together.
        // Two more leave room for the sum in `f64`.
        let error = 6.0 * most * f64::from(f32::EPSILON / 2.0);
        let is_narrow = most < MOST && error < 0.01 && top == top.trunc() && top <= 255.0;
        let weights = exact.map(|row| row.map(|weight| weight as f32));
        let is_wide = simd::level() == Level::Avx512;
        is_narrow.then_some(Self { exact, weights, top, error: error as f32, is_wide })
    }
}

struct MixBytes<'a> {
    from: &'a [u8],
    to: &'a mut [u8],
    narrow: &'a NarrowWeights,
}

impl Kernel for MixBytes<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { from, to, narrow } = self;
        let (blocks, rest) = from.as_chunks::<VALUES>();
        let (blocks_to, rest_to) = to.as_chunks_mut::<VALUES>();
        let mut scratch = BlockScratch::default();
        for (to, from) in blocks_to.chunks_mut(TOGETHER).zip(blocks.chunks(TOGETHER)) {
            narrow.blocks(from, to, &mut scratch);
        }
        if !rest.is_empty() {
            let (mut last, mut made) = ([[0; VALUES]], [[0; VALUES]]);
            last[0][..rest.len()].copy_from_slice(rest);
            narrow.blocks(&last, &mut made, &mut scratch);
            rest_to.copy_from_slice(&made[0][..rest.len()]);
        }
    }
}

/// Blocks of pixels whose channels are taken apart in one call.
const TOGETHER: usize = 8;

/// Pixels whose sums fit the widest registers.
const LANES: usize = 16;

/// Of [`TOGETHER`] blocks.
struct BlockScratch {
    planes: [[[u8; PIXELS]; 3]; TOGETHER],
    made: [[[u8; PIXELS]; 3]; TOGETHER],
    /// How far the sums of a pixel are from integers, at the most.
    farthest: [ColorPlane; TOGETHER],
}

impl Default for BlockScratch {
    fn default() -> Self {
        let bytes = [[[0; PIXELS]; 3]; TOGETHER];
        Self { planes: bytes, made: bytes, farthest: [[0.0; PIXELS]; TOGETHER] }
    }
}

impl NarrowWeights {
    /// At most [`TOGETHER`] blocks.
    #[inline(always)]
    fn blocks(&self, from: &[[u8; VALUES]], to: &mut [[u8; VALUES]], scratch: &mut BlockScratch) {
        let BlockScratch { planes, made, farthest } = scratch;
        let (planes, made) = (&mut planes[..from.len()], &mut made[..from.len()]);
        triples::split_each(from, planes);
        for ((planes, made), farthest) in planes.iter().zip(&mut *made).zip(&mut *farthest) {
            self.block(planes, made, farthest);
        }
        triples::join_each(made, to);
        let sure = 0.5 - self.error;
        for ((from, to), farthest) in from.iter().zip(to).zip(&*farthest) {
            if is_beyond(farthest, sure) {
                self.repair(from, to, farthest, sure);
            }
        }
    }

    /// The sums of some pixels, and how far those of each pixel are from integers, at the most.
    #[inline(always)]
    fn block(&self, planes: &[[u8; PIXELS]; 3], made: &mut [[u8; PIXELS]; 3], farthest: &mut ColorPlane) {
        #[cfg(target_arch = "x86_64")]
        if self.is_wide {
            // SAFETY: the level in use has these instructions.
            unsafe { wide::sums(&self.weights, self.top as f32, planes, made, farthest) };
            return;
        }
        let top = self.top as f32;
        for (group, farthest) in farthest.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let [red, green, blue] = planes.each_ref().map(|plane| {
                let mut values = [0.0; LANES];
                let bytes = &plane.as_chunks::<LANES>().0[group];
                values.iter_mut().zip(bytes).for_each(|(value, byte)| *value = f32::from(*byte));
                values
            });
            let mut most = [0.0; LANES];
            for (made, [a, b, c]) in made.iter_mut().zip(self.weights) {
                let made = &mut made.as_chunks_mut::<LANES>().0[group];
                for pixel in 0..LANES {
                    let sum = red[pixel] * a + green[pixel] * b + blue[pixel] * c;
                    // The nearest integer: past the last bit for a fraction.
                    let nearest = (sum + 12_582_912.0) - 12_582_912.0;
                    let distance = (sum - nearest).abs();
                    most[pixel] = if distance > most[pixel] { distance } else { most[pixel] };
                    let nearest = if nearest > 0.0 { nearest } else { 0.0 };
                    let nearest = if nearest < top { nearest } else { top };
                    // SAFETY: it is from 0 to `top`, which is at most 255.
                    made[pixel] = (unsafe { nearest.to_int_unchecked::<i32>() }) as u8;
                }
            }
            *farthest = most;
        }
    }

    /// Make the pixels of a block again of which a sum may lie on the other side of the middle between two integers.
    #[cold]
    fn repair(&self, from: &[u8; VALUES], to: &mut [u8; VALUES], farthest: &ColorPlane, sure: f32) {
        const BYTES: usize = 3 * LANES;
        let groups = from.as_chunks::<BYTES>().0.iter().zip(to.as_chunks_mut::<BYTES>().0);
        for ((from, to), farthest) in groups.zip(farthest.as_chunks::<LANES>().0) {
            if !is_beyond(farthest, sure) {
                continue;
            }
            let pixels = from.as_chunks::<3>().0.iter().zip(to.as_chunks_mut::<3>().0);
            for ((from, to), _) in pixels.zip(farthest).filter(|(_, distance)| **distance > sure) {
                let [red, green, blue] = from.map(f64::from);
                *to = self.exact.map(|[a, b, c]| limited(red * a + green * b + blue * c, self.top));
            }
        }
    }
}

/// Whether any of them is larger.
#[inline(always)]
fn is_beyond(distances: &[f32], sure: f32) -> bool {
    distances.iter().fold(false, |found, distance| found | (*distance > sure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::Array2;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_channel_is_the_sum_of_its_terms(
            (pixels, channels) in (0_usize..200, 1_usize..6), seed in any::<u64>(), numbers in prop::collection::vec(-8_i8..20, 25),
            threads in 1_usize..3, is_whole in any::<bool>(),
        ) {
            // Eighths give sums in the middle between two integers, sevenths such that are nearly there.
            let part = if is_whole { 8.0 } else { 7.0 };
            let weights: Vec<f64> =
                numbers[..channels * channels].iter().map(|number| f64::from(*number) / part).collect();
            let value = |p: usize, c: usize| (seed.wrapping_mul((p * 31 + c * 7 + 1) as u64) >> 40) as u8;
            let input = Array2::from_shape_fn((pixels, channels), |(p, c)| value(p, c));
            let wanted = Array2::from_shape_fn((pixels, channels), |(p, c)| {
                let terms = (0..channels).map(|j| f64::from(value(p, j)) * weights[c * channels + j]);
                terms.reduce(|sum, term| sum + term).unwrap_or(0.0)
            });
            at_every_level(threads, || {
                for top in [255.0, 250.0] {
                    let mut bytes = Array2::<u8>::zeros(input.raw_dim());
                    mix(ViewMut::U8(bytes.view_mut().into_dyn()), &View::U8(input.view().into_dyn()), &weights, top).unwrap();
                    prop_assert_eq!(bytes, wanted.map(|sum| sum.clamp(0.0, top).round_ties_even() as u8));
                    let (floats, mut found) = (input.map(|v| f32::from(*v)), Array2::<f32>::zeros(input.raw_dim()));
                    mix(ViewMut::F32(found.view_mut().into_dyn()), &View::F32(floats.view().into_dyn()), &weights, top).unwrap();
                    prop_assert_eq!(found, wanted.map(|sum| sum.clamp(0.0, top) as f32));
                }
                Ok(())
            })?;
        }
    }
}
