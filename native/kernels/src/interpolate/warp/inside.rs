//! Points whose taps all lie inside: first taps, weights, and SciPy's sums, without a border test.
//!
//! A sum runs over all taps in C order, in `f64`. Each term is an element times its weight on the first axis, times that
//! on the second, and so on: SciPy's order of products, which decides the last bit.
//!
//! SIMD lanes are pixels, or the planes of one pixel.

use crate::array::pixels::Pixels;
use crate::array::sample::Sample;
use crate::exec::counts::match_count;
use crate::exec::simd::{Kernel, dispatch};
use crate::interpolate::edges::{LANES, Lanes};
use crate::interpolate::intervals::Interval;
use crate::interpolate::spline::weights_at_fraction;
use crate::memory;

/// Most axes that interior points have a loop for.
pub(crate) const MAX_RANK: usize = 3;

/// The taps of interior points, in blocks of [`LANES`]; the last point is repeated to fill a block.
pub(crate) struct InteriorTaps<const TAPS: usize> {
    pub(super) rank: usize,
    /// Offset of the first tap from the start of the plane.
    pub(super) starts: Vec<[usize; LANES]>,
    /// The weights of a block, one entry per axis.
    pub(super) weights: Vec<[Lanes; TAPS]>,
}

impl<const TAPS: usize> InteriorTaps<TAPS> {
    /// Capacity for `len` points.
    pub fn new(len: usize, rank: usize) -> Self {
        let blocks = len.div_ceil(LANES);
        Self { rank, starts: memory::zeros(blocks), weights: memory::zeros(blocks * rank) }
    }

    /// Locate points with these coordinates on an axis and compute their weights; call it once per axis, from axis 0
    /// on. Points outside the span are moved to its ends.
    pub fn find(&mut self, axis: usize, coordinates: &[f64], span: AxisSpan) {
        let (rank, starts) = (self.rank, &mut self.starts);
        dispatch(LocateTaps { axis, rank, coordinates, span, starts, weights: &mut self.weights });
    }
}

/// Where points have all their taps on an axis, and where these are in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AxisSpan {
    pub interval: Interval,
    /// Stride of the axis.
    pub stride: usize,
    /// Offset of the first sample in memory relative to sample 0.
    pub offset_of_first: usize,
}

struct LocateTaps<'a, const TAPS: usize> {
    axis: usize,
    rank: usize,
    coordinates: &'a [f64],
    span: AxisSpan,
    starts: &'a mut [[usize; LANES]],
    weights: &'a mut [[Lanes; TAPS]],
}

/// Up to this size integers are exact in `f64`. Added to a smaller integer, it leaves that integer in the low bits.
const EXACT: f64 = 4_503_599_627_370_496.0;

/// The offset of a point's first tap from the first sample in memory, and the distance from its middle sample.
#[inline(always)]
pub(super) fn locate<const TAPS: usize>(x: f64, span: AxisSpan) -> (usize, f64) {
    let AxisSpan { interval, stride, offset_of_first } = span;
    let x = clamp(x, interval);
    let half = ((TAPS - 1) / 2) as f64;
    // `floor`, for which there is no instruction below AVX. Coordinates lie between zero and `EXACT / 2`.
    let raised = x + if TAPS.is_multiple_of(2) { 0.0 } else { 0.5 };
    let whole = (raised + EXACT) - EXACT;
    let middle = whole - if whole > raised { 1.0 } else { 0.0 };
    // There is no 64-bit integer multiplication before AVX-512.
    let first =
        ((middle - half) * stride as f64 + EXACT).to_bits() - (EXACT.to_bits() + offset_of_first as u64);
    (first as usize, x - middle)
}

/// The nearest point of an interval; its start for NaN.
#[inline(always)]
fn clamp(x: f64, (low, high): Interval) -> f64 {
    let x = if x > low { x } else { low };
    if x < high { x } else { high }
}

/// Points that are processed together; compilers keep loops of this length in registers.
pub(super) const CHUNK: usize = 32;

