//! Orders 2 to 5 stored in types narrower than `f64`: a cheaper sum with an error bound, and SciPy's sum as fallback.
//!
//! ```text
//! sum = weigh one axis after another          # a third of the products; lanes are the taps of one pixel
//! if cast(sum - bound) == cast(sum + bound): that is the result
//! else: sum again over all taps in SciPy's order
//! ```
//!
//! The bound: let `u = 2^-53`, and `m` the largest magnitude of an element. The weights on an axis are at least -8 u and
//! add up to 1 within 8 u, so the magnitudes of all products add up to at most `m (1 + 2^-46)`. SciPy sums
//! `n = taps ^ axes` products of `axes + 1` factors: it is off by at most `(n + axes) u` of that, 219 u for 6 taps on 3
//! axes. The cheaper sum is off by `axes (taps + 1) u`, 21 u. Adding and subtracting the bound rounds by 2 u more. So
//! SciPy's sum lies within [`RELATIVE_ERROR`], 256 u, times `m`. If both ends are stored as one value, that is the
//! result, because the rounding cast is monotonic over so short a distance. Underflow adds less than 2^-1060, which
//! does not matter: the largest magnitude is zero or above [`MIN_MAGNITUDE`], so that sums of both signs are never both
//! stored as zero with different signs.
//!
//! The weights are the same in both sums except for order 3. Term by term, SciPy's are off from the exact ones by at
//! most 1, 3.4, 4 and, since the last is one minus the others, 11.4 u; the approximate ones by 1.2, 2.5, 3.2 and 0.7 u.
//! That is 28 u per axis, 84 on three, besides 67 u for SciPy's 64 products and 15 u for the cheaper sum.

use crate::array::pixels::Pixels;
use crate::array::sample::Sample;
use crate::exec::counts::match_count;
use crate::exec::simd::{Kernel, dispatch, prefetch};
use crate::exec::threads;
use crate::interpolate::edges::{LANES, Lanes};
use crate::interpolate::spline::weights_at_fraction;
use crate::interpolate::warp::inside::{AxisSpan, CHUNK, locate, sum_block};
use crate::memory::{self, CollectVec};
use std::sync::atomic::{AtomicU64, Ordering};

/// The error bound in units of the largest magnitude.
const RELATIVE_ERROR: f64 = 1.0 / (1_u64 << 45) as f64;

/// If the largest magnitude is smaller than this, nothing is approximated: the bound itself might be stored as zero.
const MIN_MAGNITUDE: f64 = 1e-25;

/// The error bound for an image of these elements; `None` if they are too large, too small, or infinite.
pub(super) fn error_bound(elements: &[f64]) -> Option<f64> {
    let count = threads::blocks_for(elements.len());
    let blocks = elements.chunks(elements.len().div_ceil(count).max(1)).collect_vec();
    let largest = AtomicU64::new(0);
    threads::for_each_block(blocks, |block: &[f64]| {
        let parts = block.chunks(4096);
        let here = parts.fold(0.0_f64, |largest, part| largest.max(dispatch(MaxMagnitude(part))));
        // The bits of positive numbers are ordered like the numbers.
        largest.fetch_max(here.to_bits(), Ordering::Relaxed);
    });
    let largest = f64::from_bits(largest.into_inner());
    (largest == 0.0 || (MIN_MAGNITUDE..1e300).contains(&largest)).then_some(largest * RELATIVE_ERROR)
}

struct MaxMagnitude<'a>(&'a [f64]);

impl Kernel for MaxMagnitude<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        // As integers, because every level has a SIMD maximum for them. NaN is skipped: it makes the approximation NaN
        // wherever it makes SciPy's sum NaN.
        let infinite = f64::INFINITY.to_bits();
        let bits = self.0.iter().map(|value| value.abs().to_bits());
        let finite = bits.map(|bits| if bits > infinite { 0 } else { bits });
        f64::from_bits(finite.fold(0, |largest, bits| if bits > largest { bits } else { largest }))
    }
}

