//! Images that are not gathered as they lie in memory, and would be copied for a call: those with gaps between their
//! elements, or of a type that is made `f64` first. And outputs of long rows, of which all is worked out at once.
//!
//! The output is cut into tiles. Each is made from a copy of the part of the image that its points reach. The part is
//! a guess that needs not be right: points whose taps are not all in it are taken from the whole image, through its
//! steps in memory. So are those at its borders, whose taps may lie anywhere, and all of a tile that reaches too far.

use super::edges::{FILL, Gather};
use super::inside::{LANES, Lanes};
use super::{Map, Options, cost, is_gathered, make};
use crate::array::sample::Sample;
use crate::array::view::{View, ViewMut};
use crate::exec::threads::{self, LocalThreads};
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use crate::walk::rows::{Axes, is_better_in_parts, lies_as_gathered, offsets};
use std::ops::Range;

/// How the output is cut.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// Samples of a tile.
    tile: usize,
    /// Bytes of a part, at most.
    part: usize,
    /// Tiles of fewer samples are not cut for the sake of their part.
    least_tile: usize,
}

/// A tile and its part stay in the second cache.
const SIZES: Sizes = Sizes { tile: 1 << 16, part: 1 << 20, least_tile: 1 << 8 };

/// Whether to make the output from parts of the image.
pub(super) fn are_taken(image: &View<'_>, output: &ViewMut<'_>, order: usize) -> bool {
    let bytes = image.len().saturating_mul(copied_bytes(image, order));
    let is_borrowed =
        is_gathered(image, order) && match_dtype!(View, image, array => lies_as_gathered(array));
    !is_borrowed && is_better_in_parts(image.len(), bytes, output.len())
}

/// Bytes of an element of a copy.
fn copied_bytes(image: &View<'_>, order: usize) -> usize {
    if is_gathered(image, order) { image.sample_bytes() } else { size_of::<f64>() }
}

/// Make the output tile by tile; the shapes were checked.
pub(super) fn resample(image: &View<'_>, output: ViewMut<'_>, axes: Axes, map: &Map<'_>, options: &Options) {
    resample_by(SIZES, image, output, axes, map, options);
}

fn resample_by(
    sizes: Sizes,
    image: &View<'_>,
    output: ViewMut<'_>,
    axes: Axes,
    map: &Map<'_>,
    options: &Options,
) {
    let shape = memory::copy(&output.shape()[axes.outer..axes.outer + axes.spatial]);
    let inner: Vec<usize> = (axes.outer + axes.spatial..output.ndim()).collect_vec();
    let blocks = threads::blocks_for(output.len().saturating_mul(cost(options.order, map.rank())));
    let tiles = output.len().div_ceil(sizes.tile);
    let mut tiles = output.split_blocks(&inner, tiles).into_iter();
    let a_block = tiles.len().div_ceil(blocks);
    let mut work = memory::with_capacity(blocks);
    while tiles.len() > 0 {
        memory::push(&mut work, tiles.by_ref().take(a_block).collect_vec());
    }
    let tiler = Tiler {
        sizes,
        image: &image.view(),
        axes,
        map: &map.part(&memory::zeros(axes.spatial), &shape),
        options,
    };
    threads::for_each_block(work, |tiles| {
        let _alone = LocalThreads::new(1);
        for (origin, tile) in tiles {
            tiler.fill(&origin, tile);
            threads::pause();
        }
    });
}

struct Tiler<'a, 'v> {
    sizes: Sizes,
    image: &'a View<'v>,
    /// Those of the output.
    axes: Axes,
    map: &'a Map<'v>,
    options: &'a Options,
}

impl Tiler<'_, '_> {
    /// Fill the tile that begins at this index of the output.
    fn fill(&self, origin: &[usize], tile: ViewMut<'_>) {
        let Self { sizes, image, axes, map, options } = self;
        let last = axes.outer + axes.spatial;
        let map = map.part(&origin[axes.outer..last], &tile.shape()[axes.outer..last]);
        let planes = (0..axes.outer).map(|axis| origin[axis]..origin[axis] + tile.shape()[axis]);
        let rank = map.rank();
        let lens = &image.shape()[axes.outer..axes.outer + rank];
        let mut reached = map.reach(&tile.shape()[axes.outer..last], lens, options);
        let shape = planes.clone().chain(reached.iter().cloned()).map(|range| range.len());
        let shape = shape.chain(image.shape()[axes.outer + rank..].iter().copied());
        let bytes = shape.fold(copied_bytes(image, options.order), usize::saturating_mul);
        if bytes > sizes.part {
            let longest = (0..last).max_by_key(|axis| tile.shape()[*axis]).expect("one axis is spatial");
            let len = tile.shape()[longest];
            if tile.len() > sizes.least_tile && len > 1 {
                let mut behind = memory::copy(origin);
                behind[longest] += len / 2;
                let (tile, rest) = tile.split_at(longest, len / 2);
                self.fill(origin, tile);
                self.fill(&behind, rest);
                return;
            }
            reached.fill(0..0);
        }
        let on_planes = image.cut(&planes.collect_vec());
        let copied: Vec<Range<usize>> = on_planes.shape()[..axes.outer]
            .iter()
            .map(|len| 0..*len)
            .chain(reached.iter().cloned())
            .collect_vec();
        let image_axes = Axes { outer: axes.outer, spatial: rank };
        let first = reached.iter().map(|range| range.start).collect_vec();
        let part = Part { first, whole: &Scattered::new(&on_planes, image_axes) };
        make(&on_planes.cut(&copied), Some(part), tile, *axes, map, options);
    }
}

