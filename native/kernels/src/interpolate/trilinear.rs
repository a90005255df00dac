//! Order 1 at points whose 2 × 2 × 2 neighbours all lie inside the image, so that no border is tested.
//!
//! ```text
//! for some points:
//!     fetch four pairs of neighbours each, along the last axis, one load a pair
//! for each block of them, in wide registers:
//!     sum = 0; for each of the eight neighbours p in C order: sum += p * (weight of its plane) * (row) * (column)
//! ```
//!
//! That is SciPy's sum, in `f64`. Lanes are points: eight loads into lanes of their own take several times as long as
//! four pairs, stored side by side and loaded as blocks.

use crate::array::pixels::Pixels;
use crate::array::sample::Sample;
use crate::exec::simd::{Kernel, dispatch};
use crate::interpolate::bilinear::points::tap_weights;
use crate::interpolate::intervals::Interval;
use crate::interpolate::linear_coords::{AxisPoints, POINTS};
use crate::interpolate::neighbour_pairs::{FETCH_CHUNK, LANES, NeighbourPairs};
use crate::memory;

/// The points of a row: the first of their eight neighbours, and the distances from it.
pub(crate) struct VolumePoints {
    /// Element offsets from the start of the volume. Entries up to a whole block follow, of arbitrary values.
    starts: Vec<u32>,
    /// Distance on each axis, 0 to 1; of the same length.
    distances: [Vec<f64>; 3],
    /// How many points were found.
    count: usize,
    /// No start of theirs is above this one.
    last: usize,
}

impl VolumePoints {
    /// Capacity for `len` points.
    pub fn new(len: usize) -> Self {
        const { assert!(POINTS.is_multiple_of(LANES)) };
        let len = len.next_multiple_of(POINTS);
        Self {
            starts: memory::zeros(len),
            distances: [(); 3].map(|()| memory::zeros(len)),
            count: 0,
            last: 0,
        }
    }

    /// Locate the first `count` points with these coordinates. Points outside the intervals are moved to their ends.
    pub fn find<P: AxisPoints>(&mut self, axes: [P; 3], count: usize, spans: [VolumeSpan; 3]) {
        self.last = spans.iter().map(|span| span.last_first * span.stride - span.offset_of_first).sum();
        self.count = count;
        dispatch(LocateInVolume { axes, count, spans, points: self });
    }

    /// Blend every inner plane at the first points; the outer plane begins at `start`. Results are stored with the
    /// rounding cast: all planes of the first point, then of the second, and so on.
    pub fn blend<T: Sample, O: Sample>(&self, pixels: &Pixels<'_, T>, start: usize, to: &mut [O]) {
        let count = to.len() / pixels.inner.len().max(1);
        assert!(count <= self.count, "all points were found");
        if count > 0 {
            dispatch(BlendVolume { points: self, count, pixels, start, to });
        }
    }
}

/// Where points have both neighbours on an axis, and where these are in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VolumeSpan {
    /// Within the first sample in memory and the last one.
    pub interval: Interval,
    /// The last sample in memory that another one follows.
    pub last_first: usize,
    pub stride: usize,
    /// Offset of the first sample in memory relative to sample 0.
    pub offset_of_first: usize,
}

struct LocateInVolume<'a, P> {
    axes: [P; 3],
    count: usize,
    spans: [VolumeSpan; 3],
    points: &'a mut VolumePoints,
}

impl<P: AxisPoints> Kernel for LocateInVolume<'_, P> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        // Past the last point, coordinates are moved into the intervals like all others.
        let Self { axes, count, spans, points } = self;
        let count = axes[0].whole(count);
        let [z, y, x] = &mut points.distances;
        let (starts, z, y, x) =
            (&mut points.starts[..count], &mut z[..count], &mut y[..count], &mut x[..count]);
        let first = spans.iter().map(|span| span.offset_of_first as u32).fold(0, u32::wrapping_add);
        for i in 0..count {
            let plane = locate(axes[0].coordinate(i), &spans[0]);
            let row = locate(axes[1].coordinate(i), &spans[1]);
            let column = locate(axes[2].coordinate(i), &spans[2]);
            (z[i], y[i], x[i]) = (plane.1, row.1, column.1);
            starts[i] = plane.0.wrapping_add(row.0).wrapping_add(column.0).wrapping_sub(first);
        }
    }
}

