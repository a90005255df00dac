//! Sums for any element type and number of planes. SIMD lanes are pixels, whose neighbours are fetched in pairs; or
//! planes, if many of them are interleaved.

use crate::array::sample::Sample;
use crate::array::scratch::CACHE_LINE;
use crate::interpolate::bilinear::sum::{BlendPixels, blend, prefetch_neighbours};
use crate::interpolate::neighbour_pairs::{FETCH_CHUNK, LANES, NeighbourPairs};

/// From this number on, interleaved planes are the lanes.
pub(super) const MANY_PLANES: usize = 16;

/// Whether the planes at these offsets should be the lanes.
#[inline(always)]
pub(super) fn is_many(inner: &[usize]) -> bool {
    inner.len() >= MANY_PLANES && inner.iter().enumerate().all(|(plane, offset)| plane == *offset)
}

impl<T: Sample, O: Sample> BlendPixels<'_, T, O> {
    /// Lanes are pixels.
    #[inline(always)]
    pub(super) fn plane_by_plane<const DENSE: bool>(self) {
        let (planes, starts) = (self.inner.len(), self.points.starts);
        let (count, last) = (starts.len(), starts.iter().fold(0, |last, start| last.max(*start)));
        let to = &mut self.to[..count * planes];
        let mut pairs = NeighbourPairs::<T, 2>::new();
        let [down, right] = self.strides;
        for first in (0..count).step_by(FETCH_CHUNK) {
            let end = count.min(first + FETCH_CHUNK);
            for (plane, offset) in self.inner.iter().enumerate() {
                let elements = &self.elements[*offset..];
                // An adjacent plane shares the cache line.
                let is_beside =
                    plane > 0 && self.inner[plane - 1].abs_diff(*offset) * size_of::<T>() < CACHE_LINE;
                if self.is_large && !is_beside {
                    prefetch_neighbours(
                        elements,
                        self.strides[0],
                        &starts[end..count.min(end + FETCH_CHUNK)],
                    );
                }
                let starts = &starts[first..end];
                pairs.fetch::<DENSE>(elements, [0, down], right, starts, last as usize);
                for at in (first..end).step_by(LANES) {
                    let [y, x] = self.points.block(at);
                    // SAFETY: whole blocks of pairs were fetched.
                    let pairs = unsafe { pairs.block(at - first) };
                    let to = &mut to[at * planes + plane..];
                    match (planes, to.first_chunk_mut()) {
                        // Stored directly: through a buffer, every block would wait for its own stores.
                        (1, Some(to)) => blend_block(pairs, y, x, to),
                        _ => {
                            let mut blended = [O::default(); LANES];
                            blend_block(pairs, y, x, &mut blended);
                            to.iter_mut().step_by(planes).zip(blended).for_each(|(to, from)| *to = from);
                        }
                    }
                }
            }
        }
    }

    /// Lanes are planes.
    #[inline(always)]
    pub(super) fn pixel_by_pixel(self) {
        let (planes, [down, right]) = (self.inner.len(), self.strides);
        for (i, (start, to)) in self.points.starts.iter().zip(self.to.chunks_exact_mut(planes)).enumerate() {
            let line = |at: usize| &self.elements[*start as usize + at..][..planes];
            let (a, b, c, d) = (line(0), line(right), line(down), line(down + right));
            let [[y], [x]] = self.points.block(i);
            for plane in 0..planes {
                let taps = [a[plane].to_f64(), b[plane].to_f64(), c[plane].to_f64(), d[plane].to_f64()];
                to[plane] = O::from_f64_rounded(blend(taps, *y, *x));
            }
        }
    }
}

/// SciPy's sums at [`LANES`] points, stored with the rounding cast.
#[inline(always)]
fn blend_block<T: Sample, O: Sample>(
    [near, far]: [&[[T; 2]; LANES]; 2],
    y: &[f64; LANES],
    x: &[f64; LANES],
    to: &mut [O; LANES],
) {
    for i in 0..LANES {
        let ([a, b], [c, d]) = (near[i], far[i]);
        let taps = [a.to_f64(), b.to_f64(), c.to_f64(), d.to_f64()];
        to[i] = O::from_f64_rounded(blend(taps, y[i], x[i]));
    }
}