/// Whether points with all taps inside can be approximated for these planes.
pub(super) fn can_approximate<T: Sample, const TAPS: usize>(pixels: &Pixels<'_, T>) -> bool {
    let last = pixels.spatial.last();
    TAPS > 2 && matches!(pixels.spatial.len(), 2 | 3) && last.is_some_and(|(_, stride)| *stride == 1)
}

/// The points of a row whose taps all lie inside. Their weights are computed where they are used: kept for a whole row
/// they would displace the pixels from the first-level cache.
pub(super) struct InteriorPoints<const TAPS: usize> {
    rank: usize,
    /// Offset of the first tap from the start of the plane.
    starts: Vec<usize>,
    /// Distance of each point from its middle sample; one line per axis.
    fractions: Vec<f64>,
}

impl<const TAPS: usize> InteriorPoints<TAPS> {
    /// Capacity for `len` points.
    pub fn new(len: usize, rank: usize) -> Self {
        let capacity = len.next_multiple_of(CHUNK);
        Self { rank, starts: memory::zeros(capacity), fractions: memory::zeros(capacity * rank) }
    }

    /// Locate points with these coordinates on an axis; call it once per axis, from axis 0 on. Points outside the span
    /// are moved to its ends.
    pub fn find(&mut self, axis: usize, coordinates: &[f64], span: AxisSpan) {
        let (capacity, count) = (self.starts.len(), coordinates.len());
        let (starts, fractions) = (&mut self.starts[..], &mut self.fractions[axis * capacity..][..capacity]);
        dispatch(LocatePoints::<TAPS> { is_first: axis == 0, coordinates, span, starts, fractions });
        // The last chunk is computed in full.
        if count > 0 {
            for at in count..count.next_multiple_of(CHUNK) {
                (starts[at], fractions[at]) = (starts[count - 1], fractions[count - 1]);
            }
        }
    }

    /// The distances of `N` points from index `first` on, on one axis.
    #[inline(always)]
    fn fractions<const N: usize>(&self, axis: usize, first: usize) -> &[f64; N] {
        self.fractions[axis * self.starts.len() + first..].first_chunk().expect("capacity for whole chunks")
    }
}

struct LocatePoints<'a, const TAPS: usize> {
    is_first: bool,
    coordinates: &'a [f64],
    span: AxisSpan,
    starts: &'a mut [usize],
    fractions: &'a mut [f64],
}

impl<const TAPS: usize> Kernel for LocatePoints<'_, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { is_first, coordinates, span, starts, fractions } = self;
        for ((x, start), fractions) in coordinates.iter().zip(starts).zip(fractions) {
            let (first, distance) = locate::<TAPS>(*x, span);
            *start = if is_first { first } else { *start + first };
            *fractions = distance;
        }
    }
}

/// [`weights_at_fraction`] up to rounding: order 3 without its divisions.
#[inline(always)]
fn approx_weights<const TAPS: usize>(x: f64) -> [f64; TAPS] {
    if TAPS != 4 {
        return weights_at_fraction(x);
    }
    let z = 1.0 - x;
    let outer = |x: f64| x * x * (x * (1.0 / 6.0));
    let inner = |x: f64| x * x * (x * 0.5 - 1.0) + 2.0 / 3.0;
    let mut weights = [0.0; TAPS];
    weights.copy_from_slice(&[outer(z), inner(x), inner(z), outer(x)]);
    weights
}

/// Planes larger than this are prefetched, as their rows come from main memory.
const LARGE_PLANE: usize = 1 << 16;

/// Stores the sums of points with the rounding cast, for every inner plane; requires [`can_approximate`].
pub(super) struct ApproxInterior<'a, O: Sample, const TAPS: usize> {
    pub points: &'a InteriorPoints<TAPS>,
    /// From the start of the outer plane on.
    pub elements: &'a [f64],
    /// Length and stride of each axis.
    pub spatial: &'a [(usize, usize)],
    /// Offset of each inner plane.
    pub inner: &'a [usize],
    /// See [`error_bound`].
    pub error_bound: f64,
    /// All planes of the first point, then of the second, and so on.
    pub to: &'a mut [O],
}

