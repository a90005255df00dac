//! Correlation along one axis: the loop of `correlate1d` and of the Gaussian and derivative filters.

mod approx;
pub(crate) mod taps;

use crate::array::sample::Sample;
use crate::array::view::{View, ViewMut};
use crate::border::Border;
use crate::error::Result;
use crate::exec::simd::{Kernel, dispatch};
use crate::filter::correlate1d::taps::{LineWeights, Number, Symmetry, symmetry};
use crate::filter::line_filter::{LineFilterArgs, filter_as_f64, filter_same_type, is_same_type};
use crate::walk::line_tiles::{Extension, Walk};
use crate::window;
use approx::{ApproxKernel, ApproxSums};
use std::convert;

/// Correlate lines with `weights`.
///
/// Weight `k` multiplies the sample `k - weights.len() / 2 - origin` away from the pixel. The sums are SciPy's,
/// addition by addition. An odd number of weights that are (anti)symmetric to within `f64::EPSILON` multiplies sums
/// (differences) of two samples: first the middle one, then pairs from the outermost inwards. Other weights start with
/// the last one, then go from the first to the last but one.
///
/// # Errors
///
/// If there are no weights, `origin` moves the window off the pixel, or the arrays do not fit.
pub fn correlate1d(lines: LineFilterArgs<'_>, weights: &[f64]) -> Result<()> {
    let LineFilterArgs { input, output, axis, border, fill, origin } = lines;
    correlate_rows(input, output, AxisPass { axis, weights, border, fill, origin }, 0)
}

/// One correlation along an axis, by the rules of [`correlate1d`].
#[derive(Clone, Copy)]
pub struct AxisPass<'a> {
    /// The axis of the lines.
    pub axis: usize,
    /// The weights.
    pub weights: &'a [f64],
    /// Where samples outside the array come from.
    pub border: Border,
    /// The fill value of the constant modes.
    pub fill: f64,
    /// Moves the window.
    pub origin: isize,
}

/// [`correlate1d`] for a range of rows: those from `first` on that `output` has.
pub(crate) fn correlate_rows(
    input: Option<&View<'_>>,
    output: ViewMut<'_>,
    pass: AxisPass<'_>,
    first: usize,
) -> Result<()> {
    let AxisPass { axis, weights, border, fill, origin } = pass;
    let size = weights.len();
    let before = window::before(size, origin)?;
    let extension = Extension { before, after: size - 1 - before, border };
    let walk = Walk { axis, extension, cost: 1 + size / 4, whole: false, first };
    let taps = LineWeights { weights, symmetry: symmetry(weights) };
    if is_same_type::<u8>(input, &output)
        && let Some(approx) = ApproxSums::new(taps, border, fill)
    {
        return filter_same_type(
            input,
            output,
            &walk,
            fill as f32,
            <f32 as From<u8>>::from,
            convert::identity,
            |samples, result, step| {
                dispatch(ApproxKernel { samples, approx: &approx, step, result });
            },
        );
    }
    if is_same_type::<f32>(input, &output)
        && let Some(weights) = difference(weights)
        && let Some(fill) = border.fill_as::<f32>(fill)
    {
        let taps = LineWeights { weights: &weights, symmetry: Symmetry::Odd };
        return filter_same_type(
            input,
            output,
            &walk,
            fill,
            convert::identity::<f32>,
            convert::identity,
            |samples, result, step| {
                dispatch(Correlation { samples, taps, step, result, narrow: convert::identity });
            },
        );
    }
    if is_same_type::<f32>(input, &output) {
        return filter_same_type(
            input,
            output,
            &walk,
            fill,
            <f64 as From<f32>>::from,
            convert::identity,
            |samples, result, step| {
                dispatch(Correlation { samples, taps, step, result, narrow: f32::from_f64_truncated });
            },
        );
    }
    filter_as_f64(input, output, &walk, fill, |samples, result, step| {
        dispatch(Correlation { samples, taps, step, result, narrow: convert::identity });
    })
}

/// The weights of a difference of two neighbours as `f32`; `f32` samples may then be summed in `f32`.
///
/// A sum of two `f32`, rounded to `f64` and then to `f32`, equals the sum rounded once, because `f64` has more than
/// twice the digits (Figueroa, "When is double rounding innocuous?", 1995). The other products, by 1 and by 0, are
/// exact.
fn difference(weights: &[f64]) -> Option<[f32; 3]> {
    match weights {
        [-1.0, 0.0, 1.0] => Some([-1.0, 0.0, 1.0]),
        [1.0, 0.0, -1.0] => Some([1.0, 0.0, -1.0]),
        _ => None,
    }
}

impl Number for f32 {}
impl Number for f64 {}

struct Correlation<'a, S, T, F> {
    samples: &'a [S],
    taps: LineWeights<'a, S>,
    step: usize,
    result: &'a mut [T],
    narrow: F,
}

impl<S: Number, T, F: Fn(S) -> T> Kernel for Correlation<'_, S, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        /// As many sums as fit in registers.
        const LANES: usize = 32;
        let Self { samples, taps, step, result, narrow } = self;
        match (taps.weights, taps.symmetry) {
            ([outer, middle, _], Symmetry::Even) => {
                three(samples, step, result, |a, b, c| narrow(b * *middle + (a + c) * *outer));
            }
            ([outer, middle, _], Symmetry::Odd) => {
                three(samples, step, result, |a, b, c| narrow(b * *middle + (a - c) * *outer));
            }
            _ => {
                for (index, result) in result.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                    let sums: [S; LANES] = taps.sum(&samples[index * LANES..], step);
                    for lane in 0..LANES {
                        result[lane] = narrow(sums[lane]);
                    }
                }
            }
        }
    }
}

