//! SciPy's sums in `f64`, for a few interleaved planes.

use crate::array::sample::Sample;
use crate::exec::simd::prefetch;
use crate::interpolate::bilinear::points::{PointsSlice, tap_weights};

/// How many points ahead neighbours are prefetched, where three or four planes are the lanes.
const PREFETCH_DISTANCE: usize = 48;

/// Blends in `f64`, and stores with the rounding cast, for every inner plane.
pub(crate) struct BlendPixels<'a, T, O> {
    /// The elements from the start of the plane on.
    pub elements: &'a [T],
    pub strides: [usize; 2],
    /// Offset of each inner plane.
    pub inner: &'a [usize],
    /// Whether to prefetch the neighbours of planes that are taken one by one.
    pub is_large: bool,
    pub points: PointsSlice<'a>,
    /// All planes of the first point, then of the second, and so on.
    pub to: &'a mut [O],
}

impl<T: Sample, O: Sample> BlendPixels<'_, T, O> {
    /// Lanes are planes. For three planes, four are read, computed and stored; the next pixel overwrites the last.
    /// `CONSTANT_ROW` if all points have one vertical distance: their weights are then given.
    #[inline(always)]
    pub fn planes_as_lanes<const PLANES: usize, const CONSTANT_ROW: bool>(self) {
        let [down, right] = self.strides;
        let PointsSlice { starts, down: y, right: x, row_weights } = self.points;
        let (count, elements, to) = (starts.len(), self.elements, self.to);
        let last = starts.iter().fold(0, |last, start| last.max(*start)) as usize;
        let ends_inside = last + down + right + 4 <= elements.len();
        // No pixel follows the last one, so it must not be stored with four planes.
        let alone = if ends_inside { count.saturating_sub(1) } else { 0 };
        let (first, y, x) = (tap_weights(y[0]), if CONSTANT_ROW { y } else { &y[..count] }, &x[..count]);
        let row_weights = if CONSTANT_ROW {
            &row_weights.expect("points of a constant row have weights")[..count]
        } else {
            &[]
        };
        let weights = |i: usize| {
            if CONSTANT_ROW { (first, row_weights[i]) } else { (tap_weights(y[i]), tap_weights(x[i])) }
        };
        assert!(PLANES <= 4 && to.len() == PLANES * count);
        for (i, start) in starts.iter().enumerate().take(alone) {
            let near = *start as usize;
            let far = near + down;
            if !CONSTANT_ROW {
                // Free if the elements are in a near cache, and a tenth faster if they are in the third-level cache.
                prefetch_neighbours(elements, down, &starts[(i + PREFETCH_DISTANCE).min(count - 1)..][..1]);
            }
            // SAFETY: no start is above `last`, so the four elements are in range.
            let four = |at: usize| unsafe { *elements.as_ptr().add(at).cast::<[T; 4]>() };
            let blended = blend4([four(near), four(near + right), four(far), four(far + right)], weights(i));
            // SAFETY: a pixel follows, so four elements stay in range.
            unsafe { to.as_mut_ptr().add(PLANES * i).cast::<[O; 4]>().write(blended) };
        }
        for i in alone..count {
            let near = starts[i] as usize;
            let far = near + down;
            let four = |at: usize| four_at(elements, at);
            let blended: [O; 4] =
                blend4([four(near), four(near + right), four(far), four(far + right)], weights(i));
            to[PLANES * i..][..PLANES].copy_from_slice(&blended[..PLANES]);
        }
    }
}

/// Prefetch the neighbours from every start on, and those one row below: hardware prefetch does not follow slanted
/// lines.
#[inline(always)]
pub(super) fn prefetch_neighbours<T>(elements: &[T], down: usize, starts: &[u32]) {
    for start in starts {
        prefetch(elements, *start as usize);
        prefetch(elements, *start as usize + down);
    }
}

/// SciPy's sum at one point.
#[inline(always)]
pub(super) fn blend(taps: [f64; 4], y: f64, x: f64) -> f64 {
    let (rows, columns) = (tap_weights(y), tap_weights(x));
    let mut sum = 0.0;
    for tap in 0..4 {
        sum += taps[tap] * rows[tap / 2] * columns[tap % 2];
    }
    sum
}

/// SciPy's sums of four planes, stored with the rounding cast.
#[inline(always)]
fn blend4<T: Sample, O: Sample>(taps: [[T; 4]; 4], (rows, columns): ([f64; 2], [f64; 2])) -> [O; 4] {
    let mut sum = [0.0; 4];
    for tap in 0..4 {
        for plane in 0..4 {
            sum[plane] += taps[tap][plane].to_f64() * rows[tap / 2] * columns[tap % 2];
        }
    }
    let mut stored = [O::default(); 4];
    for plane in 0..4 {
        stored[plane] = O::from_f64_rounded(sum[plane]);
    }
    stored
}

/// Four adjacent elements; past the end, any value.
#[inline(always)]
fn four_at<T: Sample>(elements: &[T], start: usize) -> [T; 4] {
    elements[start..].first_chunk::<4>().copied().unwrap_or_else(|| {
        let mut four = [T::default(); 4];
        four.iter_mut().zip(&elements[start..]).for_each(|(to, from)| *to = *from);
        four
    })
}