impl<O: Sample, const TAPS: usize> Kernel for ApproxInterior<'_, O, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match_count!(self.points.rank, self.on_axes::<2; 3>())
    }
}

impl<O: Sample, const TAPS: usize> ApproxInterior<'_, O, TAPS> {
    #[inline(always)]
    fn on_axes<const RANK: usize>(self) {
        let Self { points, elements, spatial, inner, error_bound, to } = self;
        let mut strides = [0; RANK];
        strides.iter_mut().zip(spatial).for_each(|(to, (_, stride))| *to = *stride);
        let extent = strides.iter().sum::<usize>() * (TAPS - 1) + 1;
        let is_large = spatial[0].0 * strides[0] > LARGE_PLANE;
        let mut weights = [[[0.0; CHUNK]; TAPS]; RANK];
        let mut lines = [[0.0; TAPS]; CHUNK];
        let pieces = to.chunks_mut(CHUNK * inner.len()).zip(points.starts.as_chunks::<CHUNK>().0);
        for (first, (to, starts)) in (0..).step_by(CHUNK).zip(pieces) {
            for (axis, weights) in weights.iter_mut().enumerate() {
                for (point, x) in points.fractions::<CHUNK>(axis, first).iter().enumerate() {
                    let of_point = approx_weights::<TAPS>(*x);
                    (0..TAPS).for_each(|tap| weights[tap][point] = of_point[tap]);
                }
            }
            let count = to.len() / inner.len();
            for (plane, offset) in inner.iter().enumerate() {
                let elements = &elements[*offset..];
                if is_large && let Some(starts) = points.starts.get(first + CHUNK..first + 2 * CHUNK) {
                    // The corners: which one is new depends on the direction of the map.
                    for corner in [0, TAPS - 1, extent - TAPS, extent - 1] {
                        starts.iter().for_each(|start| prefetch(elements, start + corner));
                    }
                }
                // Keep the lines in memory between the two loops: in a single loop, compilers transpose taps into
                // points with more moves than sums.
                for (point, (line, start)) in lines[..count].iter_mut().zip(starts).enumerate() {
                    let taps = &elements[*start..start + extent];
                    *line = sum_leading::<TAPS, RANK>(taps, strides, &weights, point);
                }
                let mut sums = [0.0; CHUNK];
                for (point, line) in lines.iter().enumerate() {
                    let mut sum = 0.0;
                    for tap in 0..TAPS {
                        sum += line[tap] * weights[RANK - 1][tap][point];
                    }
                    sums[point] = sum;
                }
                let is_certain = |sum: f64| {
                    O::from_f64_rounded(sum - error_bound) == O::from_f64_rounded(sum + error_bound)
                };
                let mut low = [O::default(); CHUNK];
                let mut all_certain = true;
                for (low, sum) in low.iter_mut().zip(&sums) {
                    *low = O::from_f64_rounded(sum - error_bound);
                    all_certain &= is_certain(*sum);
                }
                if !all_certain {
                    let blocks = sums.as_chunks::<LANES>().0.iter().zip(low.as_chunks_mut::<LANES>().0);
                    for ((sums, low), at) in blocks.zip((0..count).step_by(LANES)) {
                        if !sums.iter().all(|sum| is_certain(*sum)) {
                            let starts = starts[at..].first_chunk().expect("whole blocks");
                            let weights = exact_weights::<TAPS, RANK>(points, first + at);
                            let sums =
                                sum_block::<f64, TAPS, RANK, true>(elements, strides, starts, &weights);
                            (0..LANES).for_each(|lane| low[lane] = O::from_f64_rounded(sums[lane]));
                        }
                    }
                }
                match to.first_chunk_mut::<CHUNK>() {
                    Some(to) if inner.len() == 1 => *to = low,
                    _ => to[plane..].iter_mut().step_by(inner.len()).zip(low).for_each(|(to, low)| *to = low),
                }
            }
        }
    }
}

