//! Orders 2 to 5, stored in a narrower type than `f64`: a guess, and SciPy's sum where it is in doubt.
//!
//! The guess adds up one axis after another, which takes a third of the products. Its lanes are the taps of one pixel.
//!
//! Let `u = 2^-53` and `m` the largest magnitude of an element. The weights on an axis are at least -8 u, and add to 1
//! within 8 u, so the magnitudes of all products add to at most `m (1 + 2^-46)`. SciPy's sum of `n = taps ^ axes`
//! products of `axes + 1` factors is off by at most `(n + axes) u` of that, 219 u for 6 taps on 3 axes; the guess by
//! `axes (taps + 1) u`, 21 u. Adding and taking away the bound itself rounds by 2 u more. So SciPy's sum lies within
//! [`DOUBT`], 256 u, times `m` of the guess; where both ends are stored as one value, that is it: the rounding cast
//! never turns back within so short a distance. Underflow adds less than 2^-1060: too little to count, as the largest
//! magnitude is zero or above [`LEAST`], so that numbers of both signs are never stored as zeros of two signs alike.
//!
//! The weights are the same in both sums, but for order 3. Term by term SciPy's are off from the exact ones by at most
//! 1, 3.4, 4 and, as the last is one less the others, 11.4 u; the rough ones by 1.2, 2.5, 3.2 and 0.7 u. That is 28 u on
//! an axis, 84 on three, beside 67 u of SciPy's 64 products and 15 u of the guess.

use super::inside::{LANES, Lanes, Span, TOGETHER, locate, sum_block};
use crate::array::sample::Sample;
use crate::exec::simd::{Kernel, dispatch, prefetch};
use crate::exec::threads;
use crate::interpolate::spline::weights_behind;
use crate::memory::{self, CollectVec};
use crate::walk::rows::Pixels;
use std::sync::atomic::{AtomicU64, Ordering};

/// In units of the largest magnitude: sums that may be stored otherwise if moved by this are computed again.
const DOUBT: f64 = 1.0 / (1_u64 << 45) as f64;

/// If the largest magnitude is smaller than this, nothing is guessed: [`DOUBT`] of it may be stored as zero.
const LEAST: f64 = 1e-25;

/// By how much a guess may be off, for an image of these elements; `None` if they are too large or small, or infinite.
pub(super) fn bound(elements: &[f64]) -> Option<f64> {
    let count = threads::blocks_for(elements.len());
    let blocks = elements.chunks(elements.len().div_ceil(count).max(1)).collect_vec();
    let largest = AtomicU64::new(0);
    threads::for_each_block(blocks, |block: &[f64]| {
        let parts = block.chunks(4096);
        let here = parts.fold(0.0_f64, |largest, part| largest.max(dispatch(Largest(part))));
        // Bits of positive numbers rise as these do.
        largest.fetch_max(here.to_bits(), Ordering::Relaxed);
    });
    let largest = f64::from_bits(largest.into_inner());
    (largest == 0.0 || (LEAST..1e300).contains(&largest)).then_some(largest * DOUBT)
}

struct Largest<'a>(&'a [f64]);

impl Kernel for Largest<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        // As integers, whose order is that of magnitudes, as the largest of them is found in registers at every level.
        // NaN is passed over: it makes a guess NaN where it makes SciPy's sum NaN.
        let infinite = f64::INFINITY.to_bits();
        let bits = self.0.iter().map(|value| value.abs().to_bits());
        let finite = bits.map(|bits| if bits > infinite { 0 } else { bits });
        f64::from_bits(finite.fold(0, |largest, bits| if bits > largest { bits } else { largest }))
    }
}

/// Whether there are guesses for points with all taps inside, in these planes of `f64`.
pub(super) fn can_guess<T: Sample, const TAPS: usize>(pixels: &Pixels<'_, T>) -> bool {
    let last = pixels.spatial.last();
    TAPS > 2 && matches!(pixels.spatial.len(), 2 | 3) && last.is_some_and(|(_, stride)| *stride == 1)
}

/// Points of a row whose taps all lie inside. Their weights are worked out where they are used: kept for a row, they
/// would leave no room in the first cache.
pub(super) struct Places<const TAPS: usize> {
    rank: usize,
    /// The element of the first tap, from the beginning of the plane.
    starts: Vec<usize>,
    /// How far points lie behind their middle samples; a line for each axis.
    behind: Vec<f64>,
}

