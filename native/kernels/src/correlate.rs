//! Correlation along one axis, the loop of `correlate1d` and the Gaussian filters.

use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::line::Extension;
use crate::simd::{Kernel, dispatch};
use crate::slab::filter_slabs;
use crate::view::{View, ViewMut};

/// Correlate the lines along `axis` with `weights`.
///
/// Weight `k` meets the sample `k - weights.len() / 2 - origin` away from the pixel. The sums are SciPy's, addition
/// by addition: weights of odd number that are (anti)symmetric to within `f64::EPSILON` are applied to sums
/// (differences) of two samples, from the outermost pair inwards, after the middle one; others from the first to
/// the last, after the last.
///
/// # Errors
///
/// When there are no weights, when `origin` puts the window beside the pixel, or when the arrays do not fit.
pub fn correlate1d(
    input: &View<'_>,
    output: ViewMut<'_>,
    axis: usize,
    weights: &[f64],
    border: Border,
    fill: f64,
    origin: isize,
) -> Result<()> {
    let size = weights.len();
    let before = (size / 2).checked_add_signed(origin).filter(|before| *before < size).ok_or_else(|| {
        KernelError::parameter(format!("a window of {size} samples cannot have the origin {origin}"))
    })?;
    let extension = Extension { before, after: size - 1 - before, border, fill };
    let symmetry = symmetry(weights);
    filter_slabs(input, output, axis, extension, 1 + size / 4, |extended, result, step| {
        dispatch(Correlation { samples: extended, weights, symmetry, step, result });
    })
}

/// How the weights on one side of the middle follow from the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symmetry {
    Even,
    Odd,
    None,
}

fn symmetry(weights: &[f64]) -> Symmetry {
    // NaN compares as equal here, as it does in SciPy.
    let pairs = |differs: fn(f64, f64) -> f64| {
        let mirrored = weights.iter().zip(weights.iter().rev()).take(weights.len() / 2);
        !mirrored.into_iter().any(|(a, b)| differs(*b, *a).abs() > f64::EPSILON)
    };
    match weights.len() % 2 {
        1 if pairs(|a, b| a - b) => Symmetry::Even,
        1 if pairs(|a, b| a + b) => Symmetry::Odd,
        _ => Symmetry::None,
    }
}

/// `result[i]` from the samples at `i`, `i + step`, `i + 2 * step`, …, one for each weight.
struct Correlation<'a> {
    samples: &'a [f64],
    weights: &'a [f64],
    symmetry: Symmetry,
    step: usize,
    result: &'a mut [f64],
}

/// Results that are summed up together: their sums stay in the first-level cache while tap after tap is added.
///
/// Long enough that the compiler keeps the loops over them as loops, which it turns into SIMD.
const BLOCK: usize = 256;

/// Taps that are added in one go over the sums.
const TAPS: usize = 4;

impl Kernel for Correlation<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { samples, weights, symmetry, step, result } = self;
        let (size, middle) = (weights.len(), weights.len() / 2);
        let mut block = [0.0; BLOCK];
        let mut first = 0;
        for result in result.chunks_mut(BLOCK) {
            let sums = &mut block[..result.len()];
            let taps = &samples[first..];
            match symmetry {
                Symmetry::Even => {
                    product(sums, &taps[middle * step..], weights[middle]);
                    add_taps(
                        sums,
                        &weights[..middle],
                        |tap| (&taps[tap * step..], &taps[(size - 1 - tap) * step..]),
                        |a, b| a + b,
                    );
                }
                Symmetry::Odd => {
                    product(sums, &taps[middle * step..], weights[middle]);
                    add_taps(
                        sums,
                        &weights[..middle],
                        |tap| (&taps[tap * step..], &taps[(size - 1 - tap) * step..]),
                        |a, b| a - b,
                    );
                }
                Symmetry::None => {
                    product(sums, &taps[(size - 1) * step..], weights[size - 1]);
                    add_taps(sums, &weights[..size - 1], |tap| (&taps[tap * step..], taps), |a, _| a);
                }
            }
            result.copy_from_slice(sums);
            first += result.len();
        }
    }
}

#[inline(always)]
fn product(sums: &mut [f64], samples: &[f64], weight: f64) {
    sums.iter_mut().zip(samples).for_each(|(sum, sample)| *sum = sample * weight);
}

