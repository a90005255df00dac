//! The pixels of an image as one slice with strides, copied only where memory does not allow a borrow.

use crate::array::axes::Axes;
use crate::array::index::offsets;
use crate::array::sample::Sample;
use crate::array::scratch::CACHE_LINE;
use crate::array::view::copy_lines;
use crate::memory::{self, CollectVec};
use ndarray::{ArrayD, ArrayViewD};

/// Samples of outer planes that are processed together because their rows share coordinates; more would not stay in
/// the second-level cache from one row to the next.
pub(crate) const PLANE_GROUP_SAMPLES: usize = 1 << 16;

/// Whether the elements fill one piece of memory with no negative stride: [`Pixels`] can then borrow them.
pub(crate) fn is_dense<T>(array: &ArrayViewD<'_, T>) -> bool {
    array.strides().iter().all(|stride| *stride >= 0) && array.as_slice_memory_order().is_some()
}

/// Largest copy of an image; beyond this the output is made in tiles.
const MAX_COPY_BYTES: usize = 4 << 20;

/// A copy this small is made however small the output is.
const SMALL_COPY_BYTES: usize = 1 << 16;

/// Whether to make `output_len` samples tile by tile from parts of an image instead of copying all of it (`bytes`).
pub(crate) fn prefers_tiles(image_len: usize, bytes: usize, output_len: usize) -> bool {
    bytes > SMALL_COPY_BYTES && (bytes > MAX_COPY_BYTES || image_len / 4 > output_len)
}

/// An image to read pixels from: its elements as one slice, and the strides between them.
pub struct Pixels<'a, T: Sample> {
    elements: std::borrow::Cow<'a, [T]>,
    /// Stride of each outer axis.
    pub outer: Vec<usize>,
    /// Length and stride of each spatial axis.
    pub spatial: Vec<(usize, usize)>,
    /// Offset of each inner plane, in C order.
    pub inner: Vec<usize>,
}

impl<'a, T: Sample> Pixels<'a, T> {
    /// The pixels of an array; its elements are copied only if they are not [dense](is_dense).
    pub fn new(array: ArrayViewD<'a, T>, axes: Axes) -> Self {
        let strides = array.strides().iter().map(|stride| stride.unsigned_abs()).collect_vec();
        let is_borrowed = is_dense(&array);
        match array.to_slice_memory_order().filter(|_| is_borrowed) {
            Some(elements) => {
                Self::from_elements(std::borrow::Cow::Borrowed(elements), array.shape(), strides, axes)
            }
            None => Self::from_copy(copy_to_c_order(array), axes),
        }
    }

    /// The pixels of an array in C order.
    pub fn from_copy(array: ArrayD<T>, axes: Axes) -> Self {
        let shape = memory::copy(array.shape());
        // All strides of an empty array would be zero.
        let strides = (1..=shape.len()).map(|axis| shape[axis..].iter().product()).collect_vec();
        let elements = std::borrow::Cow::Owned(array.into_raw_vec_and_offset().0);
        Self::from_elements(elements, &shape, strides, axes)
    }

    fn from_elements(
        elements: std::borrow::Cow<'a, [T]>,
        shape: &[usize],
        strides: Vec<usize>,
        axes: Axes,
    ) -> Self {
        let last = axes.outer + axes.spatial;
        Self {
            elements,
            outer: memory::copy(&strides[..axes.outer]),
            spatial: (axes.outer..last).map(|axis| (shape[axis], strides[axis])).collect_vec(),
            inner: offsets(&shape[last..], &strides[last..]),
        }
    }

    /// All elements, in memory order.
    #[inline(always)]
    pub fn elements(&self) -> &[T] {
        &self.elements
    }

    /// All elements, if they are bytes.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        T::as_bytes(&self.elements)
    }

    /// The offset of an outer plane.
    pub fn outer_offset(&self, outer: &[usize]) -> usize {
        outer.iter().zip(&self.outer).map(|(index, stride)| index * stride).sum()
    }

    /// Load a small outer plane into the cache row by row: several times as fast as along slanted lines.
    pub fn read_ahead(&self, outer: &[usize]) {
        let (Some(inner), [rows @ .., (len, right)]) = (self.inner.last(), &self.spatial[..]) else { return };
        let ([(count, down)], true) = (rows, *len > 0 && !outer.is_empty()) else { return };
        let (extent, start) = ((len - 1) * right + inner + 1, self.outer_offset(outer));
        if count * extent > PLANE_GROUP_SAMPLES {
            return;
        }
        let line = (CACHE_LINE / size_of::<T>()).max(1);
        for row in 0..*count {
            let row = &self.elements[start + row * down..][..extent];
            for element in row.iter().step_by(line) {
                std::hint::black_box(*element);
            }
        }
    }

    /// Whether the inner planes of a pixel are adjacent.
    pub fn is_interleaved(&self) -> bool {
        self.inner.iter().enumerate().all(|(plane, offset)| plane == *offset)
    }
}

/// A copy in C order.
fn copy_to_c_order<T: Sample>(array: ArrayViewD<'_, T>) -> ArrayD<T> {
    let mut copy = memory::zero_array(array.shape());
    copy_lines(array, copy.view_mut(), |element| element);
    copy
}