impl<const TAPS: usize> Places<TAPS> {
    /// Room for `len` points.
    pub fn new(len: usize, rank: usize) -> Self {
        let room = len.next_multiple_of(TOGETHER);
        Self { rank, starts: memory::zeros(room), behind: memory::zeros(room * rank) }
    }

    /// Find where points with these coordinates on an axis lie; once for each axis, from 0 on. Those outside the
    /// span count as on its ends.
    pub fn find(&mut self, axis: usize, coordinates: &[f64], span: Span) {
        let (room, count) = (self.starts.len(), coordinates.len());
        let (starts, behind) = (&mut self.starts[..], &mut self.behind[axis * room..][..room]);
        dispatch(Place::<TAPS> { is_first: axis == 0, coordinates, span, starts, behind });
        // The rest of the last piece is worked on too.
        if count > 0 {
            for at in count..count.next_multiple_of(TOGETHER) {
                (starts[at], behind[at]) = (starts[count - 1], behind[count - 1]);
            }
        }
    }

    /// So many points from `first` on, on one axis.
    #[inline(always)]
    fn behind<const N: usize>(&self, axis: usize, first: usize) -> &[f64; N] {
        self.behind[axis * self.starts.len() + first..].first_chunk().expect("there is room for whole pieces")
    }
}

struct Place<'a, const TAPS: usize> {
    is_first: bool,
    coordinates: &'a [f64],
    span: Span,
    starts: &'a mut [usize],
    behind: &'a mut [f64],
}

impl<const TAPS: usize> Kernel for Place<'_, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { is_first, coordinates, span, starts, behind } = self;
        for ((x, start), behind) in coordinates.iter().zip(starts).zip(behind) {
            let (first, distance) = locate::<TAPS>(*x, span);
            *start = if is_first { first } else { *start + first };
            *behind = distance;
        }
    }
}

/// As [`weights_behind`] but for rounding: order 3 without its divisions.
#[inline(always)]
fn rough_weights<const TAPS: usize>(x: f64) -> [f64; TAPS] {
    if TAPS != 4 {
        return weights_behind(x);
    }
    let z = 1.0 - x;
    let outer = |x: f64| x * x * (x * (1.0 / 6.0));
    let inner = |x: f64| x * x * (x * 0.5 - 1.0) + 2.0 / 3.0;
    let mut weights = [0.0; TAPS];
    weights.copy_from_slice(&[outer(z), inner(x), inner(z), outer(x)]);
    weights
}

/// Elements of larger planes are asked for before their turn: rows come from beyond the caches.
const LARGE: usize = 1 << 16;

/// Store the sums of points by the rounding cast, for every inner plane; only if [`can_guess`].
pub(super) struct GuessInside<'a, O: Sample, const TAPS: usize> {
    pub places: &'a Places<TAPS>,
    /// From the first element of the outer plane on.
    pub elements: &'a [f64],
    /// Length and distance of neighbours along each axis.
    pub spatial: &'a [(usize, usize)],
    /// Where each inner plane begins.
    pub inner: &'a [usize],
    /// See [`bound`].
    pub bound: f64,
    /// All planes of the first point, then of the second, and so on.
    pub to: &'a mut [O],
}

impl<O: Sample, const TAPS: usize> Kernel for GuessInside<'_, O, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.places.rank {
            2 => self.on_axes::<2>(),
            _ => self.on_axes::<3>(),
        }
    }
}