/// Add `weights[k]` times the samples, or what `combine` makes of the pairs, that `tap(k)` gives; k in order.
#[inline(always)]
fn add_taps<'a>(
    sums: &mut [f64],
    weights: &[f64],
    tap: impl Fn(usize) -> (&'a [f64], &'a [f64]),
    combine: impl Fn(f64, f64) -> f64,
) {
    let len = sums.len();
    let pair = |index: usize| {
        let (left, right) = tap(index);
        (&left[..len], &right[..len], weights[index])
    };
    let together = weights.len() - weights.len() % TAPS;
    for first in (0..together).step_by(TAPS) {
        let [a, b, c, d] = std::array::from_fn(|tap| pair(first + tap));
        for (lane, total) in sums.iter_mut().enumerate() {
            let mut sum = *total;
            sum += combine(a.0[lane], a.1[lane]) * a.2;
            sum += combine(b.0[lane], b.1[lane]) * b.2;
            sum += combine(c.0[lane], c.1[lane]) * c.2;
            sum += combine(d.0[lane], d.1[lane]) * d.2;
            *total = sum;
        }
    }
    for index in together..weights.len() {
        let (left, right, weight) = pair(index);
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum += combine(*left, *right) * weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::set_local_threads;
    use crate::simd::{Level, force, level};
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
    fn a_window_beside_the_pixel_is_refused() {
        let array = ArrayD::<u8>::zeros(vec![3]);
        for (weights, origin) in [(&[][..], 0), (&[1.0, 1.0][..], 1), (&[1.0, 1.0, 1.0][..], -2)] {
            let mut output = array.clone();
            let output = ViewMut::U8(output.view_mut());
            let done = correlate1d(&View::U8(array.view()), output, 0, weights, Border::Nearest, 0.0, origin);
            assert!(matches!(done, Err(KernelError::Parameter(_))));
        }
    }

    /// The definition, pixel by pixel, with SciPy's order of additions.
    fn plain(
        array: &ArrayD<i16>,
        axis: usize,
        weights: &[f64],
        border: Border,
        origin: isize,
    ) -> ArrayD<f64> {
        let (size, len) = (weights.len(), array.shape()[axis]);
        ArrayD::from_shape_fn(array.raw_dim(), |index| {
            let sample = |tap: usize| {
                let position = index[axis] as isize + tap as isize - (size / 2) as isize - origin;
                border.index(position, len).map_or(7.0, |inside| {
                    let mut at = index.clone();
                    at.slice_mut()[axis] = inside;
                    f64::from(array[at])
                })
            };
            let middle = size / 2;
            let paired = |sign: f64| {
                (0..middle).fold(sample(middle) * weights[middle], |sum, tap| {
                    sum + (sample(tap) + sign * sample(size - 1 - tap)) * weights[tap]
                })
            };
            match symmetry(weights) {
                Symmetry::Even => paired(1.0),
                Symmetry::Odd => paired(-1.0),
                Symmetry::None => (0..size - 1)
                    .fold(sample(size - 1) * weights[size - 1], |sum, tap| sum + sample(tap) * weights[tap]),
            }
        })
    }

    proptest! {
        #[test]
        fn equals_the_definition_at_every_level_and_thread_count(
            shape in prop::collection::vec(1_usize..40, 1..4),
            axis in 0_usize..3,
            half in prop::collection::vec(-2.0_f64..2.0, 1..5),
            kind in 0..3,
            origin in -4_isize..4,
            code in 0..7,
            threads in 1_usize..4,
        ) {
            let weights: Vec<f64> = match kind {
                0 => half.clone(),
                1 => half.iter().chain(half.iter().rev().skip(1)).copied().collect(),
                _ => half.iter().copied().chain(half.iter().rev().skip(1).map(|w| -w)).collect(),
            };
            let size = weights.len() as isize;
            let (axis, origin) = (axis % shape.len(), origin.clamp(-(size / 2), (size - 1) / 2));
            let mut count = 0_i16;
            let array = ArrayD::from_shape_simple_fn(shape, || { count = (count * 31 + 17) % 1009; count });
            let border = Border::from_code(code).unwrap();
            let expected = plain(&array, axis, &weights, border, origin);
            let (threads, before) = (set_local_threads(threads), level());
            for wanted in [Level::Baseline, Level::Avx2, Level::Avx512] {
                force(wanted);
                let mut output = ArrayD::<f64>::zeros(array.raw_dim());
                let view = ViewMut::F64(output.view_mut());
                correlate1d(&View::I16(array.view()), view, axis, &weights, border, 7.0, origin).unwrap();
                prop_assert_eq!(&output, &expected);
            }
            force(before);
            set_local_threads(threads);
        }
    }
}