impl Map<'_> {
    /// The map of a part of the output, which begins at this position.
    pub(super) fn part(&self, first: &[usize], shape: &[usize]) -> Map<'_> {
        match self {
            Self::Affine { matrix, offset, origin } => {
                let first = first.iter().enumerate();
                let origin = first.map(|(axis, first)| first + origin.get(axis).unwrap_or(&0)).collect_vec();
                Map::Affine { matrix, offset, origin }
            }
            Self::Points(points) => {
                let ranges = first.iter().zip(shape).map(|(first, len)| *first..first + len);
                let all = std::iter::once(0..points.shape()[0]);
                Map::Points(points.cut(&all.chain(ranges).collect_vec()))
            }
            Self::List(_) | Self::Lines(_) => unreachable!("lists are cut as the output is"),
        }
    }

    /// About the samples on each axis that points of an output of this shape reach, as long as they lie inside.
    fn reach(&self, shape: &[usize], lens: &[usize], options: &Options) -> Vec<Range<usize>> {
        let range = |axis: usize| -> (f64, f64) {
            match self {
                Self::Affine { matrix, offset, origin } => {
                    let columns = shape.len();
                    let mut ends = (offset[axis], offset[axis]);
                    for (at, factor) in matrix[axis * columns..][..columns].iter().enumerate() {
                        let first = origin[at] as f64 * factor;
                        let last = (origin[at] + shape[at] - 1) as f64 * factor;
                        ends = (ends.0 + first.min(last), ends.1 + first.max(last));
                    }
                    ends
                }
                Self::Points(points) => points.ends(axis),
                Self::List(_) | Self::Lines(_) => unreachable!("lists are cut as the output is"),
            }
        };
        let around = (options.order / 2 + 1) as f64;
        let pad = options.pad as f64;
        let samples = |(axis, len): (usize, &usize)| {
            let (first, last) = range(axis);
            // NaN becomes zero.
            let first = (first + pad - around).floor().max(0.0) as usize;
            let end = (last + pad + around).ceil().max(-1.0) as usize;
            first.min(*len)..end.saturating_add(1).clamp(first.min(*len), *len)
        };
        lens.iter().enumerate().map(samples).collect_vec()
    }
}

/// Which part of an image it is.
pub(super) struct Part<'a> {
    /// Its first sample along each spatial axis.
    pub first: Vec<usize>,
    pub whole: &'a dyn Gather,
}

/// An image whose elements lie anywhere in memory. Offsets of elements are numbers with a sign, modulo 2^64.
struct Scattered<'a> {
    array: View<'a>,
    outer: Vec<usize>,
    spatial: Vec<(usize, usize)>,
    inner: Vec<usize>,
}

impl<'a> Scattered<'a> {
    fn new(array: &'a View<'_>, axes: Axes) -> Self {
        let last = axes.outer + axes.spatial;
        let (shape, strides) = (array.shape(), array.strides());
        Self {
            outer: memory::copy(&strides[..axes.outer]),
            spatial: (axes.outer..last).map(|axis| (shape[axis], strides[axis])).collect_vec(),
            inner: offsets(&shape[last..], &strides[last..]),
            array: array.view(),
        }
    }
}

/// Offsets of elements are smaller than this, which is smaller than those with a fill value among them.
const FARTHEST: usize = FILL / 2;

