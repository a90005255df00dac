//! Correlation along one axis, the loop of `correlate1d` and the Gaussian filters.

mod approx;

use self::approx::{Guess, Guessed};
use crate::array::sample::Sample;
use crate::array::scratch::Element;
use crate::array::view::{View, ViewMut};
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::match_dtype;
use crate::walk::line_tiles::{Extension, Reader, Source, Target, Walk, Writer, walk_strips};
use crate::window::{self, Lines};
use ndarray::ArrayViewMutD;
use std::convert;
use std::ops::{Add, Mul, Sub};

/// Correlate the lines with `weights`.
///
/// Weight `k` meets the sample `k - weights.len() / 2 - origin` away from the pixel. The sums are SciPy's, addition
/// by addition: weights of odd number that are (anti)symmetric to within `f64::EPSILON` are applied to sums
/// (differences) of two samples, from the outermost pair inwards, after the middle one; others from the first to
/// the last, after the last.
///
/// # Errors
///
/// When there are no weights, when `origin` puts the window beside the pixel, or when the arrays do not fit.
pub fn correlate1d(lines: Lines<'_>, weights: &[f64]) -> Result<()> {
    let Lines { input, output, axis, border, fill, origin } = lines;
    correlate_rows(input, output, Pass { axis, weights, border, fill, origin }, 0)
}

/// A correlation along one axis, by the rules of [`correlate1d`].
#[derive(Clone, Copy)]
pub struct Pass<'a> {
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

/// [`correlate1d`] of those rows of the lines, from `first` on, that `output` has.
pub(crate) fn correlate_rows(
    input: Option<&View<'_>>,
    output: ViewMut<'_>,
    pass: Pass<'_>,
    first: usize,
) -> Result<()> {
    let Pass { axis, weights, border, fill, origin } = pass;
    let size = weights.len();
    let before = window::before(size, origin)?;
    let extension = Extension { before, after: size - 1 - before, border };
    let walk = Walk { axis, extension, cost: 1 + size / 4, whole: false, first };
    let taps = Taps { weights, symmetry: symmetry(weights) };
    if is_alike::<u8>(input, &output)
        && let Some(guess) = Guess::new(taps, border, fill)
    {
        return filter_alike(
            input,
            output,
            &walk,
            fill as f32,
            <f32 as From<u8>>::from,
            convert::identity,
            |samples, result, step| {
                dispatch(Guessed { samples, guess: &guess, step, result });
            },
        );
    }
    if is_alike::<f32>(input, &output)
        && let Some(weights) = difference(weights)
        && let Some(fill) = border.fill_as::<f32>(fill)
    {
        let taps = Taps { weights: &weights, symmetry: Symmetry::Odd };
        return filter_alike(
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
    if is_alike::<f32>(input, &output) {
        return filter_alike(
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
    filter_strips(input, output, &walk, fill, |samples, result, step| {
        dispatch(Correlation { samples, taps, step, result, narrow: convert::identity });
    })
}

/// The weights of the difference of two neighbours, as `f32`: to such samples they may be applied in `f32`.
///
/// A sum of two `f32`, rounded to `f64` and then to `f32`, is rounded as if at once: `f64` has more than twice the digits
/// (Figueroa, "When is double rounding innocuous?", 1995). The other products, by 1 and by 0, are exact.
fn difference(weights: &[f64]) -> Option<[f32; 3]> {
    match weights {
        [-1.0, 0.0, 1.0] => Some([-1.0, 0.0, 1.0]),
        [1.0, 0.0, -1.0] => Some([1.0, 0.0, -1.0]),
        _ => None,
    }
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
    check_shapes(input, &output, walk)?;
    let reader: Box<dyn Reader<f64> + '_> = match_dtype!(View, input, array => {
        Box::new(Source(c_order(array.as_slice())?, Sample::to_f64))
    });
    walk_strips(output, walk, fill, Some((reader.as_ref(), len_along(input, walk))), truncating, compute)
}

/// Reads as `f64`, stores by the truncating cast.
fn truncating<'a>(part: ViewMut<'a>) -> Box<dyn Writer<f64, f64> + 'a> {
    match_dtype!(ViewMut, part, part => {
        Box::new(Target(part, Sample::to_f64, Sample::from_f64_truncated))
    })
}

/// Types whose samples and results need no buffer of `f64` each.
pub(crate) trait Alike: Sample {
    /// The elements, if they are of this type and in C order.
    fn elements<'a>(view: &'a View<'_>) -> Option<&'a [Self]>;