impl<const TAPS: usize> Kernel for LocateTaps<'_, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { axis, rank, coordinates, span, starts, weights: to_weights } = self;
        let parts = coordinates.chunks(CHUNK).zip(starts.chunks_mut(CHUNK / LANES));
        for (part, (coordinates, starts)) in parts.enumerate() {
            let mut x = [*coordinates.last().unwrap_or(&0.0); CHUNK];
            x[..coordinates.len()].copy_from_slice(coordinates);
            let mut first = [0; CHUNK];
            for (x, first) in x.iter_mut().zip(&mut first) {
                (*first, *x) = locate::<TAPS>(*x, span);
            }
            let mut weights = [[0.0; CHUNK]; TAPS];
            for (point, x) in x.iter().enumerate() {
                let of_point = weights_at_fraction::<TAPS>(*x);
                (0..TAPS).for_each(|tap| weights[tap][point] = of_point[tap]);
            }
            for (block, (starts, first)) in starts.iter_mut().zip(first.as_chunks::<LANES>().0).enumerate() {
                for lane in 0..LANES {
                    starts[lane] = if axis == 0 { first[lane] } else { starts[lane] + first[lane] };
                }
                let at = (part * (CHUNK / LANES) + block) * rank + axis;
                for (to, from) in to_weights[at].iter_mut().zip(&weights) {
                    to.copy_from_slice(&from[block * LANES..][..LANES]);
                }
            }
        }
    }
}

/// Sums the taps of points, for every inner plane.
pub(crate) struct SumInterior<'a, T: Sample, const TAPS: usize> {
    pub taps: &'a InteriorTaps<TAPS>,
    pub pixels: &'a Pixels<'a, T>,
    /// The offset of the outer plane.
    pub base: usize,
    /// All planes of the first point, then of the second, and so on.
    pub to: &'a mut [f64],
}

impl<T: Sample, const TAPS: usize> Kernel for SumInterior<'_, T, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match_count!(self.taps.rank, self.on_axes::<1, 2; 3>())
    }
}

impl<T: Sample, const TAPS: usize> SumInterior<'_, T, TAPS> {
    #[inline(always)]
    fn on_axes<const RANK: usize>(self) {
        let mut strides = [0; RANK];
        strides.iter_mut().zip(&self.pixels.spatial).for_each(|(to, (_, stride))| *to = *stride);
        match (self.pixels.inner.len(), self.pixels.is_interleaved()) {
            (3, true) if RANK == 2 && TAPS == 1 => self.planes_as_lanes::<RANK, 3>(strides),
            (4, true) if RANK == 2 && TAPS == 1 => self.planes_as_lanes::<RANK, 4>(strides),
            _ if strides[RANK - 1] == 1 => self.plane_by_plane::<RANK, true>(strides),
            _ => self.plane_by_plane::<RANK, false>(strides),
        }
    }

    /// Lanes are pixels.
    #[inline(always)]
    fn plane_by_plane<const RANK: usize, const DENSE: bool>(self, strides: [usize; RANK]) {
        let planes = self.pixels.inner.len();
        let InteriorTaps { starts, weights, .. } = self.taps;
        let (weights, _) = weights.as_chunks::<RANK>();
        for (plane, offset) in self.pixels.inner.iter().enumerate() {
            let elements = &self.pixels.elements()[self.base + offset..];
            for ((starts, weights), to) in starts.iter().zip(weights).zip(self.to.chunks_mut(LANES * planes))
            {
                let sums = sum_block::<T, TAPS, RANK, DENSE>(elements, strides, starts, weights);
                if planes == 1 {
                    to.copy_from_slice(&sums[..to.len()]);
                } else {
                    to[plane..].iter_mut().step_by(planes).zip(sums).for_each(|(to, sum)| *to = sum);
                }
            }
        }
    }

    /// Lanes are planes; for three planes, four are read and computed.
    #[inline(always)]
    fn planes_as_lanes<const RANK: usize, const PLANES: usize>(self, strides: [usize; RANK]) {
        let elements = &self.pixels.elements()[self.base..];
        let extent = strides.iter().sum::<usize>() * (TAPS - 1);
        let InteriorTaps { starts, weights, .. } = self.taps;
        let (weights, _) = weights.as_chunks::<RANK>();
        for (block, (starts, weights)) in starts.iter().zip(weights).enumerate() {
            for (lane, start) in starts.iter().enumerate() {
                let at = (block * LANES + lane) * PLANES;
                // The fourth lane belongs to the next pixel, which is written after. At the end, planes are computed
                // exactly.
                match self.to.get_mut(at..at + 4) {
                    Some(to) if start + extent + 4 <= elements.len() => {
                        let sums = sum_planes::<T, TAPS, RANK, 4>(elements, *start, strides, weights, lane);
                        to.copy_from_slice(&sums);
                    }
                    _ => {
                        let Some(to) = self.to.get_mut(at..at + PLANES) else { return };
                        let sums =
                            sum_planes::<T, TAPS, RANK, PLANES>(elements, *start, strides, weights, lane);
                        to.copy_from_slice(&sums);
                    }
                }
            }
        }
    }
}