/// Results from three samples each: twice as fast without a loop over weights.
#[inline(always)]
fn three<S: Copy, T>(samples: &[S], step: usize, result: &mut [T], sum: impl Fn(S, S, S) -> T) {
    let count = result.len();
    let (a, b, c) = (&samples[..count], &samples[step..][..count], &samples[2 * step..][..count]);
    for index in 0..count {
        result[index] = sum(a[index], b[index], c[index]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, Dimension};
    use proptest::prelude::*;

    #[test]
    fn symmetry_is_judged_as_scipy_does() {
        assert_eq!(symmetry(&[1.0, 2.0, 1.0]), Symmetry::Even);
        assert_eq!(symmetry(&[-1.0, 2.0, 1.0]), Symmetry::Odd);
        assert_eq!(symmetry(&[1.0, 2.0, 3.0]), Symmetry::None);
        assert_eq!(symmetry(&[1.0, 1.0]), Symmetry::None);
        assert_eq!(symmetry(&[1e-20, 0.0, -1e-20]), Symmetry::Even);
        assert_eq!(symmetry(&[1.0, 2.0, f64::NAN]), Symmetry::Even);
        assert_eq!(symmetry(&[5.0]), Symmetry::Even);
    }

    #[test]
    fn equals_the_definition() {
        for mirrored in [None, Some(1.0), Some(-1.0)] {
            let weights = |size: usize| -> Vec<f64> {
                let half = |at: usize| (at * 7 % 11) as f64 * 0.37 - 1.7;
                let mirror = |at: usize| mirrored.map_or_else(|| half(at), |sign| sign * half(size - 1 - at));
                (0..size).map(|at| if at <= size / 2 { half(at) } else { mirror(at) }).collect()
            };
            crate::filter::line_filter::testing::equals_its_definition(
                |lines, size| correlate1d(lines, &weights(size)),
                |line, size| plain(&line[line.len() - size..], &weights(size)),
            );
        }
    }

    proptest! {
        #[test]
        fn differences_of_floats_are_rounded_as_by_way_of_doubles(
            bits in prop::collection::vec(any::<u32>(), 1..200),
            exponents in 0_u32..256,
            inner in 1_usize..4,
            sign in prop::sample::select(vec![1.0, -1.0]),
            fill in prop::sample::select(vec![0.0, 0.1, f64::INFINITY]),
            code in 0..7,
        ) {
            // Arbitrary bits, or exponents close enough for differences to be rounded.
            let near = |bits: u32| f32::from_bits(bits & 0x80ff_ffff | (exponents & 0xfe) << 23);
            let any = |bits: &u32| if exponents > 100 { near(*bits) } else { f32::from_bits(*bits) };
            let samples: Vec<f32> = bits.iter().cycle().take(bits.len() * inner).map(any).collect();
            let array = ArrayD::from_shape_vec(vec![bits.len(), inner], samples).unwrap();
            let border = Border::from_code(code).unwrap();
            let mut expected = array.clone();
            for (to, sum) in expected.iter_mut().zip(&plain_floats(&array, &[-sign, 0.0, sign], border, fill)) {
                *to = *sum as f32;
            }
            let mut output = array.clone();
            let view = View::F32(array.view());
            let lines = LineFilterArgs {
                input: Some(&view),
                output: ViewMut::F32(output.view_mut()),
                axis: 0,
                border,
                fill,
                origin: 0,
            };
            correlate1d(lines, &[-sign, 0.0, sign]).unwrap();
            for (a, b) in output.iter().zip(&expected) {
                prop_assert!(a == b || a.is_nan() && b.is_nan(), "{} {}", a, b);
            }
        }
    }

    /// The definition of a correlation with three antisymmetric weights along the first axis.
    fn plain_floats(array: &ArrayD<f32>, weights: &[f64; 3], border: Border, fill: f64) -> ArrayD<f64> {
        ArrayD::from_shape_fn(array.raw_dim(), |index| {
            let [left, middle, right] = [-1, 0, 1].map(|tap| {
                border.index(index[0] as isize + tap, array.shape()[0]).map_or(fill, |inside| {
                    let mut at = index.clone();
                    at.slice_mut()[0] = inside;
                    f64::from(array[at])
                })
            });
            middle * weights[1] + (left - right) * weights[0]
        })
    }

    /// In SciPy's order of additions.
    fn plain(window: &[f64], weights: &[f64]) -> f64 {
        let (last, middle) = (weights.len() - 1, weights.len() / 2);
        let paired = |sign: f64| {
            (0..middle).fold(window[middle] * weights[middle], |sum, tap| {
                sum + (window[tap] + sign * window[last - tap]) * weights[tap]
            })
        };
        match symmetry(weights) {
            Symmetry::Even => paired(1.0),
            Symmetry::Odd => paired(-1.0),
            Symmetry::None => {
                (0..last).fold(window[last] * weights[last], |sum, tap| sum + window[tap] * weights[tap])
            }
        }
    }
}
