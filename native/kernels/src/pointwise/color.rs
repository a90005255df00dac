//! Colours: brightness, contrast, saturation and hue in `f32`, grey, and channels in another order.
//!
//! A chain of changes is made of 64 pixels at a time, whose three channels lie in the first-level cache meanwhile. The
//! hexcone is that of Smith (1978) without its division by the value: hue in sixths of a turn, chroma, value.

use crate::array::level::{ColorPlane, GreyLevel, PIXELS, VALUES, clipped};
use crate::array::triples;
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::walk::pixel_blocks;
use ndarray::{ArrayViewD, ArrayViewMutD};
use std::sync::Mutex;

/// A change of a pixel's colour; results are limited to 0 to white.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ColorChange {
    /// Values times a factor.
    Brightness(f32),
    /// Distances from a grey of this luma times a factor.
    Contrast {
        /// The factor.
        factor: f32,
        /// Mean luma of the image.
        mean: f32,
    },
    /// Distances from the grey of the pixel's luma times a factor.
    Saturation(f32),
    /// The hue turned, in sixths of a turn.
    Hue(f32),
    /// Hue turned, saturation and value times a factor, shifted, and limited to 0 to 1; greys stay grey.
    Hsv {
        /// In sixths of a turn.
        hue: f32,
        /// A factor.
        saturation: f32,
        /// A factor.
        value: f32,
        /// Added to the saturation, which is 0 to 1.
        saturation_shift: f32,
        /// Added to the value, in units of the image.
        value_shift: f32,
    },
    /// Lightness of HLS below a threshold times a factor, and limited to 1; hue and saturation stay.
    Lightness {
        /// From 0 to 1.
        threshold: f32,
        /// The factor.
        factor: f32,
    },
}

/// Make changes one after another of an image (pixels, 3) in C order, into one of the same type: `u8`, `u16` or `f32`.
pub fn recolor(output: ViewMut<'_>, input: &View<'_>, changes: &[ColorChange], top: f32) -> Result<()> {
    check(input, output.shape(), 3)?;
    macro_rules! of_one_type {
        ($($name:ident)*) => {
            match (output, input) {
                $((ViewMut::$name(to), View::$name(from)) => changed(to, from, changes, top),)*
                _ => Err(KernelError::parameter("colours are uint8, uint16 or float32")),
            }
        };
    }
    of_one_type!(U8 U16 F32)
}

/// Sum of the luma of all pixels after these changes, in units of 2^-24 of white, each rounded.
///
/// The sum of whole numbers is the same in any order, as long as it is below 2^53.
pub fn luma_sum(input: &View<'_>, changes: &[ColorChange], top: f32) -> Result<f64> {
    check(input, input.shape(), 3)?;
    fn sum<T: GreyLevel>(from: &ArrayViewD<'_, T>, changes: &[ColorChange], top: f32) -> Result<f64> {
        let from = from.as_slice().ok_or_else(out_of_order)?;
        let total = Mutex::new(0.0);
        pixel_blocks::for_each_read(from, 3, 2 + changes.len(), |from| {
            let part = dispatch(LumaSum { from, changes, top });
            *total.lock().expect("no other thread panics here") += part;
        });
        Ok(total.into_inner().expect("all have ended"))
    }
    match input {
        View::U8(from) => sum(from, changes, top),
        View::U16(from) => sum(from, changes, top),
        View::F32(from) => sum(from, changes, top),
        _ => Err(KernelError::parameter("colours are uint8, uint16 or float32")),
    }
}

