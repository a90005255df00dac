//! Order 1 at points whose 2 × 2 neighbours all lie inside the image, so that no border is tested.
//!
//! A sample is `p * (weight down) * (weight right)`, summed over the four neighbours in C order from zero, in `f64`:
//! SciPy's sum. The planes of a pixel share starts and weights. SIMD lanes are pixels, or the planes of one pixel.
//!
//! Bytes are approximated in `f32` first, with an exact fallback:
//!
//! ```text
//! value = blend in f32
//! if |value - nearest integer| <= 1/2 - MAX_ERROR for the whole block: store the integers
//! else: blend the block again in f64, in SciPy's order
//! ```
//!
//! The bound: let `p` be at most 255 and `u = 2^-17`, half an ulp of the largest values. Rounding a weight moves a
//! product by at most u, and each product and sum rounds by at most u. So both horizontal blends are off by at most 3
//! u, and the vertical one by 3 u for its inputs and u each for the difference, the weight, the product and the sum: 7
//! u. SciPy's own sum is off by less than 1e-12.

pub(super) mod bytes;
mod pairs;
pub(crate) mod points;
mod sum;
#[cfg(test)]
mod tests;

use crate::array::pixels::Pixels;
use crate::array::sample::Sample;
use crate::exec::simd::{Kernel, dispatch};
use bytes::BlendBytes;
use pairs::is_many;
use points::PointsSlice;
use sum::BlendPixels;

impl<T: Sample, O: Sample> Kernel for BlendPixels<'_, T, O> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.inner {
            [0, 1, 2] if self.points.row_weights.is_some() => self.planes_as_lanes::<3, true>(),
            [0, 1, 2] => self.planes_as_lanes::<3, false>(),
            [0, 1, 2, 3] if self.points.row_weights.is_some() => self.planes_as_lanes::<4, true>(),
            [0, 1, 2, 3] => self.planes_as_lanes::<4, false>(),
            inner if is_many(inner) => self.pixel_by_pixel(),
            _ if self.strides[1] == 1 => self.plane_by_plane::<true>(),
            _ => self.plane_by_plane::<false>(),
        }
    }
}

/// Bytes of a plane above which neighbours are prefetched.
const LARGE_PLANE_BYTES: usize = 1 << 22;

impl<T: Sample> Pixels<'_, T> {
    /// Row and column stride of an image with two spatial axes.
    fn strides(&self) -> [usize; 2] {
        [self.spatial[0].1, self.spatial[1].1]
    }

    /// Blend every inner plane at some points; the outer plane begins at `start`. Results are stored with the rounding
    /// cast.
    pub(crate) fn blend<O: Sample>(&self, start: usize, points: PointsSlice<'_>, to: &mut [O]) {
        let elements = &self.elements()[start..];
        let (strides, is_large) = (self.strides(), self.is_large());
        dispatch(BlendPixels { elements, strides, inner: &self.inner, is_large, points, to });
    }

    /// [`blend`](Self::blend) from bytes to bytes; requires [`blends_bytes`](Self::blends_bytes).
    pub(crate) fn blend_bytes(&self, start: usize, points: PointsSlice<'_>, to: &mut [u8]) {
        let elements = &T::as_bytes(self.elements()).expect("these are bytes")[start..];
        let (down, planes, is_large) = (self.strides()[0], self.inner.len(), self.is_large());
        dispatch(BlendBytes { elements, down, planes, is_large, points, to });
    }

    /// Whether neighbours come from main memory, where hardware prefetch does not follow slanted lines.
    fn is_large(&self) -> bool {
        self.spatial.iter().any(|(len, stride)| len * stride * size_of::<T>() >= LARGE_PLANE_BYTES)
    }

    /// Whether these are bytes with two spatial axes and at most four interleaved planes.
    pub(crate) fn blends_bytes(&self) -> bool {
        let planes = self.inner.len();
        T::as_bytes(self.elements()).is_some()
            && self.spatial.len() == 2
            && self.spatial[1].1 == planes
            && (1..=4).contains(&planes)
            && self.is_interleaved()
    }
}