impl<O: Sample, const TAPS: usize> GuessInside<'_, O, TAPS> {
    #[inline(always)]
    fn on_axes<const RANK: usize>(self) {
        let Self { places, elements, spatial, inner, bound, to } = self;
        let mut strides = [0; RANK];
        strides.iter_mut().zip(spatial).for_each(|(to, (_, stride))| *to = *stride);
        let extent = strides.iter().sum::<usize>() * (TAPS - 1) + 1;
        let is_large = spatial[0].0 * strides[0] > LARGE;
        let mut weights = [[[0.0; TOGETHER]; TAPS]; RANK];
        let mut lines = [[0.0; TAPS]; TOGETHER];
        let pieces = to.chunks_mut(TOGETHER * inner.len()).zip(places.starts.as_chunks::<TOGETHER>().0);
        for (first, (to, starts)) in (0..).step_by(TOGETHER).zip(pieces) {
            for (axis, weights) in weights.iter_mut().enumerate() {
                for (point, x) in places.behind::<TOGETHER>(axis, first).iter().enumerate() {
                    let of_point = rough_weights::<TAPS>(*x);
                    (0..TAPS).for_each(|tap| weights[tap][point] = of_point[tap]);
                }
            }
            let count = to.len() / inner.len();
            for (plane, offset) in inner.iter().enumerate() {
                let elements = &elements[*offset..];
                if is_large && let Some(starts) = places.starts.get(first + TOGETHER..first + 2 * TOGETHER) {
                    // The corners: which of them is new depends on the way the map turns.
                    for corner in [0, TAPS - 1, extent - TAPS, extent - 1] {
                        starts.iter().for_each(|start| prefetch(elements, start + corner));
                    }
                }
                // Kept in memory between the two loops: in one, compilers turn rows of taps into rows of points at
                // once, with more moves than sums.
                for (point, (line, start)) in lines[..count].iter_mut().zip(starts).enumerate() {
                    let taps = &elements[*start..start + extent];
                    *line = sum_leading::<TAPS, RANK>(taps, strides, &weights, point);
                }
                let mut sums = [0.0; TOGETHER];
                for (point, line) in lines.iter().enumerate() {
                    let mut sum = 0.0;
                    for tap in 0..TAPS {
                        sum += line[tap] * weights[RANK - 1][tap][point];
                    }
                    sums[point] = sum;
                }
                let is_known =
                    |sum: f64| O::from_f64_rounded(sum - bound) == O::from_f64_rounded(sum + bound);
                let mut low = [O::default(); TOGETHER];
                let mut all_known = true;
                for (low, sum) in low.iter_mut().zip(&sums) {
                    *low = O::from_f64_rounded(sum - bound);
                    all_known &= is_known(*sum);
                }
                if !all_known {
                    let blocks = sums.as_chunks::<LANES>().0.iter().zip(low.as_chunks_mut::<LANES>().0);
                    for ((sums, low), at) in blocks.zip((0..count).step_by(LANES)) {
                        if !sums.iter().all(|sum| is_known(*sum)) {
                            let starts = starts[at..].first_chunk().expect("whole blocks");
                            let weights = exact_weights::<TAPS, RANK>(places, first + at);
                            let sums =
                                sum_block::<f64, TAPS, RANK, true>(elements, strides, starts, &weights);
                            (0..LANES).for_each(|lane| low[lane] = O::from_f64_rounded(sums[lane]));
                        }
                    }
                }
                match to.first_chunk_mut::<TOGETHER>() {
                    Some(to) if inner.len() == 1 => *to = low,
                    _ => to[plane..].iter_mut().step_by(inner.len()).zip(low).for_each(|(to, low)| *to = low),
                }
            }
        }
    }
}

/// SciPy's weights of the points of a block.
#[inline(always)]
fn exact_weights<const TAPS: usize, const RANK: usize>(
    places: &Places<TAPS>,
    first: usize,
) -> [[Lanes; TAPS]; RANK] {
    let mut weights = [[[0.0; LANES]; TAPS]; RANK];
    for (axis, weights) in weights.iter_mut().enumerate() {
        for (lane, x) in places.behind::<LANES>(axis, first).iter().enumerate() {
            let of_point = weights_behind::<TAPS>(*x);
            (0..TAPS).for_each(|tap| weights[tap][lane] = of_point[tap]);
        }
    }
    weights
}

