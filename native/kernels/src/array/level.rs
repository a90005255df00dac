//! Grey levels: values of images of 8 and 16 bits and of `f32`, with which colours and noise compute in `f32`.

use crate::array::sample::Sample;
use crate::array::triples;

/// Values of 8 or 16 bits, or `f32`, computed in `f32`.
pub(crate) trait GreyLevel: Sample {
    /// The same number.
    fn to_f32(self) -> f32;

    /// A value from 0 to the largest of the type, rounded half to even; `f32` stays as it is.
    fn of_f32(value: f32) -> Self;

    /// The same of a double: for `f32` the nearest.
    fn of_f64(value: f64) -> Self;

    /// The channels of some pixels, each by itself.
    #[inline(always)]
    fn split(from: &[Self; VALUES]) -> [ColorPlane; 3] {
        let mut planes = [[0.0; PIXELS]; 3];
        for pixel in 0..PIXELS {
            for (channel, plane) in planes.iter_mut().enumerate() {
                plane[pixel] = from[3 * pixel + channel].to_f32();
            }
        }
        planes
    }

    /// The pixels of these channels, each value as `of_f32` has it.
    #[inline(always)]
    fn join(planes: &[ColorPlane; 3], to: &mut [Self; VALUES]) {
        for pixel in 0..PIXELS {
            for (channel, plane) in planes.iter().enumerate() {
                to[3 * pixel + channel] = Self::of_f32(plane[pixel]);
            }
        }
    }
}

/// Pixels of red, green and blue whose channels are taken apart together.
pub(crate) const PIXELS: usize = triples::SPLIT;

/// Their values.
pub(crate) const VALUES: usize = 3 * PIXELS;

/// One channel of them.
pub(crate) type ColorPlane = [f32; PIXELS];

macro_rules! level {
    ($($type:ty { $($own:tt)* })*) => {
        $(impl GreyLevel for $type {
            $($own)*

            #[inline(always)]
            fn to_f32(self) -> f32 {
                f32::from(self)
            }

            #[inline(always)]
            fn of_f32(value: f32) -> Self {
                // Not a number is 0. The sum is past the last bit for a fraction.
                let value = if value > 0.0 { value } else { 0.0 };
                let value = (value.min(<$type>::MAX as f32) + 12_582_912.0) - 12_582_912.0;
                // SAFETY: it is from 0 to the largest value of the type.
                (unsafe { value.to_int_unchecked::<i32>() }) as $type
            }

            #[inline(always)]
            fn of_f64(value: f64) -> Self {
                let value = if value > 0.0 { value } else { 0.0 };
                let value = (value.min(f64::from(<$type>::MAX)) + 6_755_399_441_055_744.0) - 6_755_399_441_055_744.0;
                // SAFETY: as above.
                (unsafe { value.to_int_unchecked::<i32>() }) as $type
            }
        })*
    };
}

level! {
    u8 {
        #[inline(always)]
        fn split(from: &[u8; VALUES]) -> [ColorPlane; 3] {
            let bytes = triples::split(from);
            let mut planes = [[0.0; PIXELS]; 3];
            for (plane, bytes) in planes.iter_mut().zip(&bytes) {
                plane.iter_mut().zip(bytes).for_each(|(value, byte)| *value = f32::from(*byte));
            }
            planes
        }

        #[inline(always)]
        fn join(planes: &[ColorPlane; 3], to: &mut [u8; VALUES]) {
            let mut bytes = [[0; PIXELS]; 3];
            for (bytes, plane) in bytes.iter_mut().zip(planes) {
                bytes.iter_mut().zip(plane).for_each(|(byte, value)| *byte = u8::of_f32(*value));
            }
            triples::join(&bytes, to);
        }
    }
    u16 {}
}

impl GreyLevel for f32 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }

    #[inline(always)]
    fn of_f32(value: f32) -> Self {
        value
    }

    #[inline(always)]
    fn of_f64(value: f64) -> Self {
        value as f32
    }
}

/// NumPy's `clip` to 0 and `top`: what is not a number stays that.
#[inline(always)]
pub(crate) fn clipped(value: f32, top: f32) -> f32 {
    let value = if value < 0.0 { 0.0 } else { value };
    if value > top { top } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;

    #[test]
    fn channels_are_taken_apart_and_put_together() {
        at_every_level(1, || -> Result<(), ()> {
            fn goes_back<T: GreyLevel + std::fmt::Debug>(from: [T; VALUES]) {
                let planes = T::split(&from);
                for (channel, plane) in planes.iter().enumerate() {
                    for (pixel, value) in plane.iter().enumerate() {
                        assert_eq!(*value, from[3 * pixel + channel].to_f32());
                    }
                }
                let mut to = [T::default(); VALUES];
                T::join(&planes, &mut to);
                assert_eq!(to, from);
            }
            goes_back::<u8>(std::array::from_fn(|i| (i * 37 % 256) as u8));
            goes_back::<u16>(std::array::from_fn(|i| (i * 337) as u16));
            goes_back::<f32>(std::array::from_fn(|i| i as f32 / 3.0));
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn levels_are_rounded_half_to_even() {
        for value in [0.0, 0.5, 1.5, 2.5, 2.499_999_8, 254.5, 300.0, -3.0, f32::NAN] {
            let wanted = value.clamp(0.0, 255.0).round_ties_even() as u8;
            assert_eq!((u8::of_f32(value), u8::of_f64(f64::from(value))), (wanted, wanted), "{value}");
            assert_eq!(u16::of_f32(value), if value > 255.0 { 300 } else { u16::from(wanted) });
        }
        assert_eq!((f32::of_f32(0.3), f32::of_f64(0.3), u16::MAX.to_f32()), (0.3, 0.3, 65535.0));
        assert_eq!((clipped(-1.0, 5.0), clipped(7.0, 5.0), clipped(2.5, 5.0)), (0.0, 5.0, 2.5));
        assert!(clipped(f32::NAN, 5.0).is_nan());
    }
}
