//! Correlation along one axis, the loop of `correlate1d` and the Gaussian filters.

use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::line::Extension;
use crate::match_dtype;
use crate::sample::Sample;
use crate::simd::{Kernel, dispatch};
use crate::strips::{Reader, Source, TILE, Target, Walk, Writer, walk_strips};
use crate::view::{View, ViewMut};
use std::ops::{Add, Mul, Sub};

/// Correlate the lines along `axis` with `weights`; without an input, those of `output` itself.
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
    input: Option<&View<'_>>,
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
    let walk = Walk { axis, extension, cost: 1 + size / 4, whole: false };
    let taps = Taps { weights, symmetry: symmetry(weights) };
    if is_bytes(input, &output)
        && let Some(guess) = Guess::new(taps, border, fill)
    {
        return filter_bytes(
            input,
            output,
            &walk,
            fill as f32,
            f32::from,
            |value: u8| value,
            |samples, result, step| {
                dispatch(Guessed { samples, guess: &guess, step, result });
            },
        );
    }
    filter_strips(input, output, &walk, fill, |samples, result, step| {
        dispatch(Correlation { samples, taps, step, result });
    })
}

/// As [`walk_strips`], for any types: computed in `f64`, stored by the truncating cast.
pub(crate) fn filter_strips(
    input: Option<&View<'_>>,
    output: ViewMut<'_>,
    walk: &Walk,
    fill: f64,
    compute: impl Fn(&mut [f64], &mut [f64], usize) + Sync,
) -> Result<()> {
    let Some(input) = input else {
        return walk_strips(output, walk, fill, None, truncating, compute);
    };
    check_shapes(input, &output)?;
    let reader: Box<dyn Reader<f64> + '_> = match_dtype!(View, input, array => {
        Box::new(Source(c_order(array.as_slice())?, Sample::to_f64))
    });
    walk_strips(output, walk, fill, Some(reader.as_ref()), truncating, compute)
}

/// Reads as `f64`, stores by the truncating cast.
fn truncating<'a>(part: ViewMut<'a>) -> Box<dyn Writer<f64, f64> + 'a> {
    match_dtype!(ViewMut, part, part => {
        Box::new(Target(part, Sample::to_f64, Sample::from_f64_truncated))
    })
}

/// As [`walk_strips`], for bytes into bytes.
pub(crate) fn filter_bytes<'v, B: Copy + Default + Sync + 'v, R: Copy + Default + 'v>(
    input: Option<&View<'_>>,
    output: ViewMut<'v>,
    walk: &Walk,
    fill: B,
    load: impl Fn(u8) -> B + Copy + Sync + 'v,
    store: impl Fn(R) -> u8 + Copy + Sync + 'v,
    compute: impl Fn(&mut [B], &mut [R], usize) + Sync,
) -> Result<()> {
    let reader = match input {
        Some(View::U8(array)) => Some(Source(c_order(array.as_slice())?, load)),
        _ => None,
    };
    if let Some(input) = input {
        check_shapes(input, &output)?;
    }
    let reader = reader.as_ref().map(|reader| reader as &dyn Reader<B>);
    walk_strips(
        output,
        walk,
        fill,
        reader,
        |part| -> Box<dyn Writer<B, R> + 'v> {
            match part {
                ViewMut::U8(part) => Box::new(Target(part, load, store)),
                _ => unreachable!("a part has the type of the whole"),
            }
        },
        compute,
    )
}

/// Whether bytes are read, and written.
pub(crate) fn is_bytes(input: Option<&View<'_>>, output: &ViewMut<'_>) -> bool {
    matches!((input, output), (None | Some(View::U8(_)), ViewMut::U8(_)))
}

fn check_shapes(input: &View<'_>, output: &ViewMut<'_>) -> Result<()> {
    let (from, to) = (input.shape(), output.shape());
    if from == to {
        return Ok(());
    }
    Err(KernelError::shape(format!("cannot filter an array of shape {from:?} into one of shape {to:?}")))
}

pub(crate) fn c_order<T>(elements: Option<&[T]>) -> Result<&[T]> {
    elements.ok_or_else(|| KernelError::shape("the input is not in C order"))
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

/// Weights, and how to sum up with them.
#[derive(Clone, Copy)]
struct Taps<'a, S> {
    weights: &'a [S],
    symmetry: Symmetry,
}

/// A number to compute with.
trait Number: Copy + Default + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {}

impl Number for f32 {}
impl Number for f64 {}

impl<S: Number> Taps<'_, S> {
    /// `N` results, from the samples at `i`, `i + step`, `i + 2 * step`, …, one for each weight.
    #[inline(always)]
    fn sum<const N: usize, B: Copy + Into<S>>(self, samples: &[B], step: usize) -> [S; N] {
        let Self { weights, symmetry } = self;
        let (last, middle) = (weights.len() - 1, weights.len() / 2);
        let tap = |index: usize| (weights[index], lanes(&samples[index * step..]));
        let pairs = (0..middle).map(|index| {
            (weights[index], lanes(&samples[index * step..]), lanes(&samples[(last - index) * step..]))
        });
        match symmetry {
            Symmetry::Even => add_up(tap(middle), pairs, |a, b| a + b),
            Symmetry::Odd => add_up(tap(middle), pairs, |a, b| a - b),
            Symmetry::None => {
                let taps = (0..last).map(tap).map(|(weight, samples)| (weight, samples, samples));
                add_up(tap(last), taps, |a, _| a)
            }
        }
    }
}