/// The luma of an image (pixels, 3) of `u8` or `u16`, in Pillow's integers, in every channel of the output.
pub fn grey(output: ViewMut<'_>, input: &View<'_>) -> Result<()> {
    let channels = output.shape().last().copied().unwrap_or(0);
    check(input, &[input.shape()[0], 3], 3)?;
    if output.shape() != [input.shape()[0], channels] || !matches!(channels, 1 | 3) {
        return Err(KernelError::shape(format!("grey of shape {:?}", output.shape())));
    }
    fn typed<T: WholeLevel>(
        to: ArrayViewMutD<'_, T>,
        from: &ArrayViewD<'_, T>,
        channels: usize,
    ) -> Result<()> {
        let (to, from) = both(to, from)?;
        pixel_blocks::for_each((from, to), (3, channels), 1, |_, from, to| {
            let done = match (T::as_bytes(from), T::as_bytes_mut(to)) {
                (Some(from), Some(to)) => triples::grey(from, to),
                _ => 0,
            };
            let (from, to) = (&from[3 * done..], &mut to[channels * done..]);
            if channels == 1 {
                dispatch(GreyPixels::<T, 1> { from, to });
            } else {
                dispatch(GreyPixels::<T, 3> { from, to });
            }
        });
        Ok(())
    }
    match (output, input) {
        (ViewMut::U8(to), View::U8(from)) => typed(to, from, channels),
        (ViewMut::U16(to), View::U16(from)) => typed(to, from, channels),
        _ => Err(KernelError::parameter("grey is made of uint8 and uint16")),
    }
}

/// `output[p, c] = input[p, order[c]]` for arrays (pixels, channels) in C order.
pub fn reorder(output: ViewMut<'_>, input: &View<'_>, order: &[usize]) -> Result<()> {
    let channels = order.len();
    check(input, output.shape(), channels)?;
    if order.iter().any(|place| *place >= channels) {
        return Err(KernelError::parameter(format!("an order {order:?} of {channels} channels")));
    }
    if let (View::U8(from), ViewMut::U8(_), &[a, b, c]) = (input, &output, order) {
        let ViewMut::U8(to) = output else { unreachable!("it was looked at") };
        let (to, from) = both(to, from)?;
        pixel_blocks::for_each((from, to), (3, 3), 1, |_, from, to| {
            triples::reorder(from, to, [a as u8, b as u8, c as u8]);
        });
        return Ok(());
    }
    macro_rules! of_one_type {
        ($($name:ident)*) => {
            match (output, input) {
                $((ViewMut::$name(to), View::$name(from)) => {
                    let (to, from) = both(to, from)?;
                    for (to, from) in to.chunks_exact_mut(channels.max(1)).zip(from.chunks_exact(channels.max(1))) {
                        for (to, place) in to.iter_mut().zip(order) {
                            *to = from[*place];
                        }
                    }
                    Ok(())
                })*
                _ => Err(KernelError::parameter("both arrays must hold elements of one type")),
            }
        };
    }
    of_one_type!(Bool U8 I8 U16 I16 U32 I32 U64 I64 F32 F64)
}

fn check(input: &View<'_>, output: &[usize], channels: usize) -> Result<()> {
    if input.ndim() != 2 || input.shape()[1] != channels || output != input.shape() {
        return Err(KernelError::shape(format!("pixels of shapes {:?} and {output:?}", input.shape())));
    }
    Ok(())
}

fn out_of_order() -> KernelError {
    KernelError::shape("colours are changed in C order")
}

fn both<'a, T>(to: ArrayViewMutD<'a, T>, from: &'a ArrayViewD<'_, T>) -> Result<(&'a mut [T], &'a [T])> {
    Ok((to.into_slice().ok_or_else(out_of_order)?, from.as_slice().ok_or_else(out_of_order)?))
}

fn changed<T: GreyLevel>(
    to: ArrayViewMutD<'_, T>,
    from: &ArrayViewD<'_, T>,
    changes: &[ColorChange],
    top: f32,
) -> Result<()> {
    let (to, from) = both(to, from)?;
    pixel_blocks::for_each((from, to), (3, 3), 2 + changes.len(), |_, from, to| {
        dispatch(Recolor { from, to, changes, top });
    });
    Ok(())
}

struct Recolor<'a, T> {
    from: &'a [T],
    to: &'a mut [T],
    changes: &'a [ColorChange],
    top: f32,
}

impl<T: GreyLevel> Kernel for Recolor<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { from, to, changes, top } = self;
        let (blocks, rest) = from.as_chunks::<VALUES>();
        let (blocks_to, rest_to) = to.as_chunks_mut::<VALUES>();
        for (to, from) in blocks_to.iter_mut().zip(blocks) {
            T::join(&after(from, changes, top), to);
        }
        if !rest.is_empty() {
            let mut last = [T::default(); VALUES];
            last[..rest.len()].copy_from_slice(rest);
            let mut made = [T::default(); VALUES];
            T::join(&after(&last, changes, top), &mut made);
            rest_to.copy_from_slice(&made[..rest.len()]);
        }
    }
}

