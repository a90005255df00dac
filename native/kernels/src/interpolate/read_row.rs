//! Rows of pixels behind a trait object, whatever the element type.

use crate::array::pixels::Pixels;
use crate::array::sample::Sample;
use crate::exec::simd::{Convert, dispatch};
use crate::interpolate::bilinear::points::PointsSlice;

/// Reads rows of pixels with all inner planes, whatever the element type.
pub(crate) trait ReadRow: Sync {
    /// Number of inner planes.
    fn planes(&self) -> usize;

    /// The offset of an outer plane.
    fn outer_offset(&self, outer: &[usize]) -> usize;

    /// Length and stride of each spatial axis.
    fn spatial(&self) -> &[(usize, usize)];

    /// Whether every value of the element type is finite.
    fn always_finite(&self) -> bool;

    /// See [`Pixels::blend`].
    fn blend(&self, start: usize, points: PointsSlice<'_>, to: &mut [f64]);

    /// See [`Pixels::blend`].
    fn blend_floats(&self, start: usize, points: PointsSlice<'_>, to: &mut [f32]);

    /// See [`Pixels::blend_bytes`].
    fn blend_bytes(&self, start: usize, points: PointsSlice<'_>, to: &mut [u8]);

    /// See [`Pixels::blends_bytes`].
    fn blends_bytes(&self) -> bool;

    /// Read `to.len() / planes` pixels along the last spatial axis, from the element at `start`.
    fn read(&self, start: usize, to: &mut [f64]);
}

impl<T: Sample> ReadRow for Pixels<'_, T> {
    fn planes(&self) -> usize {
        self.inner.len()
    }

    fn outer_offset(&self, outer: &[usize]) -> usize {
        Pixels::outer_offset(self, outer)
    }

    fn spatial(&self) -> &[(usize, usize)] {
        &self.spatial
    }

    fn always_finite(&self) -> bool {
        T::FINITE
    }

    fn blend(&self, start: usize, points: PointsSlice<'_>, to: &mut [f64]) {
        Pixels::blend(self, start, points, to);
    }

    fn blend_floats(&self, start: usize, points: PointsSlice<'_>, to: &mut [f32]) {
        Pixels::blend(self, start, points, to);
    }

    fn blend_bytes(&self, start: usize, points: PointsSlice<'_>, to: &mut [u8]) {
        Pixels::blend_bytes(self, start, points, to);
    }

    fn blends_bytes(&self) -> bool {
        Pixels::blends_bytes(self)
    }

    fn read(&self, start: usize, to: &mut [f64]) {
        if to.is_empty() {
            return;
        }
        let planes = self.inner.len();
        let (_, step) = self.spatial[self.spatial.len() - 1];
        if self.is_interleaved() && step == planes {
            let line = &self.elements()[start..start + to.len()];
            dispatch(Convert { from: line, to, convert: T::to_f64 });
            return;
        }
        for (pixel, to) in to.chunks_exact_mut(planes).enumerate() {
            for (to, plane) in to.iter_mut().zip(&self.inner) {
                *to = self.elements()[start + pixel * step + plane].to_f64();
            }
        }
    }
}