/// The taps along the last axis, each summed over all other axes.
#[inline(always)]
fn sum_leading<const TAPS: usize, const RANK: usize>(
    taps: &[f64],
    strides: [usize; RANK],
    weights: &[[[f64; TOGETHER]; TAPS]; RANK],
    point: usize,
) -> [f64; TAPS] {
    // A first term added to -0.0 is itself, which compilers know.
    let mut total = [-0.0; TAPS];
    for j in 0..if RANK == 3 { TAPS } else { 1 } {
        let mut line = [-0.0; TAPS];
        for (i, weight) in weights[0].iter().enumerate() {
            let at = i * strides[0] + if RANK == 3 { j * strides[1] } else { 0 };
            for (tap, sum) in line.iter_mut().enumerate() {
                // SAFETY: `taps` reaches to the last tap on every axis, and that along the last lie side by side.
                let element = unsafe { *taps.get_unchecked(at + tap) };
                *sum += element * weight[point];
            }
        }
        if RANK == 2 {
            return line;
        }
        (0..TAPS).for_each(|tap| total[tap] += line[tap] * weights[1][j][point]);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::super::inside::{Inside, SumInside};
    use super::super::row::whole;
    use super::*;
    use crate::exec::simd::{Level, force, level};
    use crate::walk::rows::Axes;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    /// An image from a seed: noise of one magnitude or of many, large beside small, or one value everywhere.
    fn image(shape: &[usize], kind: u8, mut seed: u64) -> ArrayD<f64> {
        ArrayD::from_shape_simple_fn(shape, || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let noise = (seed >> 33) as f64 / 4_294_967_296.0 - 0.25;
            match kind {
                0 => 255.0 * noise,
                1 => noise * 10.0_f64.powi((seed >> 20) as i32 % 40 - 20),
                2 => [1e18, -1e18, 0.5][(seed >> 40) as usize % 3],
                _ => 12.5,
            }
        })
    }

    fn check<const TAPS: usize>(image: &ArrayD<f64>, points: &[Vec<f64>]) -> Result<(), TestCaseError> {
        let axes = Axes { outer: 0, spatial: image.ndim() };
        let pixels = Pixels::new(image.view(), axes);
        prop_assert!(can_guess::<f64, TAPS>(&pixels));
        let bound = bound(pixels.elements()).unwrap();
        let mut inside = Inside::<TAPS>::new(points[0].len(), image.ndim());
        let mut places = Places::<TAPS>::new(points[0].len(), image.ndim());
        for (axis, points) in points.iter().enumerate() {
            let (len, stride) = pixels.spatial[axis];
            let span = Span { interval: whole::<TAPS>(0..len).unwrap(), stride, skipped: 0 };
            inside.find(axis, points, span);
            places.find(axis, points, span);
        }
        let places = &places;
        let (elements, spatial) = (pixels.elements(), &pixels.spatial);
        let before = level();
        for wanted in [Level::Baseline, Level::Avx2, Level::Avx512] {
            force(wanted);
            let mut sums = vec![0.0; points[0].len()];
            dispatch(SumInside { points: &inside, pixels: &pixels, base: 0, to: &mut sums });
            for inner in [vec![0], vec![0; 3]] {
                let planes = inner.len();
                let mut floats = vec![0.0_f32; sums.len() * planes];
                let mut bytes = vec![0_u8; sums.len() * planes];
                dispatch(GuessInside { places, elements, spatial, inner: &inner, bound, to: &mut floats });
                dispatch(GuessInside { places, elements, spatial, inner: &inner, bound, to: &mut bytes });
                for (at, (float, byte)) in floats.iter().zip(&bytes).enumerate() {
                    let sum = sums[at / planes];
                    prop_assert_eq!((sum as f32).to_bits(), float.to_bits());
                    prop_assert_eq!(u8::from_f64_rounded(sum), *byte);
                }
            }
        }
        force(before);
        Ok(())
    }

    proptest! {
        #[test]
        fn guesses_are_stored_as_the_sums_are(
            rank in 2_usize..=3,
            taps in 3_usize..=6,
            kind in 0_u8..4,
            seed in any::<u64>(),
            steps in prop::collection::vec(prop_oneof![0.0_f64..1.0, Just(0.0), Just(0.5), Just(1.0)], 1..100),
        ) {
            let image = image(&[9, 10, 11][..rank], kind, seed);
            let before = ((taps - 1) / 2) as f64;
            let points: Vec<Vec<f64>> = image.shape().iter().enumerate().map(|(axis, len)| {
                let room = (len - taps) as f64;
                let end = if taps % 2 == 0 { (before + room + 1.0).next_down() } else { before + room };
                steps.iter().cycle().skip(axis).take(steps.len()).map(|step| (before + step * (room + 1.0)).min(end))
                    .collect()
            }).collect();
            match taps {
                3 => check::<3>(&image, &points)?,
                4 => check::<4>(&image, &points)?,
                5 => check::<5>(&image, &points)?,
                _ => check::<6>(&image, &points)?,
            }
        }
    }

    #[test]
    fn nothing_is_guessed_about_what_is_infinite_or_nearly_nothing() {
        assert_eq!(bound(&[1.0, f64::INFINITY, 2.0]), None);
        assert_eq!(bound(&[1e305]), None);
        assert_eq!(bound(&[3.0, f64::NAN, -4.0]), Some(4.0 * DOUBT));
        // Sums of both signs would be stored as zeros of one.
        assert_eq!(bound(&[1e-40, 0.0]), None);
        assert_eq!(bound(&[0.0, -0.0]), Some(0.0));
    }
}