#[inline(always)]
fn lanes<const N: usize, B>(samples: &[B]) -> &[B; N] {
    samples.first_chunk().expect("samples for whole tiles")
}

/// The first product, and then the products with what `combine` makes of two samples, in turn.
///
/// Plain loops over the lanes: so the sums stay in registers while tap after tap is added.
#[inline(always)]
fn add_up<'a, const N: usize, B: Copy + Into<S> + 'a, S: Number>(
    first: (S, &[B; N]),
    pairs: impl Iterator<Item = (S, &'a [B; N], &'a [B; N])>,
    combine: impl Fn(S, S) -> S,
) -> [S; N] {
    let mut sums = [S::default(); N];
    for (sum, sample) in sums.iter_mut().zip(first.1) {
        *sum = (*sample).into() * first.0;
    }
    for (weight, left, right) in pairs {
        for (sum, (left, right)) in sums.iter_mut().zip(left.iter().zip(right)) {
            *sum = *sum + combine((*left).into(), (*right).into()) * weight;
        }
    }
    sums
}

struct Correlation<'a> {
    samples: &'a [f64],
    taps: Taps<'a, f64>,
    step: usize,
    result: &'a mut [f64],
}

impl Kernel for Correlation<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        const HALF: usize = TILE / 2;
        for (index, result) in self.result.as_chunks_mut::<HALF>().0.iter_mut().enumerate() {
            *result = self.taps.sum(&self.samples[index * HALF..], self.step);
        }
    }
}

/// Bytes from bytes: sums in `f32` and how far they may be from SciPy's.
///
/// Samples, and sums of two, are integers below 2^10 and exact. With `u = 2^-24`, a rounded weight, its product and
/// each of the at most `n` additions bring a factor within `1 ± u`: together they are off by at most
/// `1.01 (n + 2) u` of `M`, the sum of the absolute weights times 255. SciPy's own sum is off by as much with
/// `u = 2^-53`, and the two sums `guess ± error` are rounded once more, by at most `1.01 u M`: `1.02 (n + 4) u M`
/// covers all. Truncation never falls, so what lies between two values of the same truncation has it too.
struct Guess<'a> {
    exact: Taps<'a, f64>,
    weights: Vec<f32>,
    error: f32,
}

impl<'a> Guess<'a> {
    /// None where more than one result in twenty would be in doubt, or the samples are not bytes.
    fn new(exact: Taps<'a, f64>, border: Border, fill: f64) -> Option<Self> {
        let constant = matches!(border, Border::Constant | Border::GridConstant);
        if constant && !(0..=255).any(|byte| f64::from(byte) == fill) {
            return None;
        }
        let most = 255.0 * exact.weights.iter().map(|weight| weight.abs()).sum::<f64>();
        let whole = most < 2_f64.powi(24) && exact.weights.iter().all(|weight| weight.fract() == 0.0);
        let error = if whole {
            // Integers below 2^24 throughout: nothing is rounded.
            0.0
        } else {
            // The smallest of numbers covers products that vanish.
            1.02 * (exact.weights.len() + 4) as f64 * 2_f64.powi(-24) * most + f64::from(f32::MIN_POSITIVE)
        };
        let weights = exact.weights.iter().map(|weight| *weight as f32).collect();
        (error < 0.025).then_some(Self { exact, weights, error: error as f32 * 1.000_001 })
    }
}

struct Guessed<'a> {
    samples: &'a [f32],
    guess: &'a Guess<'a>,
    step: usize,
    result: &'a mut [u8],
}

impl Kernel for Guessed<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { samples, guess, step, result } = self;
        let taps = Taps { weights: &guess.weights, symmetry: guess.exact.symmetry };
        for (index, result) in result.as_chunks_mut::<TILE>().0.iter_mut().enumerate() {
            let samples = &samples[index * TILE..];
            let sums: [f32; TILE] = taps.sum(samples, step);
            let mut doubt = 0;
            for (to, sum) in result.iter_mut().zip(sums) {
                // SAFETY: an error below one bounds the sums far below 2^31; samples and weights are finite.
                let (low, high): (i32, i32) = unsafe {
                    ((sum - guess.error).to_int_unchecked(), (sum + guess.error).to_int_unchecked())
                };
                doubt |= low ^ high;
                *to = low as u8;
            }
            if doubt != 0 {
                let sums: [f64; TILE] = guess.exact.sum(samples, step);
                for (to, sum) in result.iter_mut().zip(sums) {
                    *to = u8::from_f64_truncated(sum);
                }
            }
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
            let done =
                correlate1d(Some(&View::U8(array.view())), output, 0, weights, Border::Nearest, 0.0, origin);
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
                correlate1d(Some(&View::I16(array.view())), view, axis, &weights, border, 7.0, origin).unwrap();
                prop_assert_eq!(&output, &expected);
            }
            force(before);
            set_local_threads(threads);
        }
    }
}
