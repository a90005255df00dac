//! What a warp reads: the pixels of an image or of a part of it, its map and options.

use crate::array::pixels::Pixels;
use crate::array::sample::Sample;
use crate::array::view::View;
use crate::exec::simd::dispatch;
use crate::interpolate::edges::{Edges, Gather, SumEdges};
use crate::interpolate::options::Options;
use crate::interpolate::warp::map::Map;
use std::ops::Range;

/// Whether elements of this type are read without converting the image to `f64`.
pub(super) fn is_read_directly(image: &View<'_>, order: usize) -> bool {
    let common = matches!(image, View::U8(_) | View::U16(_) | View::I16(_) | View::I32(_) | View::F32(_));
    order == 0 || common && order == 1 || matches!(image, View::F64(_))
}

/// Estimated nanoseconds per sample.
pub(super) fn cost(order: usize, rank: usize) -> usize {
    (order + 1).saturating_pow(rank as u32).saturating_mul(2).saturating_add(4)
}

/// What the rows of an output are made from.
pub(super) struct Warp<'p, 'm, T: Sample> {
    /// The image or a part of it.
    pub pixels: Pixels<'p, T>,
    /// Which part, if it is one.
    pub part: Option<ImagePart<'p>>,
    pub map: Map<'m>,
    pub options: Options,
    /// Pixels per row.
    pub width: usize,
}

impl<T: Sample> Warp<'_, '_, T> {
    /// Length and stride of each spatial axis of the whole image, as [`Edges`] needs them.
    pub fn spatial(&self) -> &[(usize, usize)] {
        self.part.as_ref().map_or(&self.pixels.spatial, |part| part.whole.spatial())
    }

    /// The samples of the image along a spatial axis that `pixels` holds.
    pub fn samples(&self, axis: usize) -> Range<usize> {
        let first = self.part.as_ref().map_or(0, |part| part.first[axis]);
        first..first + self.pixels.spatial[axis].0
    }

    /// Offset of the first of them relative to sample 0.
    pub fn offset_of_first(&self, axis: usize) -> usize {
        self.samples(axis).start * self.pixels.spatial[axis].1
    }

    /// Whether element offsets are below 2^31.
    pub fn has_small_offsets(&self) -> bool {
        let end = |axis: usize| self.samples(axis).end.saturating_mul(self.pixels.spatial[axis].1.max(1));
        let all = (0..self.pixels.spatial.len()).map(end).fold(0, usize::saturating_add);
        all.max(self.pixels.elements().len()) <= i32::MAX as usize
    }

    /// Store the sums of the edge pixels of one outer plane in a row.
    pub fn sum_edges<O: Sample, const TAPS: usize>(
        &self,
        edges: &Edges<TAPS>,
        outer: &[usize],
        to: &mut [O],
    ) {
        let fill = self.options.fill;
        match &self.part {
            Some(ImagePart { whole, .. }) => {
                let image = *whole;
                dispatch(SumEdges { edges, image, base: image.outer_offset(outer), fill, to });
            }
            None => {
                let image = &self.pixels;
                dispatch(SumEdges { edges, image, base: image.outer_offset(outer), fill, to });
            }
        }
    }
}

/// Which part of an image is in memory.
pub(super) struct ImagePart<'a> {
    /// Its first sample along each spatial axis.
    pub first: Vec<usize>,
    pub whole: &'a dyn Gather,
}
