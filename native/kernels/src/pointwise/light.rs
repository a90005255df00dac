//! Light over an image: every pixel has its own amount of one colour, which is added to it or mixed with it.

use crate::array::level::{GreyLevel, clipped};
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::walk::pixel_blocks;
use ndarray::{ArrayViewD, ArrayViewMutD};

/// What becomes of a value, which is limited to 0 to white before and after.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LightMode {
    /// `(value + color * amount)`, at most white, times this factor.
    Add(f32),
    /// `value + (color - value) * amount`.
    Mix,
}

/// Change `input` into `output`, arrays (pixels, channels) of `u8`, `u16` or `f32` in C order, in `f32`.
///
/// There is an amount for each pixel, and a color for each channel or one for all.
pub fn shine(
    output: ViewMut<'_>,
    input: &View<'_>,
    amounts: &[f32],
    color: &[f32],
    mode: LightMode,
    top: f32,
) -> Result<()> {
    let fits = input.ndim() == 2
        && output.shape() == input.shape()
        && amounts.len() == input.shape()[0]
        && (color.len() == 1 || color.len() == input.shape()[1]);
    if !fits {
        let shapes = (input.shape(), output.shape(), amounts.len(), color.len());
        return Err(KernelError::shape(format!("pixels, light and color of shapes {shapes:?}")));
    }
    match (output, input) {
        (ViewMut::U8(to), View::U8(from)) => typed(to, from, amounts, color, mode, top),
        (ViewMut::U16(to), View::U16(from)) => typed(to, from, amounts, color, mode, top),
        (ViewMut::F32(to), View::F32(from)) => typed(to, from, amounts, color, mode, top),
        _ => Err(KernelError::parameter("light falls on uint8, uint16 or float32")),
    }
}

fn typed<T: GreyLevel>(
    to: ArrayViewMutD<'_, T>,
    from: &ArrayViewD<'_, T>,
    amounts: &[f32],
    color: &[f32],
    mode: LightMode,
    top: f32,
) -> Result<()> {
    let channels = from.shape()[1];
    let (Some(to), Some(from)) = (to.into_slice(), from.as_slice()) else {
        return Err(KernelError::shape("light falls on pixels in C order"));
    };
    pixel_blocks::for_each((from, to), (channels, channels), channels, |first, from, to| {
        dispatch(Shine { from, to, amounts: &amounts[first..], color, channels, mode, top });
    });
    Ok(())
}

struct Shine<'a, T> {
    from: &'a [T],
    to: &'a mut [T],
    amounts: &'a [f32],
    color: &'a [f32],
    channels: usize,
    mode: LightMode,
    top: f32,
}

impl<T: GreyLevel> Kernel for Shine<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let top = self.top;
        match self.mode {
            LightMode::Add(factor) => self.each(|value, color, amount| {
                let sum = value + color * amount;
                (if sum > top { top } else { sum }) * factor
            }),
            LightMode::Mix => self.each(|value, color, amount| value + (color - value) * amount),
        }
    }
}

impl<T: GreyLevel> Shine<'_, T> {
    #[inline(always)]
    fn each(self, changed: impl Fn(f32, f32, f32) -> f32) {
        match self.channels {
            1 => self.pixels::<1>(changed),
            3 => self.pixels::<3>(changed),
            channels => {
                let pixels = self.from.chunks_exact(channels).zip(self.to.chunks_exact_mut(channels));
                for ((from, to), amount) in pixels.zip(self.amounts) {
                    for ((to, from), color) in to.iter_mut().zip(from).zip(self.color.iter().cycle()) {
                        let value = changed(clipped(from.to_f32(), self.top), *color, *amount);
                        *to = T::of_f32(clipped(value, self.top));
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn pixels<const CHANNELS: usize>(self, changed: impl Fn(f32, f32, f32) -> f32) {
        let color: [f32; CHANNELS] = std::array::from_fn(|channel| self.color[channel % self.color.len()]);
        let (from, _) = self.from.as_chunks::<CHANNELS>();
        let (to, _) = self.to.as_chunks_mut::<CHANNELS>();
        for ((to, from), amount) in to.iter_mut().zip(from).zip(self.amounts) {
            for channel in 0..CHANNELS {
                let value = changed(clipped(from[channel].to_f32(), self.top), color[channel], *amount);
                to[channel] = T::of_f32(clipped(value, self.top));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::Array2;

    #[test]
    fn a_pixel_gets_its_own_amount_of_the_color() {
        for channels in 1..5_usize {
            let input = Array2::from_shape_fn((1500, channels), |(p, c)| (p * 7 + c * 31) as u8);
            let amounts: Vec<f32> = (0..1500_u16).map(|p| f32::from(p % 700) / 700.0).collect();
            for (colors, mode) in
                [(1, LightMode::Mix), (channels, LightMode::Mix), (channels, LightMode::Add(0.8))]
            {
                let color: Vec<f32> = (0..colors as u16).map(|c| 190.5 - 50.0 * f32::from(c)).collect();
                at_every_level(2, || -> std::result::Result<(), ()> {
                    let mut found = Array2::<u8>::zeros(input.raw_dim());
                    let output = ViewMut::U8(found.view_mut().into_dyn());
                    shine(output, &View::U8(input.view().into_dyn()), &amounts, &color, mode, 240.0).unwrap();
                    for ((pixel, channel), value) in found.indexed_iter() {
                        let before = f32::from(input[[pixel, channel]]).min(240.0);
                        let (color, amount) = (color[channel % colors], amounts[pixel]);
                        let wanted = match mode {
                            LightMode::Add(factor) => (before + color * amount).min(240.0) * factor,
                            LightMode::Mix => before + (color - before) * amount,
                        };
                        assert_eq!(*value, wanted.clamp(0.0, 240.0).round_ties_even() as u8);
                    }
                    Ok(())
                })
                .unwrap();
            }
        }
    }
}