struct LumaSum<'a, T> {
    from: &'a [T],
    changes: &'a [ColorChange],
    top: f32,
}

impl<T: GreyLevel> Kernel for LumaSum<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let Self { from, changes, top } = self;
        let scale = 16_777_216.0 / f64::from(top);
        let mut sums = [0.0; 16];
        let (blocks, rest) = from.as_chunks::<VALUES>();
        for from in blocks {
            let [red, green, blue] = after(from, changes, top);
            for start in (0..PIXELS).step_by(sums.len()) {
                for (lane, sum) in sums.iter_mut().enumerate() {
                    let at = start + lane;
                    *sum += rounded(f64::from(luma(red[at], green[at], blue[at])) * scale);
                }
            }
        }
        let mut last = [T::default(); VALUES];
        last[..rest.len()].copy_from_slice(rest);
        let [red, green, blue] = after(&last, changes, top);
        let colours = red.iter().zip(&green).zip(&blue).take(rest.len() / 3);
        let end: f64 = colours.map(|((r, g), b)| rounded(f64::from(luma(*r, *g, *b)) * scale)).sum();
        sums.iter().sum::<f64>() + end
    }
}

/// Half to even, of at most some millions.
#[inline(always)]
fn rounded(value: f64) -> f64 {
    (value + 6_755_399_441_055_744.0) - 6_755_399_441_055_744.0
}

/// The channels of some pixels after all changes.
#[inline(always)]
fn after<T: GreyLevel>(from: &[T; VALUES], changes: &[ColorChange], top: f32) -> [ColorPlane; 3] {
    let mut planes = T::split(from);
    for plane in &mut planes {
        plane.iter_mut().for_each(|value| *value = clipped(*value, top));
    }
    for change in changes {
        change.make(&mut planes, top);
    }
    planes
}

/// By the weights of ITU-R BT.601.
#[inline(always)]
fn luma(red: f32, green: f32, blue: f32) -> f32 {
    red * 0.299 + green * 0.587 + blue * 0.114
}

/// NumPy's `maximum`: what is not a number stays that.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a >= b || a.is_nan() { a } else { b }
}

/// NumPy's `minimum`.
#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if a <= b || a.is_nan() { a } else { b }
}

impl ColorChange {
    #[inline(always)]
    fn make(self, planes: &mut [ColorPlane; 3], top: f32) {
        let [red, green, blue] = planes;
        match self {
            Self::Brightness(factor) => {
                for plane in planes {
                    plane.iter_mut().for_each(|value| *value = clipped(*value * factor, top));
                }
            }
            Self::Contrast { factor, mean } => {
                for plane in planes {
                    plane.iter_mut().for_each(|value| *value = clipped((*value - mean) * factor + mean, top));
                }
            }
            Self::Saturation(factor) => {
                for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
                    let grey = luma(*red, *green, *blue);
                    for value in [red, green, blue] {
                        *value = clipped((*value - grey) * factor + grey, top);
                    }
                }
            }
            Self::Hue(turn) => {
                for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
                    let (hue, chroma, value) = hexcone(*red, *green, *blue);
                    let colours = of_hexcone(hue + turn, chroma, value);
                    [*red, *green, *blue] = colours.map(|value| clipped(value, top));
                }
            }
            Self::Hsv { hue: turn, saturation, value: brightness, saturation_shift, value_shift } => {
                for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
                    let (hue, chroma, value) = hexcone(*red, *green, *blue);
                    let brighter = clipped(value * brightness + value_shift, top);
                    let divisor = if value > 0.0 { value } else { 1.0 };
                    let shift = if chroma > 0.0 { saturation_shift } else { 0.0 };
                    let stronger = clipped(chroma / divisor * saturation + shift, 1.0) * brighter;
                    let colours = of_hexcone(hue + turn, stronger, brighter);
                    [*red, *green, *blue] = colours.map(|value| clipped(value, top));
                }
            }
            Self::Lightness { threshold, factor } => {
                for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
                    let most = larger(larger(*red, *green), *blue);
                    let light = (most + smaller(smaller(*red, *green), *blue)) / (2.0 * top);
                    let after = smaller(light * factor, 1.0);
                    let [width, wider] = [light, after].map(|light| 1.0 - (2.0 * light - 1.0).abs());
                    let stretch = wider / if width > 0.0 { width } else { 1.0 };
                    for value in [red, green, blue] {
                        let changed = clipped(after * top + (*value - light * top) * stretch, top);
                        *value = if light < threshold { changed } else { *value };
                    }
                }
            }
        }
    }
}

