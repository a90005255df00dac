//! Tiled warps: for images that would otherwise be copied whole (those with gaps between elements, or of a type that is
//! converted to `f64`), and for long rows.
//!
//! ```text
//! for each tile of the output:
//!     estimate the part of the image that its points read, and copy that part
//!     make the tile from the copy
//!     read points whose taps are not all in it from the whole image, through its strides
//! ```
//!
//! The estimate may be wrong: it only affects speed. Points near a border, whose taps may lie anywhere, are read from
//! the whole image as well, and so are all points of a tile that reads too much.

use crate::array::axes::Axes;
use crate::array::index::offsets;
use crate::array::pixels::{is_dense, prefers_tiles};
use crate::array::sample::Sample;
use crate::array::view::{View, ViewMut};
use crate::exec::threads::{self, LocalThreads};
use crate::interpolate::edges::{FILL, Gather, LANES, Lanes};
use crate::interpolate::options::Options;
use crate::interpolate::warp::make::make;
use crate::interpolate::warp::map::Map;
use crate::interpolate::warp::source::{ImagePart, cost, is_read_directly};
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use std::ops::Range;

/// Sizes of tiles and parts.
#[derive(Debug, Clone, Copy)]
struct WarpTileSizes {
    /// Samples per tile.
    tile: usize,
    /// Largest part of the image, in bytes.
    part: usize,
    /// Tiles smaller than this are not split for the sake of their part.
    least_tile: usize,
}

/// A tile and its part fit the second-level cache.
const SIZES: WarpTileSizes = WarpTileSizes { tile: 1 << 16, part: 1 << 20, least_tile: 1 << 8 };

/// Whether to make the output tile by tile.
pub(super) fn uses_tiles(image: &View<'_>, output: &ViewMut<'_>, order: usize) -> bool {
    let bytes = image.len().saturating_mul(copied_bytes(image, order));
    let is_borrowed = is_read_directly(image, order) && match_dtype!(View, image, array => is_dense(array));
    !is_borrowed && prefers_tiles(image.len(), bytes, output.len())
}

/// Bytes per element of a copy.
fn copied_bytes(image: &View<'_>, order: usize) -> usize {
    if is_read_directly(image, order) { image.sample_bytes() } else { size_of::<f64>() }
}

/// Make the output tile by tile; the shapes have been checked.
pub(super) fn resample(image: &View<'_>, output: ViewMut<'_>, axes: Axes, map: &Map<'_>, options: &Options) {
    resample_by(SIZES, image, output, axes, map, options);
}

fn resample_by(
    sizes: WarpTileSizes,
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
            threads::check_interrupt();
        }
    });
}

struct Tiler<'a, 'v> {
    sizes: WarpTileSizes,
    image: &'a View<'v>,
    /// The output's axes.
    axes: Axes,
    map: &'a Map<'v>,
    options: &'a Options,
}

impl Tiler<'_, '_> {
    /// Fill the tile that starts at index `origin` of the output.
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
                let mut rest_origin = memory::copy(origin);
                rest_origin[longest] += len / 2;
                let (tile, rest) = tile.split_at(longest, len / 2);
                self.fill(origin, tile);
                self.fill(&rest_origin, rest);
                return;
            }
            reached.fill(0..0);
        }
        let on_planes = image.slice_ranges(&planes.collect_vec());
        let copied: Vec<Range<usize>> = on_planes.shape()[..axes.outer]
            .iter()
            .map(|len| 0..*len)
            .chain(reached.iter().cloned())
            .collect_vec();
        let image_axes = Axes { outer: axes.outer, spatial: rank };
        let first = reached.iter().map(|range| range.start).collect_vec();
        let part = ImagePart { first, whole: &Scattered::new(&on_planes, image_axes) };
        make(&on_planes.slice_ranges(&copied), Some(part), tile, *axes, map, options);
    }
}

/// An image whose elements lie anywhere in memory. Element offsets are signed numbers modulo 2^64.
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

/// Element offsets are smaller than this; offsets that include a fill value are larger.
const MAX_OFFSET: usize = FILL / 2;

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
            if at[lane].wrapping_add(MAX_OFFSET) < 2 * MAX_OFFSET {
                // SAFETY: the offset of an element of the array, since it is the sum over all axes of an index times
                // the stride; an offset that includes a fill value lies farther away.
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

    /// Random numbers.
    fn numbers(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / f64::from(1 << 24)
        }
    }

    /// A part of an array, with gaps between its elements or in reverse order.
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
        sizes: WarpTileSizes,
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
            // Planes before and after the spatial axes.
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
            // Twice the size, for what is left out.
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
            let sizes = WarpTileSizes { tile: sizes.0, part: sizes.1, least_tile: sizes.2 };
            let rank = lens.len();
            let axes = Axes { outer: outer_axes, spatial: to.len() };
            let mut on_output = to.clone();
            if !is_list {
                on_output.insert(0, image.shape()[0]);
                on_output.push(image.shape()[rank + 1]);
            }
            // To the middle of the image and beyond its borders; sometimes in whole steps.
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