/// The offset of the first neighbour on an axis from sample 0, and the distance from it.
#[inline(always)]
fn locate(x: f64, span: &VolumeSpan) -> (u32, f64) {
    let VolumeSpan { interval: (low, high), last_first, stride, .. } = *span;
    // NaN becomes the start of the interval.
    let x = if x > low { x } else { low };
    let x = if x < high { x } else { high };
    // SAFETY: between 0 and a length below 2^31, so truncation is `floor`. A point on the last sample counts as a full
    // step past the last but one: its weights are then 0 and 1.
    let sample = unsafe { x.to_int_unchecked::<i32>() }.min(last_first as i32);
    ((sample as u32).wrapping_mul(stride as u32), x - f64::from(sample))
}

/// Blends in `f64`, and stores with the rounding cast, for every inner plane.
struct BlendVolume<'a, 'p, T: Sample, O> {
    points: &'a VolumePoints,
    count: usize,
    pixels: &'a Pixels<'p, T>,
    start: usize,
    to: &'a mut [O],
}

impl<T: Sample, O: Sample> Kernel for BlendVolume<'_, '_, T, O> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.pixels.spatial[..] {
            [.., (_, 1)] => self.plane_by_plane::<true>(),
            _ => self.plane_by_plane::<false>(),
        }
    }
}

impl<T: Sample, O: Sample> BlendVolume<'_, '_, T, O> {
    #[inline(always)]
    fn plane_by_plane<const DENSE: bool>(self) {
        let Self { points, count, pixels, start, to } = self;
        let [(_, below), (_, down), (_, right)] = pixels.spatial[..] else {
            unreachable!("a volume has three axes")
        };
        let planes = pixels.inner.len();
        let starts = &points.starts[..count];
        let last = points.last;
        let to = &mut to[..count * planes];
        let mut pairs = NeighbourPairs::<T, 4>::new();
        for first in (0..count).step_by(FETCH_CHUNK) {
            let starts = &starts[first..count.min(first + FETCH_CHUNK)];
            for (plane, offset) in pixels.inner.iter().enumerate() {
                let elements = &pixels.elements()[start + offset..];
                pairs.fetch::<DENSE>(elements, [0, down, below, below + down], right, starts, last);
                for at in (first..first + starts.len()).step_by(LANES) {
                    let distances = points.distances.each_ref().map(|line| -> &[f64; LANES] {
                        line[at..].first_chunk().expect("there are whole blocks")
                    });
                    // SAFETY: whole blocks of pairs were fetched.
                    let pairs = unsafe { pairs.block(at - first) };
                    let to = &mut to[at * planes + plane..];
                    match (planes, to.first_chunk_mut()) {
                        // Stored directly: through a buffer, every block would wait for its own stores.
                        (1, Some(to)) => blend_block(pairs, distances, to),
                        _ => {
                            let mut blended = [O::default(); LANES];
                            blend_block(pairs, distances, &mut blended);
                            to.iter_mut().step_by(planes).zip(blended).for_each(|(to, from)| *to = from);
                        }
                    }
                }
            }
        }
    }
}

/// SciPy's sums at [`LANES`] points, stored with the rounding cast.
#[inline(always)]
fn blend_block<T: Sample, O: Sample>(
    lines: [&[[T; 2]; LANES]; 4],
    [z, y, x]: [&[f64; LANES]; 3],
    to: &mut [O; LANES],
) {
    for i in 0..LANES {
        let (plane, row, column) = (tap_weights(z[i]), tap_weights(y[i]), tap_weights(x[i]));
        let mut sum = 0.0;
        for line in 0..4 {
            let [left, right] = lines[line][i];
            sum += left.to_f64() * plane[line / 2] * row[line % 2] * column[0];
            sum += right.to_f64() * plane[line / 2] * row[line % 2] * column[1];
        }
        to[i] = O::from_f64_rounded(sum);
    }
}