/// Hue in sixths of a turn from -1 to 5, chroma and value.
#[inline(always)]
fn hexcone(red: f32, green: f32, blue: f32) -> (f32, f32, f32) {
    let value = larger(larger(red, green), blue);
    let chroma = value - smaller(smaller(red, green), blue);
    let divisor = if chroma > 0.0 { chroma } else { 1.0 };
    // One division for the three cases.
    let (difference, start) = if value == red {
        (green - blue, 0.0)
    } else if value == green {
        (blue - red, 2.0)
    } else {
        (red - green, 4.0)
    };
    (difference / divisor + start, chroma, value)
}

#[inline(always)]
fn of_hexcone(hue: f32, chroma: f32, value: f32) -> [f32; 3] {
    [5.0, 3.0, 1.0].map(|place| {
        let sixth = hue + place;
        let sixth = sixth - (sixth * (1.0 / 6.0)).floor() * 6.0;
        let share = smaller(sixth, 4.0 - sixth);
        value - chroma * clipped(share, 1.0)
    })
}

struct GreyPixels<'a, T, const CHANNELS: usize> {
    from: &'a [T],
    to: &'a mut [T],
}

impl<T: WholeLevel, const CHANNELS: usize> Kernel for GreyPixels<'_, T, CHANNELS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (from, _) = self.from.as_chunks::<3>();
        let (to, _) = self.to.as_chunks_mut::<CHANNELS>();
        // In parts: the channels of one lie side by side, and so do its sums.
        let mut planes = [[0_u32; PIXELS]; 3];
        for (to, from) in to.chunks_mut(PIXELS).zip(from.chunks(PIXELS)) {
            for (pixel, from) in from.iter().enumerate() {
                for channel in 0..3 {
                    planes[channel][pixel] = from[channel].to_u32();
                }
            }
            let [red, green, blue] = &planes;
            let mut grey = [T::default(); PIXELS];
            for (pixel, grey) in grey.iter_mut().enumerate() {
                let [r, g, b] = triples::LUMA;
                let sum = r * red[pixel] + g * green[pixel] + b * blue[pixel] + 32768;
                *grey = T::of_u32(sum >> 16);
            }
            for (to, grey) in to.iter_mut().zip(&grey) {
                *to = [*grey; CHANNELS];
            }
        }
    }
}

/// WholeLevel numbers whose luma fits 32 bits.
trait WholeLevel: GreyLevel {
    fn to_u32(self) -> u32;

    /// The lowest bits.
    fn of_u32(value: u32) -> Self;
}

macro_rules! whole {
    ($($type:ty),*) => {
        $(impl WholeLevel for $type {
            #[inline(always)]
            fn to_u32(self) -> u32 {
                self.into()
            }

            #[inline(always)]
            fn of_u32(value: u32) -> Self {
                value as $type
            }
        })*
    };
}

