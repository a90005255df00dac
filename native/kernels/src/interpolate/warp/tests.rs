//! The loops of low orders, beside the general one.

use crate::array::axes::Axes;
use crate::array::pixels::Pixels;
use crate::array::sample::Sample;
use crate::array::view::{View, ViewMut};
use crate::border::Border;
use crate::exec::simd::testing::every_level;
use crate::interpolate::options::Options;
use crate::interpolate::warp::general::GeneralWarp;
use crate::interpolate::warp::linear_volume::LinearVolume;
use crate::interpolate::warp::map::Map;
use crate::interpolate::warp::nearest::NearestWarp;
use crate::interpolate::warp::source::Warp;
use crate::walk::rows::{RowMaker, make_rows};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use proptest::prelude::*;

/// Random numbers from 0 to 1.
fn numbers(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    }
}

/// A map to an image of these lengths and beyond; sometimes to whole samples, or to no number.
fn some_map(
    lens: &[usize],
    to: &[usize],
    kind: usize,
    next: &mut dyn FnMut() -> f64,
) -> (Vec<f64>, Vec<f64>) {
    let mut number = |scale: f64| match kind {
        0 => ((next() * 1.6 - 0.3) * scale).round(),
        1 if next() < 0.02 => [f64::NAN, f64::INFINITY, -1e300, 1e19][(next() * 4.0) as usize % 4],
        2 => (next() * 0.8 + 0.1) * scale,
        _ => (next() * 1.6 - 0.3) * scale,
    };
    let columns = to.len();
    let matrix = (0..lens.len() * columns)
        .map(|at| {
            let step = lens[at / columns] as f64 / to[at % columns] as f64;
            number(step) * if at / columns == at % columns { 1.0 } else { 0.3 }
        })
        .collect();
    (matrix, lens.iter().map(|len| number(*len as f64 - 1.0)).collect())
}

/// Compare the bytes of two ways to make an output of some type.
fn same_rows<O: Sample>(
    makers: [&dyn RowMaker; 2],
    shape: &[usize],
    axes: Axes,
    view: impl for<'a> Fn(ndarray::ArrayViewMutD<'a, O>) -> ViewMut<'a>,
) -> Result<(), TestCaseError> {
    let mut expected = ArrayD::<O>::default(shape);
    make_rows(view(expected.view_mut()), axes, 1, makers[1]);
    for level in every_level() {
        let mut made = ArrayD::<O>::default(shape);
        make_rows(view(made.view_mut()), axes, 1, makers[0]);
        // Debug output tells NaN and the sign of zero.
        prop_assert_eq!(format!("{made:?}"), format!("{expected:?}"), "{:?}", level);
    }
    Ok(())
}

fn check<T: Sample>(
    image: ArrayViewD<'_, T>,
    rank: usize,
    map: &Map<'_>,
    shape: &[usize],
    axes: Axes,
    options: Options,
    as_own: impl for<'a> Fn(ndarray::ArrayViewMutD<'a, T>) -> ViewMut<'a>,
) -> Result<(), TestCaseError> {
    let width = shape[axes.outer + axes.spatial - 1];
    let warp = || {
        let pixels = Pixels::new(image.view(), Axes { outer: axes.outer, spatial: rank });
        Warp { pixels, part: None, map: map.view(), options, width }
    };
    let (fast, general): (Box<dyn RowMaker>, Box<dyn RowMaker>) = if options.order == 0 {
        (Box::new(NearestWarp(warp())), Box::new(GeneralWarp::<_, 1>::new(warp(), false)))
    } else {
        (Box::new(LinearVolume(warp())), Box::new(GeneralWarp::<_, 2>::new(warp(), false)))
    };
    same_rows::<T>([&*fast, &*general], shape, axes, as_own)?;
    same_rows::<u8>([&*fast, &*general], shape, axes, |to| ViewMut::U8(to))?;
    same_rows::<f32>([&*fast, &*general], shape, axes, |to| ViewMut::F32(to))?;
    same_rows::<f64>([&*fast, &*general], shape, axes, |to| ViewMut::F64(to))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn low_orders_equal_the_general_loop(
        order in 0_usize..2,
        rank in 1_usize..=4,
        lens in prop::array::uniform4(1_usize..9),
        to in prop::array::uniform3(1_usize..7),
        width in prop_oneof![1_usize..40, 120_usize..150],
        is_list in any::<bool>(),
        planes in (1_usize..3, 1_usize..6),
        border in 0_i32..7,
        dtype in 0..5,
        kind in 0_usize..4,
        fill in prop_oneof![Just(7.5), Just(f64::NAN), Just(-3.0)],
        seed in any::<u64>(),
    ) {
        let rank = if order == 1 { 3 } else { rank };
        let mut next = numbers(seed);
        let (lens, columns) = (&lens[..rank], if is_list { 2 } else { rank });
        let mut spatial = [to[0], to[1], to[2], 2][..columns].to_vec();
        *spatial.last_mut().unwrap() = width;
        let shape: Vec<usize> = [planes.0].iter().chain(&spatial).chain(&[planes.1]).copied().collect();
        let of_image: Vec<usize> = [planes.0].iter().chain(lens).chain(&[planes.1]).copied().collect();
        let axes = Axes { outer: 1, spatial: columns };
        let options = Options { order, border: Border::from_code(border).unwrap(), fill, pad: 0 };
        let (matrix, offset) = some_map(lens, &spatial, kind, &mut next);
        let count = spatial.iter().product::<usize>();
        let mut points = vec![0.0; rank * count];
        for (at, x) in points.iter_mut().enumerate() {
            let far = lens[at / count] as f64 - 1.0;
            *x = match (kind, (next() * 9.0) as usize) {
                (0, _) => (next() * far).round(),
                (1, 0) => [f64::NAN, f64::NEG_INFINITY, 1e300, -1e17, 1e19][(next() * 5.0) as usize % 5],
                (_, 1) => far,
                (2, _) => next() * far,
                _ => next() * (far + 3.0) - 1.5,
            };
        }
        let mut of_points = vec![rank];
        of_points.extend(&spatial);
        let points = ArrayD::from_shape_vec(IxDyn(&of_points), points).unwrap();
        let map = if is_list { Map::Points(View::F64(points.view())) } else { Map::affine(&matrix, &offset) };
        macro_rules! run {
            ($type:ty, $variant:ident, $value:expr) => {{
                let image = ArrayD::<$type>::from_shape_simple_fn(IxDyn(&of_image), $value);
                check(image.view(), rank, &map, &shape, axes, options, |to| ViewMut::$variant(to))?;
            }};
        }
        match dtype {
            0 => run!(u8, U8, || (next() * 256.0) as u8),
            1 => run!(i32, I32, || ((next() - 0.5) * 4e9) as i32),
            2 => run!(i64, I64, || ((next() - 0.5) * 1.8e19) as i64 + 1),
            3 => run!(f32, F32, || {
                let special = [-0.0, f32::NAN, f32::INFINITY][(next() * 3.0) as usize % 3];
                if next() < 0.03 { special } else { next() as f32 - 0.5 }
            }),
            _ => run!(f64, F64, || if next() < 0.1 { -0.0 } else { next() - 0.5 }),
        }
    }
}