/// The sums at a block of points, in one plane; `DENSE` if neighbours along the last axis are adjacent.
#[inline(always)]
pub(super) fn sum_block<T: Sample, const TAPS: usize, const RANK: usize, const DENSE: bool>(
    elements: &[T],
    strides: [usize; RANK],
    starts: &[usize; LANES],
    weights: &[[Lanes; TAPS]; RANK],
) -> Lanes {
    let mut sums = [0.0; LANES];
    for lead in 0..TAPS.pow(RANK as u32 - 1) {
        let (taps, offset) = leading::<RANK, TAPS>(lead, strides);
        let mut values = [[0.0; LANES]; TAPS];
        for lane in 0..LANES {
            let line = line::<T, TAPS, DENSE>(elements, starts[lane] + offset, strides[RANK - 1]);
            (0..TAPS).for_each(|tap| values[tap][lane] = line[tap]);
        }
        for tap in 0..TAPS {
            for lane in 0..LANES {
                let mut value = values[tap][lane];
                for axis in 0..RANK - 1 {
                    value *= weights[axis][taps[axis]][lane];
                }
                sums[lane] += value * weights[RANK - 1][tap][lane];
            }
        }
    }
    sums
}

/// The taps on the leading axes at one step through them in C order, and their offset from the first.
#[inline(always)]
fn leading<const RANK: usize, const TAPS: usize>(
    step: usize,
    strides: [usize; RANK],
) -> ([usize; MAX_RANK], usize) {
    match RANK {
        1 => ([0; MAX_RANK], 0),
        2 => ([step, 0, 0], step * strides[0]),
        _ => ([step / TAPS, step % TAPS, 0], step / TAPS * strides[0] + step % TAPS * strides[1]),
    }
}

/// The taps along the last axis; `DENSE` if they are adjacent.
#[inline(always)]
fn line<T: Sample, const TAPS: usize, const DENSE: bool>(
    elements: &[T],
    at: usize,
    stride: usize,
) -> [f64; TAPS] {
    let mut line = [0.0; TAPS];
    if DENSE {
        let from = &elements[at..at + TAPS];
        (0..TAPS).for_each(|tap| line[tap] = from[tap].to_f64());
    } else {
        (0..TAPS).for_each(|tap| line[tap] = elements[at + tap * stride].to_f64());
    }
    line
}