impl Gather for Scattered<'_> {
    fn outer_offset(&self, outer: &[usize]) -> usize {
        let steps = outer.iter().zip(&self.outer).map(|(index, stride)| usize::wrapping_mul(*index, *stride));
        steps.fold(0, usize::wrapping_add)
    }

    fn spatial(&self) -> &[(usize, usize)] {
        &self.spatial
    }

    fn inner(&self) -> &[usize] {
        &self.inner
    }

    fn gather(&self, at: &[usize; LANES], count: usize, fill: f64) -> Lanes {
        let mut values = [fill; LANES];
        match_dtype!(View, &self.array, array => for lane in 0..count {
            if at[lane].wrapping_add(FARTHEST) < 2 * FARTHEST {
                // SAFETY: the offset of an element of the array, as it is the sum over all axes of an index times the
                // stride; a sum with a fill value among them lies farther away.
                values[lane] = unsafe { *array.as_ptr().offset(at[lane].cast_signed()) }.to_f64();
            }
        });
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::border::Border;
    use ndarray::{ArrayD, ArrayViewD, Axis, Slice};
    use proptest::prelude::*;

    /// Numbers from a seed.
    fn numbers(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / f64::from(1 << 24)
        }
    }

    /// A part of an array, with gaps between its elements or against their order.
    fn scattered<T>(mut array: ArrayViewD<'_, T>, how: u8) -> ArrayViewD<'_, T> {
        for axis in 0..array.ndim() {
            let slice = [Slice::new(0, None, -1), Slice::new(1, None, 1), Slice::new(0, None, 2)];
            array.slice_axis_inplace(Axis(axis), slice[usize::from(how) / 3_usize.pow(axis as u32) % 3]);
        }
        array
    }

    fn check(
        image: &View<'_>,
        copy: &View<'_>,
        shape: &[usize],
        axes: Axes,
        map: &Map<'_>,
        options: &Options,
        sizes: Sizes,
    ) -> Result<(), TestCaseError> {
        let all = vec![0; axes.spatial];
        let spatial = &shape[axes.outer..axes.outer + axes.spatial];
        let mut of_whole = ArrayD::<f64>::zeros(shape);
        let mut of_parts = of_whole.clone();
        make(copy, None, ViewMut::F64(of_whole.view_mut()), axes, map.part(&all, spatial), options);
        resample_by(sizes, image, ViewMut::F64(of_parts.view_mut()), axes, map, options);
        prop_assert_eq!(&of_parts, &of_whole);
        let mut of_whole = ArrayD::<u8>::zeros(shape);
        let mut of_parts = of_whole.clone();
        make(copy, None, ViewMut::U8(of_whole.view_mut()), axes, map.part(&all, spatial), options);
        resample_by(sizes, image, ViewMut::U8(of_parts.view_mut()), axes, map, options);
        prop_assert_eq!(&of_parts, &of_whole);
        Ok(())
    }

    proptest! {
        #[test]
        fn parts_give_what_the_whole_image_gives(
            lens in prop::collection::vec(1_usize..24, 1..=3),
            // Planes before and behind the spatial axes.
            planes in (1_usize..3, 1_usize..4),
            how in any::<u8>(),
            kind in 0..3,
            is_list in any::<bool>(),
            order in 0_usize..=5,
            border in 0_i32..7,
            to in prop::collection::vec(1_usize..24, 1..=3),
            sizes in (1_usize..200, 1_usize..4000, 1_usize..40),
            seed in any::<u64>(),
        ) {
            let mut next = numbers(seed);
            let (outer, inner) = if is_list { (0, 1) } else { planes };
            let mut shape = lens.clone();
            shape.insert(0, outer);
            if !is_list {
                shape.push(inner);
            } else {
                shape.remove(0);
            }
            let outer_axes = usize::from(!is_list);
            // Room for what is left out.
            let room: Vec<usize> = shape.iter().map(|len| 2 * len + 1).collect();
            let numbers = ArrayD::from_shape_simple_fn(room, || (next() * 255.0).floor());
            let (bytes, floats, long) =
                (numbers.mapv(|n| n as u8), numbers.mapv(|n| n as f32), numbers.mapv(|n| n as i64 - 99));
            let image = match kind {
                0 => View::U8(scattered(bytes.view(), how)),
                1 => View::F32(scattered(floats.view(), how)),
                _ => View::I64(scattered(long.view(), how)),
            };
            let (copied_bytes, copied_floats, copied_long);
            let copy = match &image {
                View::U8(array) => {
                    copied_bytes = array.as_standard_layout();
                    View::U8(copied_bytes.view())
                }
                View::F32(array) => {
                    copied_floats = array.as_standard_layout();
                    View::F32(copied_floats.view())
                }
                View::I64(array) => {
                    copied_long = array.as_standard_layout();
                    View::I64(copied_long.view())
                }
                _ => unreachable!(),
            };
            let options = Options { order, border: Border::from_code(border).unwrap(), fill: 7.5, pad: 0 };
            let sizes = Sizes { tile: sizes.0, part: sizes.1, least_tile: sizes.2 };
            let rank = lens.len();
            let axes = Axes { outer: outer_axes, spatial: to.len() };
            let mut on_output = to.clone();
            if !is_list {
                on_output.insert(0, image.shape()[0]);
                on_output.push(image.shape()[rank + 1]);
            }
            // To the middle of the image and beyond its borders; some of it in whole steps.
            let len = |axis: usize| image.shape()[axis + outer_axes] as f64;
            let whole = next() < 0.3;
            let mut step = |scale: f64| {
                let step = (2.0 * next() - 0.7) * scale;
                if whole { step.round() } else { step }
            };
            if is_list {
                let count = to.iter().product::<usize>();
                let mut list = vec![rank];
                list.extend(&to);
                let points: Vec<f64> = (0..rank * count).map(|at| step(len(at / count))).collect();
                let points = ArrayD::from_shape_vec(list, points).unwrap();
                let map = Map::Points(View::F64(points.view()));
                check(&image, &copy, &on_output, axes, &map, &options, sizes)?;
            } else {
                let columns = to.len();
                let matrix: Vec<f64> =
                    (0..rank * columns).map(|at| step(len(at / columns) / to[at % columns] as f64)).collect();
                let offset: Vec<f64> = (0..rank).map(|axis| step(len(axis))).collect();
                check(&image, &copy, &on_output, axes, &Map::affine(&matrix, &offset), &options, sizes)?;
            }
        }
    }
}