whole!(u8, u16);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::Array2;
    use proptest::prelude::*;

    fn change() -> impl Strategy<Value = ColorChange> {
        let factor = || 0.0_f32..3.0;
        prop_oneof![
            factor().prop_map(ColorChange::Brightness),
            (factor(), 0.0_f32..255.0).prop_map(|(factor, mean)| ColorChange::Contrast { factor, mean }),
            factor().prop_map(ColorChange::Saturation),
            (-9.0_f32..9.0).prop_map(ColorChange::Hue),
            (0.0_f32..1.0, factor())
                .prop_map(|(threshold, factor)| ColorChange::Lightness { threshold, factor }),
            (-9.0_f32..9.0, factor(), factor(), -1.0_f32..1.0, -255.0_f32..255.0).prop_map(
                |(hue, saturation, value, saturation_shift, value_shift)| ColorChange::Hsv {
                    hue,
                    saturation,
                    value,
                    saturation_shift,
                    value_shift
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn pixels_are_changed_one_by_one(
            pixels in 0_usize..200, changes in prop::collection::vec(change(), 0..4), threads in 1_usize..3,
        ) {
            let input = Array2::from_shape_fn((pixels, 3), |(p, c)| (p * 37 + c * 101 + p * p) as u8);
            at_every_level(threads, || {
                let mut found = Array2::<u8>::zeros(input.raw_dim());
                let view = View::U8(input.view().into_dyn());
                recolor(ViewMut::U8(found.view_mut().into_dyn()), &view, &changes, 255.0).unwrap();
                let mut sum = 0.0;
                for (pixel, made) in input.outer_iter().zip(found.outer_iter()) {
                    let mut planes = [0, 1, 2].map(|c| [f32::from(pixel[c]); PIXELS]);
                    changes.iter().for_each(|change| change.make(&mut planes, 255.0));
                    let [red, green, blue] = planes.map(|plane| plane[7]);
                    prop_assert_eq!(made.to_vec(), [red, green, blue].map(|v| v.round_ties_even() as u8));
                    sum += (f64::from(luma(red, green, blue)) * (16_777_216.0 / 255.0)).round_ties_even();
                }
                prop_assert_eq!(luma_sum(&view, &changes, 255.0).unwrap(), sum);
                Ok(())
            })?;
        }
    }

    #[test]
    fn known_colours() {
        for (changes, from, to) in [
            (vec![ColorChange::Hue(2.0)], [200, 0, 0], [0, 200, 0]),
            (
                vec![ColorChange::Hsv {
                    hue: 2.0,
                    saturation: 2.0,
                    value: 1.0,
                    saturation_shift: 0.0,
                    value_shift: 0.0,
                }],
                [200, 150, 150],
                [100, 200, 100],
            ),
            (
                vec![ColorChange::Hsv {
                    hue: 0.0,
                    saturation: 1.0,
                    value: 1.0,
                    saturation_shift: 0.25,
                    value_shift: -40.0,
                }],
                [200, 150, 150],
                [160, 80, 80],
            ),
            (
                vec![ColorChange::Hsv {
                    hue: 0.0,
                    saturation: 1.0,
                    value: 1.0,
                    saturation_shift: 0.5,
                    value_shift: 20.0,
                }],
                [90, 90, 90],
                [110, 110, 110],
            ),
            (vec![ColorChange::Lightness { threshold: 0.4, factor: 2.5 }], [60, 40, 20], [150, 100, 50]),
            (vec![ColorChange::Lightness { threshold: 0.4, factor: 2.5 }], [200, 200, 210], [200, 200, 210]),
            (vec![ColorChange::Saturation(0.0)], [255, 0, 0], [76, 76, 76]),
            (vec![ColorChange::Contrast { factor: 2.0, mean: 100.0 }], [90, 100, 200], [80, 100, 255]),
        ] {
            let input = Array2::from_shape_fn((1, 3), |(_, c)| from[c] as u8);
            let mut found = Array2::<u8>::zeros((1, 3));
            let view = View::U8(input.view().into_dyn());
            recolor(ViewMut::U8(found.view_mut().into_dyn()), &view, &changes, 255.0).unwrap();
            assert_eq!(found.as_slice().unwrap(), to);
        }
    }

    #[test]
    fn grey_and_other_orders() {
        let input = Array2::from_shape_fn((70, 3), |(p, c)| (p * 911 + c * 20_000) as u16);
        let mut found = Array2::<u16>::zeros((70, 1));
        grey(ViewMut::U16(found.view_mut().into_dyn()), &View::U16(input.view().into_dyn())).unwrap();
        let mut shuffled = Array2::<u16>::zeros((70, 3));
        let view = View::U16(input.view().into_dyn());
        reorder(ViewMut::U16(shuffled.view_mut().into_dyn()), &view, &[2, 0, 1]).unwrap();
        for (pixel, values) in input.outer_iter().enumerate() {
            let [red, green, blue] = [0, 1, 2].map(|c| u64::from(values[c]));
            let wanted = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16;
            assert_eq!(u64::from(found[[pixel, 0]]), wanted);
            assert_eq!(shuffled.row(pixel).to_vec(), [values[2], values[0], values[1]]);
        }
        assert!(reorder(ViewMut::U16(shuffled.view_mut().into_dyn()), &view, &[3, 0, 1]).is_err());
    }
}