/// SciPy's weights for the points of a block.
#[inline(always)]
fn exact_weights<const TAPS: usize, const RANK: usize>(
    points: &InteriorPoints<TAPS>,
    first: usize,
) -> [[Lanes; TAPS]; RANK] {
    let mut weights = [[[0.0; LANES]; TAPS]; RANK];
    for (axis, weights) in weights.iter_mut().enumerate() {
        for (lane, x) in points.fractions::<LANES>(axis, first).iter().enumerate() {
            let of_point = weights_at_fraction::<TAPS>(*x);
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
    weights: &[[[f64; CHUNK]; TAPS]; RANK],
    point: usize,
) -> [f64; TAPS] {
    // Starting from -0.0 lets compilers drop the first addition.
    let mut total = [-0.0; TAPS];
    for j in 0..if RANK == 3 { TAPS } else { 1 } {
        let mut line = [-0.0; TAPS];
        for (i, weight) in weights[0].iter().enumerate() {
            let at = i * strides[0] + if RANK == 3 { j * strides[1] } else { 0 };
            for (tap, sum) in line.iter_mut().enumerate() {
                // SAFETY: `taps` reaches to the last tap on every axis, and taps along the last axis are adjacent.
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
    use super::super::inside::{InteriorTaps, SumInterior};
    use super::*;
    use crate::array::axes::Axes;
    use crate::exec::simd::testing::every_level;
    use crate::interpolate::intervals::interior;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    /// A random image: noise of one magnitude or of many, large beside small values, or a constant.
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
        prop_assert!(can_approximate::<f64, TAPS>(&pixels));
        let error_bound = error_bound(pixels.elements()).unwrap();
        let mut inside = InteriorTaps::<TAPS>::new(points[0].len(), image.ndim());
        let mut places = InteriorPoints::<TAPS>::new(points[0].len(), image.ndim());
        for (axis, points) in points.iter().enumerate() {
            let (len, stride) = pixels.spatial[axis];
            let span = AxisSpan { interval: interior::<TAPS>(0..len).unwrap(), stride, offset_of_first: 0 };
            inside.find(axis, points, span);
            places.find(axis, points, span);
        }
        let places = &places;
        let (elements, spatial) = (pixels.elements(), &pixels.spatial);
        for _ in every_level() {
            let mut sums = vec![0.0; points[0].len()];
            dispatch(SumInterior { taps: &inside, pixels: &pixels, base: 0, to: &mut sums });
            for inner in [vec![0], vec![0; 3]] {
                let planes = inner.len();
                let mut floats = vec![0.0_f32; sums.len() * planes];
                let mut bytes = vec![0_u8; sums.len() * planes];
                dispatch(ApproxInterior {
                    points: places,
                    elements,
                    spatial,
                    inner: &inner,
                    error_bound,
                    to: &mut floats,
                });
                dispatch(ApproxInterior {
                    points: places,
                    elements,
                    spatial,
                    inner: &inner,
                    error_bound,
                    to: &mut bytes,
                });
                for (at, (float, byte)) in floats.iter().zip(&bytes).enumerate() {
                    let sum = sums[at / planes];
                    prop_assert_eq!((sum as f32).to_bits(), float.to_bits());
                    prop_assert_eq!(u8::from_f64_rounded(sum), *byte);
                }
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn approximations_are_stored_as_the_exact_sums(
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
    fn infinite_or_tiny_images_are_not_approximated() {
        assert_eq!(error_bound(&[1.0, f64::INFINITY, 2.0]), None);
        assert_eq!(error_bound(&[1e305]), None);
        assert_eq!(error_bound(&[3.0, f64::NAN, -4.0]), Some(4.0 * RELATIVE_ERROR));
        // Sums of both signs would be stored as zeros of one sign.
        assert_eq!(error_bound(&[1e-40, 0.0]), None);
        assert_eq!(error_bound(&[0.0, -0.0]), Some(0.0));
    }
}
