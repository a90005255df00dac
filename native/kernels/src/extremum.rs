//! Minimum and maximum along one axis.

use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::simd::{Kernel, dispatch};
use crate::slab::{filter_slabs, set_extension};
use crate::view::{View, ViewMut};

/// Which end of the order is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extremum {
    /// The smallest sample; NaN only where there is nothing else.
    Minimum,
    /// The largest sample; NaN where there is one.
    Maximum,
}

/// The extreme sample of the window of `size` samples around each pixel of the lines along `axis`.
///
/// The window begins `size / 2 + origin` samples ahead of the pixel. NaN counts as larger than every number.
///
/// # Errors
///
/// When `size` is 0, when `origin` puts the window beside the pixel, or when the arrays do not fit.
pub fn extremum1d(
    input: &View<'_>,
    output: ViewMut<'_>,
    axis: usize,
    size: usize,
    extremum: Extremum,
    border: Border,
    fill: f64,
    origin: isize,
) -> Result<()> {
    let before = (size / 2).checked_add_signed(origin).filter(|before| *before < size).ok_or_else(|| {
        KernelError::parameter(format!("a window of {size} samples cannot have the origin {origin}"))
    })?;
    let len = input.shape().get(axis).copied().unwrap_or(0);
    let extension = set_extension(before, size, len, border, fill);
    let size = extension.before + 1 + extension.after;
    let cost = 1 + size.ilog2() as usize;
    filter_slabs(input, output, axis, extension, cost, |extended, result, step| {
        match extremum {
            Extremum::Minimum => dispatch(Doubling { samples: extended, size, step, choose: smaller }),
            Extremum::Maximum => dispatch(Doubling { samples: extended, size, step, choose: larger }),
        }
        result.copy_from_slice(&extended[..result.len()]);
    })
}

#[inline(always)]
fn smaller(a: f64, b: f64) -> f64 {
    if b < a || a.is_nan() { b } else { a }
}

#[inline(always)]
fn larger(a: f64, b: f64) -> f64 {
    if b > a || b.is_nan() { b } else { a }
}

/// Replace `samples[i]` by the chosen one among `size` samples from `i` on, `step` apart.
///
/// Windows are doubled: the best of 2k samples is the better of two bests of k; the last step overlaps.
struct Doubling<'a, F> {
    samples: &'a mut [f64],
    size: usize,
    step: usize,
    choose: F,
}

impl<F: Fn(f64, f64) -> f64> Kernel for Doubling<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (mut covered, mut valid) = (1, self.samples.len());
        while covered < self.size {
            let grown = (2 * covered).min(self.size);
            let shift = (grown - covered) * self.step;
            valid -= shift;
            // Samples ahead are read before they are replaced, so this may be done in place.
            ahead(&mut self.samples[..valid + shift], shift, &self.choose);
            covered = grown;
        }
    }
}

#[inline(always)]
fn ahead(samples: &mut [f64], shift: usize, choose: &impl Fn(f64, f64) -> f64) {
    const BLOCK: usize = 32;
    let valid = samples.len() - shift;
    let mut done = 0;
    while valid - done >= BLOCK {
        let far: [f64; BLOCK] = samples[done + shift..done + shift + BLOCK].try_into().expect("a block");
        for (near, far) in samples[done..done + BLOCK].iter_mut().zip(far) {
            *near = choose(*near, far);
        }
        done += BLOCK;
    }
    for index in done..valid {
        samples[index] = choose(samples[index], samples[index + shift]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, Dimension};
    use proptest::prelude::*;

    #[test]
    fn nan_is_larger_than_all_numbers() {
        let nan = f64::NAN;
        for (a, b, least, most) in [(nan, 1.0, 1.0, nan), (1.0, nan, 1.0, nan), (2.0, 1.0, 1.0, 2.0)] {
            assert_eq!(smaller(a, b), least);
            assert!(larger(a, b) == most || (larger(a, b).is_nan() && most.is_nan()));
        }
        assert!(smaller(nan, nan).is_nan());
    }

    proptest! {
        #[test]
        fn equals_looking_at_every_sample(
            shape in prop::collection::vec(1_usize..40, 1..4),
            axis in 0_usize..3,
            size in 1_usize..100,
            start in any::<prop::sample::Index>(),
            code in 0..7,
        ) {
            let axis = axis % shape.len();
            let before = start.index(size);
            let border = Border::from_code(code).unwrap();
            let mut count = 0_i32;
            let array = ArrayD::from_shape_simple_fn(shape.clone(), || { count = (count * 31 + 17) % 1009; count });
            for extremum in [Extremum::Minimum, Extremum::Maximum] {
                let mut output = ArrayD::<i32>::zeros(array.raw_dim());
                let origin = before as isize - (size / 2) as isize;
                let view = ViewMut::I32(output.view_mut());
                extremum1d(&View::I32(array.view()), view, axis, size, extremum, border, 500.0, origin).unwrap();
                let expected = ArrayD::from_shape_fn(array.raw_dim(), |index| {
                    let samples = (0..size).map(|tap| {
                        let position = (index[axis] + tap) as isize - before as isize;
                        border.index(position, shape[axis]).map_or(500, |inside| {
                            let mut at = index.clone();
                            at.slice_mut()[axis] = inside;
                            array[at]
                        })
                    });
                    if extremum == Extremum::Minimum { samples.min() } else { samples.max() }.unwrap()
                });
                prop_assert_eq!(&output, &expected);
            }
        }
    }
}
