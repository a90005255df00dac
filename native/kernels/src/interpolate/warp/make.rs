//! Choose the fastest loop for a map, an order and the element types.

use crate::array::axes::Axes;
use crate::array::pixels::Pixels;
use crate::array::view::{View, ViewMut};
use crate::interpolate::affine2d::Affine2d;
use crate::interpolate::affine2d_small::SmallAffine2d;
use crate::interpolate::options::Options;
use crate::interpolate::warp::map::Map;
use crate::interpolate::warp::source::{ImagePart, Warp, cost};
use crate::interpolate::warp::{general, linear_points, linear_volume, nearest};
use crate::walk::rows::{RowMaker, make_rows};

/// Make `output` from an image or a part of one.
pub(super) fn make(
    image: &View<'_>,
    part: Option<ImagePart<'_>>,
    mut output: ViewMut<'_>,
    axes: Axes,
    map: Map<'_>,
    options: &Options,
) {
    let image_axes = Axes { outer: axes.outer, spatial: map.rank() };
    let is_narrow = matches!(output, ViewMut::U8(_) | ViewMut::F32(_));
    let is_part = part.is_some();
    macro_rules! gather {
        ($array:expr, $($taps:literal)*) => {{
            let pixels = Pixels::new($array, image_axes);
            let width = output.shape()[axes.outer + axes.spatial - 1];
            let cost = cost(options.order, pixels.spatial.len());
            if let (Map::Affine { matrix, offset, .. }, false) = (&map, is_part)
                && let Some(affine2d) = Affine2d::new(&pixels, matrix, offset, options, width)
            {
                let small = if axes.outer == 0 { SmallAffine2d::new(&affine2d, output.len()) } else { None };
                match (small, output.contiguous_bytes()) {
                    (Some(mut small), Some(bytes)) => small.fill(&affine2d, 0, bytes),
                    _ => make_rows(output, axes, cost, &affine2d),
                }
                return;
            }
            let warp = Warp { pixels, part, map, options: *options, width };
            let (rank, is_small) = (warp.pixels.spatial.len(), warp.has_small_offsets());
            let is_list = is_part || !warp.map.is_monotonic();
            let maker: &dyn RowMaker = match options.order + 1 {
                1 if is_small && options.pad == 0 => &nearest::NearestWarp(warp),
                2 if is_small && rank == 2 && is_list => &linear_points::LinearPoints(warp),
                2 if is_small && rank == 3 && options.pad == 0 => &linear_volume::LinearVolume(warp),
                $($taps => &general::GeneralWarp::<_, $taps>::new(warp, is_narrow),)*
                _ => unreachable!("the order was checked"),
            };
            make_rows(output, axes, cost, maker);
        }};
    }
    // Low orders are not prefiltered, and read pixels of common types directly. All others are converted to f64 first,
    // as SciPy does with every pixel it reads.
    match (options.order, image) {
        (0 | 1, View::U8(array)) => gather!(array.view(), 1 2),
        (0 | 1, View::U16(array)) => gather!(array.view(), 1 2),
        (0 | 1, View::I16(array)) => gather!(array.view(), 1 2),
        (0 | 1, View::I32(array)) => gather!(array.view(), 1 2),
        (0 | 1, View::F32(array)) => gather!(array.view(), 1 2),
        (0, View::Bool(array)) => gather!(array.view(), 1),
        (0, View::I8(array)) => gather!(array.view(), 1),
        (0, View::U32(array)) => gather!(array.view(), 1),
        (0, View::I64(array)) => gather!(array.view(), 1),
        (0, View::U64(array)) => gather!(array.view(), 1),
        (_, View::F64(array)) => gather!(array.view(), 1 2 3 4 5 6),
        (_, other) => {
            let copy = other.to_f64();
            gather!(copy.view(), 1 2 3 4 5 6)
        }
    }
}