    /// The array, if it is of this type.
    fn array(view: ViewMut<'_>) -> Option<ArrayViewMutD<'_, Self>>;

    /// Whether the array is of this type.
    fn is_of(view: &ViewMut<'_>) -> bool;
}

macro_rules! alike {
    ($($type:ty: $variant:ident),*) => {
        $(impl Alike for $type {
            fn elements<'a>(view: &'a View<'_>) -> Option<&'a [Self]> {
                if let View::$variant(array) = view { array.as_slice() } else { None }
            }

            fn array(view: ViewMut<'_>) -> Option<ArrayViewMutD<'_, Self>> {
                if let ViewMut::$variant(array) = view { Some(array) } else { None }
            }

            fn is_of(view: &ViewMut<'_>) -> bool {
                matches!(view, ViewMut::$variant(_))
            }
        })*
    };
}

alike!(u8: U8, f32: F32);

/// Whether elements of that type are read, and written.
pub(crate) fn is_alike<T: Alike>(input: Option<&View<'_>>, output: &ViewMut<'_>) -> bool {
    T::is_of(output) && input.is_none_or(|input| T::elements(input).is_some())
}

/// As [`walk_strips`], for elements of one type, which are read and stored as is said.
pub(crate) fn filter_alike<'v, T: Alike, B: Element + Sync, R: Element>(
    input: Option<&View<'_>>,
    output: ViewMut<'v>,
    walk: &Walk,
    fill: B,
    load: impl Fn(T) -> B + Copy + Sync + 'v,
    store: impl Fn(R) -> T + Copy + Sync + 'v,
    compute: impl Fn(&mut [B], &mut [R], usize) + Sync,
) -> Result<()> {
    if let Some(input) = input {
        check_shapes(input, &output, walk)?;
    }
    let reader = input.and_then(T::elements).map(|elements| Source(elements, load));
    let reader = reader.as_ref().zip(input).map(|(reader, input)| {
        let reader: &dyn Reader<B> = reader;
        (reader, len_along(input, walk))
    });
    walk_strips(
        output,
        walk,
        fill,
        reader,
        |part| -> Box<dyn Writer<B, R> + 'v> {
            Box::new(Target(T::array(part).expect("a part has the type of the whole"), load, store))
        },
        compute,
    )
}

fn len_along(input: &View<'_>, walk: &Walk) -> usize {
    input.shape().get(walk.axis).copied().unwrap_or(0)
}

/// The output must have the input's shape, or fewer rows of its lines.
fn check_shapes(input: &View<'_>, output: &ViewMut<'_>, walk: &Walk) -> Result<()> {
    let (from, to) = (input.shape(), output.shape());
    let fits = from.len() == to.len()
        && from.iter().zip(to).enumerate().all(|(axis, (from, to))| {
            from == to || axis == walk.axis && walk.first.checked_add(*to).is_some_and(|end| end <= *from)
        });
    if fits {
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
    fn sum<const N: usize, B: Number + Into<S>>(self, samples: &[B], step: usize) -> [S; N] {
        match self.symmetry {
            Symmetry::Even => self.pairs(samples, step, |a, b| a + b),
            Symmetry::Odd => self.pairs(samples, step, |a, b| a - b),
            Symmetry::None => {
                let last = self.weights.len() - 1;
                let mut sums = self.first(last, samples, step);
                for (index, weight) in self.weights[..last].iter().enumerate() {
                    let samples: &[B; N] = lanes(&samples[index * step..]);
                    for lane in 0..N {
                        sums[lane] = sums[lane] + samples[lane].into() * *weight;
                    }
                }
                sums
            }
        }
    }

    #[inline(always)]
    fn pairs<const N: usize, B: Number + Into<S>>(
        self,
        samples: &[B],
        step: usize,
        combine: impl Fn(S, S) -> S,
    ) -> [S; N] {
        let (last, middle) = (self.weights.len() - 1, self.weights.len() / 2);
        let mut sums = self.first(middle, samples, step);
        for (index, weight) in self.weights[..middle].iter().enumerate() {
            let left: &[B; N] = lanes(&samples[index * step..]);
            let right: &[B; N] = lanes(&samples[(last - index) * step..]);
            for lane in 0..N {
                sums[lane] = sums[lane] + combine(left[lane].into(), right[lane].into()) * *weight;
            }
        }
        sums
    }

    /// The first product of every sum.
    #[inline(always)]
    fn first<const N: usize, B: Number + Into<S>>(self, index: usize, samples: &[B], step: usize) -> [S; N] {
        let samples: &[B; N] = lanes(&samples[index * step..]);
        let mut sums = [S::default(); N];
        for lane in 0..N {
            sums[lane] = samples[lane].into() * self.weights[index];
        }
        sums
    }
}

#[inline(always)]
pub(crate) fn lanes<const N: usize, B>(samples: &[B]) -> &[B; N] {
    samples.first_chunk().expect("samples for whole tiles")
}

struct Correlation<'a, S, T, F> {
    samples: &'a [S],
    taps: Taps<'a, S>,
    step: usize,
    result: &'a mut [T],
    narrow: F,
}

impl<S: Number, T, F: Fn(S) -> T> Kernel for Correlation<'_, S, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        /// As many sums as stay in registers.
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

/// Results from three samples each: without a loop over weights, twice as fast.
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
            window::testing::equals_its_definition(
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
            // Any bits at all, or exponents so near to each other that their differences are rounded.
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
            let lines = Lines {
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

    /// With SciPy's order of additions.
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