/// The sums of interleaved planes at one point of a block.
#[inline(always)]
fn sum_planes<T: Sample, const TAPS: usize, const RANK: usize, const WIDTH: usize>(
    elements: &[T],
    start: usize,
    strides: [usize; RANK],
    weights: &[[Lanes; TAPS]; RANK],
    lane: usize,
) -> [f64; WIDTH] {
    let mut sums = [0.0; WIDTH];
    for lead in 0..TAPS.pow(RANK as u32 - 1) {
        let (taps, offset) = leading::<RANK, TAPS>(lead, strides);
        for tap in 0..TAPS {
            let at = start + offset + tap * strides[RANK - 1];
            let from = &elements[at..at + WIDTH];
            for plane in 0..WIDTH {
                let mut value = from[plane].to_f64();
                for axis in 0..RANK - 1 {
                    value *= weights[axis][taps[axis]][lane];
                }
                sums[plane] += value * weights[RANK - 1][tap][lane];
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::axes::Axes;
    use crate::exec::simd::testing::every_level;
    use crate::interpolate::intervals::interior;
    use crate::interpolate::spline::weights;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    /// The definition at one point.
    fn plain<const TAPS: usize>(image: &ArrayD<f32>, point: &[f64], plane: usize) -> f64 {
        let order = TAPS - 1;
        let first = |x: f64| if order % 2 == 1 { x.floor() } else { (x + 0.5).floor() } as usize - order / 2;
        let mut sum = 0.0;
        for tap in 0..TAPS.pow(point.len() as u32) {
            let digit = |axis: usize| tap / TAPS.pow((point.len() - 1 - axis) as u32) % TAPS;
            let mut index: Vec<usize> =
                point.iter().enumerate().map(|(axis, x)| first(*x) + digit(axis)).collect();
            index.push(plane);
            let mut value = f64::from(image[index.as_slice()]);
            point.iter().enumerate().for_each(|(axis, x)| value *= weights::<TAPS>(*x)[digit(axis)]);
            sum += value;
        }
        sum
    }

    fn check<const TAPS: usize>(image: &ArrayD<f32>, points: &[Vec<f64>]) -> Result<(), TestCaseError> {
        let (rank, planes) = (points.len(), image.shape()[points.len()]);
        let pixels = Pixels::new(image.view(), Axes { outer: 0, spatial: rank });
        let count = points[0].len();
        for _ in every_level() {
            let mut inside = InteriorTaps::<TAPS>::new(count, rank);
            for (axis, points) in points.iter().enumerate() {
                let (len, stride) = pixels.spatial[axis];
                let interval = interior::<TAPS>(0..len).unwrap();
                inside.find(axis, points, AxisSpan { interval, stride, offset_of_first: 0 });
            }
            let mut sums = vec![0.0; count * planes];
            dispatch(SumInterior { taps: &inside, pixels: &pixels, base: 0, to: &mut sums });
            for (at, sum) in sums.iter().enumerate() {
                let point: Vec<f64> = points.iter().map(|axis| axis[at / planes]).collect();
                prop_assert_eq!(*sum, plain::<TAPS>(image, &point, at % planes));
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn sums_equal_the_definition(
            rank in 1_usize..=3,
            taps in 1_usize..=6,
            planes in 1_usize..=5,
            seed in any::<u64>(),
            steps in prop::collection::vec(prop_oneof![0.0_f64..1.0, Just(0.0), Just(0.5), Just(1.0)], 1..20),
        ) {
            let mut shape = [7, 8, 9][..rank].to_vec();
            shape.push(planes);
            let mut state = seed;
            let image = ArrayD::from_shape_simple_fn(shape.as_slice(), || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / 65536.0
            });
            let before = ((taps - 1) / 2) as f64;
            let points: Vec<Vec<f64>> = shape[..rank].iter().enumerate().map(|(axis, len)| {
                let room = (len - taps) as f64;
                let end = if taps % 2 == 0 { (before + room + 1.0).next_down() } else { before + room };
                steps.iter().cycle().skip(axis).take(steps.len()).map(|step| (before + step * (room + 1.0)).min(end))
                    .collect()
            }).collect();
            match taps {
                1 => check::<1>(&image, &points)?,
                2 => check::<2>(&image, &points)?,
                3 => check::<3>(&image, &points)?,
                4 => check::<4>(&image, &points)?,
                5 => check::<5>(&image, &points)?,
                _ => check::<6>(&image, &points)?,
            }
        }
    }
}
