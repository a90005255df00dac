//! Pixels times a number of their own, the same for all channels.

use crate::array::level::GreyLevel;
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::walk::pixel_blocks;
use ndarray::{ArrayViewD, ArrayViewMutD};

/// `output[p, c] = input[p, c] * field[p]` in `f64` for arrays (pixels, channels) of `u8`, `u16` or `f32` in C order.
///
/// The product is limited to 0 to `top` if it is given, and rounded half to even for integers.
pub fn multiply(output: ViewMut<'_>, input: &View<'_>, field: &[f64], top: Option<f64>) -> Result<()> {
    if input.ndim() != 2 || output.shape() != input.shape() || field.len() != input.shape()[0] {
        let shapes = (input.shape(), output.shape(), field.len());
        return Err(KernelError::shape(format!("pixels and field of shapes {shapes:?}")));
    }
    fn typed<T: GreyLevel>(
        to: ArrayViewMutD<'_, T>,
        from: &ArrayViewD<'_, T>,
        field: &[f64],
        top: Option<f64>,
    ) -> Result<()> {
        let channels = from.shape()[1];
        let (Some(to), Some(from)) = (to.into_slice(), from.as_slice()) else {
            return Err(KernelError::shape("pixels are multiplied in C order"));
        };
        pixel_blocks::for_each((from, to), (channels, channels), channels, |first, from, to| {
            dispatch(Multiply { from, to, field: &field[first..], channels, top });
        });
        Ok(())
    }
    match (output, input) {
        (ViewMut::U8(to), View::U8(from)) => typed(to, from, field, top),
        (ViewMut::U16(to), View::U16(from)) => typed(to, from, field, top),
        (ViewMut::F32(to), View::F32(from)) => typed(to, from, field, top),
        _ => Err(KernelError::parameter("pixels are uint8, uint16 or float32")),
    }
}

struct Multiply<'a, T> {
    from: &'a [T],
    to: &'a mut [T],
    field: &'a [f64],
    channels: usize,
    top: Option<f64>,
}

impl<T: GreyLevel> Kernel for Multiply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.channels {
            1 => self.pixels::<1>(),
            3 => self.pixels::<3>(),
            channels => {
                let (low, high) = self.limits();
                let pixels = self.from.chunks_exact(channels).zip(self.to.chunks_exact_mut(channels));
                for ((from, to), factor) in pixels.zip(self.field) {
                    for (to, from) in to.iter_mut().zip(from) {
                        *to = product(*from, *factor, low, high);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn product<T: GreyLevel>(value: T, factor: f64, low: f64, high: f64) -> T {
    let value = f64::from(value.to_f32()) * factor;
    let value = if value < low { low } else { value };
    T::of_f64(if value > high { high } else { value })
}

impl<T: GreyLevel> Multiply<'_, T> {
    fn limits(&self) -> (f64, f64) {
        self.top.map_or((f64::NEG_INFINITY, f64::INFINITY), |top| (0.0, top))
    }

    #[inline(always)]
    fn pixels<const CHANNELS: usize>(self) {
        let (low, high) = self.limits();
        let (from, _) = self.from.as_chunks::<CHANNELS>();
        let (to, _) = self.to.as_chunks_mut::<CHANNELS>();
        for ((to, from), factor) in to.iter_mut().zip(from).zip(self.field) {
            for channel in 0..CHANNELS {
                to[channel] = product(from[channel], *factor, low, high);
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
    fn a_pixel_is_multiplied_by_its_own_number() {
        for channels in 1..5 {
            let input = Array2::from_shape_fn((1500, channels), |(p, c)| (p * 7 + c * 31) as u8);
            let field: Vec<f64> = (0..1500).map(|p| f64::from(p) / 700.0).collect();
            at_every_level(2, || -> std::result::Result<(), ()> {
                let mut found = Array2::<u8>::zeros(input.raw_dim());
                let output = ViewMut::U8(found.view_mut().into_dyn());
                multiply(output, &View::U8(input.view().into_dyn()), &field, Some(240.0)).unwrap();
                for ((pixel, channel), value) in found.indexed_iter() {
                    let wanted = f64::from(input[[pixel, channel]]) * field[pixel];
                    assert_eq!(*value, wanted.clamp(0.0, 240.0).round_ties_even() as u8);
                }
                Ok(())
            })
            .unwrap();
        }
    }
}
