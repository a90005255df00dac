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
use std::sync::OnceLock;

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
    let before = (size / 2).checked_add_signed(origin).filter(|before| *before < size).ok_or_else(|| {
        KernelError::parameter(format!("a window of {size} samples cannot have the origin {origin}"))
    })?;
    let extension = Extension { before, after: size - 1 - before, border, fill };
    let walk = Walk { axis, extension, cost: 1 + size / 4, whole: false, first };
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
        check_shapes(input, &output, walk)?;
    }
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
    ///
    /// Sums and differences of two samples must be exact in `B` if it is narrower than `S`.
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
        combine: impl Fn(B, B) -> B,
    ) -> [S; N] {
        let (last, middle) = (self.weights.len() - 1, self.weights.len() / 2);
        let mut sums = self.first(middle, samples, step);
        for (index, weight) in self.weights[..middle].iter().enumerate() {
            let left: &[B; N] = lanes(&samples[index * step..]);
            let right: &[B; N] = lanes(&samples[(last - index) * step..]);
            for lane in 0..N {
                sums[lane] = sums[lane] + combine(left[lane], right[lane]).into() * *weight;
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
        /// As many sums as stay in registers.
        const LANES: usize = 16;
        for (index, result) in self.result.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            *result = self.taps.sum(&self.samples[index * LANES..], self.step);
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
///
/// Flat areas, whose sums lie on the very edge of truncation, are looked up.
struct Guess<'a> {
    exact: Taps<'a, f64>,
    weights: Vec<f32>,
    error: f32,
    /// The result for a window full of each byte, once it was needed.
    flat: OnceLock<[u8; 256]>,
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
        (error < 0.025).then_some(Self {
            exact,
            weights,
            error: error as f32 * 1.000_001,
            flat: OnceLock::new(),
        })
    }

    /// Store what the sums are truncated to, and tell whether one is in doubt.
    #[inline(always)]
    fn store<const N: usize>(&self, sums: &[f32; N], result: &mut [u8; N]) -> bool {
        let mut doubt = 0;
        for lane in 0..N {
            let (low, high) = (sums[lane] - self.error, sums[lane] + self.error);
            // SAFETY: an error below one bounds the sums far below 2^31; samples and weights are finite.
            let (low, high): (i32, i32) = unsafe { (low.to_int_unchecked(), high.to_int_unchecked()) };
            doubt |= low ^ high;
            result[lane] = low as u8;
        }
        doubt != 0
    }

    /// SciPy's results: samples are bytes, so pairs of them are exact in `f32`.
    #[inline(always)]
    fn exact_results<const N: usize>(&self, samples: &[f32], step: usize) -> [u8; N] {
        let sums: [f64; N] = self.exact.sum(samples, step);
        let mut results = [0; N];
        for lane in 0..N {
            results[lane] = u8::from_f64_truncated(sums[lane]);
        }
        results
    }

    /// SciPy's results for windows full of each byte.
    fn flat_results(&self) -> [u8; 256] {
        let bytes: [f32; 256] = std::array::from_fn(|byte| byte as f32);
        let mut results = [0; 256];
        for (results, bytes) in results.as_chunks_mut::<32>().0.iter_mut().zip(bytes.as_chunks::<32>().0) {
            *results = self.exact_results(bytes, 0);
        }
        results
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
            if guess.store(&sums, result) {
                const PART: usize = 32;
                let parts = result.as_chunks_mut::<PART>().0.iter_mut().zip(sums.as_chunks::<PART>().0);
                for (part, (result, sums)) in parts.enumerate() {
                    if guess.store(sums, result) {
                        dispatch(Settled { samples: &samples[part * PART..], guess, step, result });
                    }
                }
            }
        }
    }
}

/// Results that were in doubt.
struct Settled<'a, const N: usize> {
    samples: &'a [f32],
    guess: &'a Guess<'a>,
    step: usize,
    result: &'a mut [u8; N],
}

impl<const N: usize> Kernel for Settled<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { samples, guess, step, result } = self;
        if is_flat::<N>(samples, step, guess.weights.len()) {
            let flat = guess.flat.get_or_init(|| guess.flat_results());
            for (to, sample) in result.iter_mut().zip(samples) {
                // SAFETY: samples are bytes. The conversion that checks takes several times as long.
                let byte: i32 = unsafe { sample.to_int_unchecked() };
                *to = flat[byte as usize & 255];
            }
        } else {
            *result = guess.exact_results(samples, step);
        }
    }
}

/// Whether every one of `N` windows of `size` samples holds one value.
#[inline(always)]
fn is_flat<const N: usize>(samples: &[f32], step: usize, size: usize) -> bool {
    /// Most windows that differ do so in the first samples: looked at after one, and then now and again.
    const OFTEN: usize = 8;
    let first: &[f32; N] = lanes(samples);
    let mut differing = [0; N];
    let any = |differing: &[u32; N]| differing.iter().fold(0, |any, bits| any | bits) != 0;
    for index in 1..size {
        let samples: &[f32; N] = lanes(&samples[index * step..]);
        for lane in 0..N {
            differing[lane] |= first[lane].to_bits() ^ samples[lane].to_bits();
        }
        if index % OFTEN == 1 && any(&differing) {
            return false;
        }
    }
    !any(&differing)
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

        #[test]
        fn guessed_bytes_are_those_of_truncated_sums(
            height in 1_usize..60,
            width in 1_usize..90,
            inner in 1_usize..5,
            half in prop::collection::vec(0.0_f64..0.5, 1..9),
            kind in 0..3,
            run in prop::sample::select(vec![1_usize, 7, 64, 5000]),
            axis in 0_usize..3,
            code in 0..7,
        ) {
            let total = half[0] + 2.0 * half[1..].iter().sum::<f64>();
            // Of sum 1, so that flat areas lie on the edge of truncation; derivatives; any.
            let scale = if kind == 0 { 1.0 / total.max(0.1) } else { 1.0 };
            let sign = if kind == 1 { -1.0 } else { 1.0 };
            let (left, right) = (half[1..].iter().rev(), half[1..].iter().map(|weight| sign * weight));
            let weights: Vec<f64> =
                left.copied().chain([half[0]]).chain(right).map(|weight| weight * scale).collect();
            let mut count = 0_usize;
            let shape = vec![height, width, inner];
            let bytes = ArrayD::from_shape_simple_fn(shape, || { count += 1; (count / run * 31 % 256) as u8 });
            let border = Border::from_code(code).unwrap();
            let mut sums = bytes.mapv(f64::from);
            correlate1d(None, ViewMut::F64(sums.view_mut()), axis, &weights, border, 7.0, 0).unwrap();
            let expected = sums.mapv(u8::from_f64_truncated);
            let before = level();
            for wanted in [Level::Baseline, Level::Avx2, Level::Avx512] {
                force(wanted);
                let mut output = bytes.clone();
                let view = ViewMut::U8(output.view_mut());
                correlate1d(Some(&View::U8(bytes.view())), view, axis, &weights, border, 7.0, 0).unwrap();
                prop_assert_eq!(&output, &expected);
            }
            force(before);
        }
    }
}
