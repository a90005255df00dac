//! Zoom and shift: each output axis reads one input axis, so positions and weights are tabulated once per axis.
//!
//! SciPy multiplies a pixel by its weight on the first axis first. For one choice of taps on the leading axes those
//! factors are constant along a row, so:
//!
//! ```text
//! for each choice of taps on the leading axes, in C order:
//!     scaled = the input row times their weights, once
//!     for each output pixel: add its taps along the last axis from `scaled`
//! ```

mod approx;
mod axis_table;
mod plan;
mod rows;
mod tiles;

use crate::array::axes::{Axes, cut_planes, keep_resampled, min_resampled, order_axes};
use crate::array::pixels::Pixels;
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::interpolate::intervals::reaches_last_sample;
use crate::interpolate::options::Options;
use crate::interpolate::spline::{MAX_ORDER, spline_filter1d};
pub use crate::interpolate::zoom::plan::AxisMap;
use crate::interpolate::zoom::plan::ZoomPlan;
use crate::interpolate::zoom::rows::{Zoom, cost};
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use crate::walk::rows::make_rows;
use axis_table::AxisTable;
use ndarray::ArrayViewMutD;
use std::sync::atomic::AtomicBool;

/// Resample the spatial axes of `input` into `output`, with one map per axis.
///
/// Both arrays have axes `[outer…, spatial…, inner…]`, as many spatial axes as `maps`, and equal planes.
pub fn zoom(
    input: &View<'_>,
    mut output: ViewMut<'_>,
    outer: usize,
    maps: &[AxisMap],
    options: &Options,
) -> Result<()> {
    let axes = Axes { outer, spatial: maps.len() };
    options.check(input.shape(), output.shape(), axes, axes)?;
    if output.is_empty() {
        return Ok(());
    }
    let every_axis = (outer..outer + maps.len()).collect_vec();
    let (identity, resampled) = identity_axes(input, output.shape(), outer, maps, options);
    // Values that are not finite show in the results of their own plane, if the output type can hold them.
    let is_float = matches!(input, View::F32(_) | View::F64(_));
    let shows = is_float && options.order == 1 && matches!(output, ViewMut::F32(_) | ViewMut::F64(_));
    if !identity.is_empty() && (shows || options.order == 0 || input.is_finite()) {
        let is_finite = AtomicBool::new(true);
        let watched = shows.then_some(&is_finite);
        zoom_axes(input, output.reborrow(), outer, maps, (identity, resampled), options, watched);
        if is_finite.into_inner() {
            return Ok(());
        }
    }
    zoom_axes(input, output, outer, maps, (Vec::new(), every_axis), options, None);
    Ok(())
}

/// Zoom the resampled axes, with the identity axes as planes.
///
/// `is_finite` becomes false if a result is not finite.
fn zoom_axes(
    input: &View<'_>,
    output: ViewMut<'_>,
    outer: usize,
    maps: &[AxisMap],
    (identity, resampled): (Vec<usize>, Vec<usize>),
    options: &Options,
    is_finite: Option<&AtomicBool>,
) {
    let (order, axes) = order_axes(outer, identity, &resampled, input.ndim());
    let maps: Vec<AxisMap> = resampled.iter().map(|axis| maps[axis - outer]).collect_vec();
    let plan = ZoomPlan { axes, maps: &maps, options, is_finite };
    zoom_planes(&input.view().permuted(&order), output.permuted(&order), plan);
}

/// Zoom all spatial axes; split planes if rows are too wide with all of them.
fn zoom_planes(input: &View<'_>, output: ViewMut<'_>, plan: ZoomPlan<'_>) {
    let ZoomPlan { axes, options, .. } = plan;
    if let Some(axis) = cut_planes(output.shape(), axes).or_else(|| cut_planes(input.shape(), axes)) {
        let middle = output.shape()[axis] / 2;
        let (inputs, outputs) = (input.view().split_at(axis, middle), output.split_at(axis, middle));
        zoom_planes(&inputs.0, outputs.0, plan);
        zoom_planes(&inputs.1, outputs.1, plan);
        return;
    }
    macro_rules! by_order {
        ($($taps:literal)*) => {
            match options.order + 1 {
                $($taps => run::<$taps>(input, output, plan),)*
                _ => unreachable!("the order was checked"),
            }
        };
    }
    const { assert!(MAX_ORDER == 5) };
    by_order!(1 2 3 4 5 6);
}

/// [`zoom`] for orders 2 to 5, with the image filtered along its spatial axes first.
///
/// The coefficients are computed in `workspace`, a C-ordered array of the shape of `input`.
pub fn zoom_filtered(
    input: &View<'_>,
    mut workspace: ArrayViewMutD<'_, f64>,
    output: ViewMut<'_>,
    outer: usize,
    maps: &[AxisMap],
    options: &Options,
) -> Result<()> {
    let axes = Axes { outer, spatial: maps.len() };
    options.check(input.shape(), output.shape(), axes, axes)?;
    if output.is_empty() {
        return Ok(());
    }
    if workspace.shape() != input.shape() || !workspace.is_standard_layout() {
        return Err(KernelError::shape(format!(
            "coefficients of {:?} in {:?}",
            input.shape(),
            workspace.shape()
        )));
    }
    let approximated = approx::approximated_axes(input.shape(), &output, outer, maps, options);
    if outer > 0 && approximated.is_some_and(|axes| axes > 2) {
        // Partial sums are kept from row to row, for one plane.
        let planes = workspace.outer_iter_mut().zip(output.into_images());
        for (number, (workspace, output)) in planes.enumerate() {
            zoom_filtered(&input.image(number), workspace, output, outer - 1, maps, options)?;
        }
        return Ok(());
    }
    let mut source = Some(input);
    for axis in outer..outer + approximated.unwrap_or(maps.len()) {
        let target = ViewMut::F64(workspace.view_mut());
        spline_filter1d(source.take(), target, axis, options.order, options.border)?;
    }
    let Some(approximated) = approximated else {
        return zoom(&View::F64(workspace.view()), output, outer, maps, options);
    };
    let coefficients = &workspace.view();
    match options.order {
        2 => approx::run::<3>(coefficients, output, outer, approximated, maps, options),
        3 => approx::run::<4>(coefficients, output, outer, approximated, maps, options),
        4 => approx::run::<5>(coefficients, output, outer, approximated, maps, options),
        _ => approx::run::<6>(coefficients, output, outer, approximated, maps, options),
    }
    Ok(())
}

/// The identity axes, along which every pixel keeps its position, and the other spatial axes (at least one).
///
/// On an identity axis a sample is its own pixel times one plus its neighbour times zero. It can be treated as an axis
/// of planes, unless zero times the neighbour is NaN.
fn identity_axes(
    input: &View<'_>,
    output: &[usize],
    outer: usize,
    maps: &[AxisMap],
    options: &Options,
) -> (Vec<usize>, Vec<usize>) {
    let is_identity = |axis: &usize| {
        let len = output[*axis];
        let map = maps[axis - outer];
        input.shape()[*axis] == len && (0..len).all(|o| map.coordinate(o, options.pad) == o as f64)
    };
    let mut identity: Vec<usize> = (outer..outer + maps.len()).filter(is_identity).collect_vec();
    if options.order > 1 || (options.order == 1 && !options.fill.is_finite()) {
        identity.clear();
    }
    keep_resampled(&mut identity, maps.len(), min_resampled(maps.len()), |axis| output[axis]);
    let resampled = (outer..outer + maps.len()).filter(|axis| !identity.contains(axis)).collect_vec();
    (identity, resampled)
}

fn run<const TAPS: usize>(input: &View<'_>, output: ViewMut<'_>, plan: ZoomPlan<'_>) {
    let ZoomPlan { axes, maps, options, .. } = plan;
    let first = axes.outer;
    let lens = (memory::copy(&input.shape()[first..]), memory::copy(&output.shape()[first..]));
    let to_last = reaches_last_sample(!matches!(input, View::F32(_) | View::F64(_)), options);
    let table =
        |axis: usize, positions| AxisTable::new(maps[axis], lens.0[axis], positions, to_last, options);
    match_dtype!(View, input, array => {
        if tiles::uses_tiles(array, &output, axes) {
            tiles::run::<_, TAPS>(array, output, plan, table);
        } else {
            let tables: Vec<AxisTable<TAPS>> = (0..maps.len()).map(|axis| table(axis, 0..lens.1[axis])).collect_vec();
            let tables: Vec<&AxisTable<TAPS>> = tables.iter().collect_vec();
            let pixels = Pixels::new(array.view(), axes);
            make_rows(output, axes, cost::<TAPS>(axes), &Zoom::new(&pixels, &tables, plan));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::sample::Sample;
    use crate::border::Border;
    use crate::exec::simd::testing::every_level;
    use crate::interpolate::border_taps::{first_tap, tap_index};
    use crate::interpolate::spline::weights;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    /// The definition of one sample at order 1.
    fn plain(image: &ArrayD<f64>, at: [f64; 2], plane: usize, options: &Options) -> f64 {
        let axis = |axis: usize| {
            let len = image.shape()[axis];
            let (start, x) = first_tap::<2>(at[axis], len, options.border)?;
            let indices = [start, start + 1].map(|tap| tap_index(tap, len, options.border));
            Some((indices, weights::<2>(x)))
        };
        let (Some((rows, down)), Some((columns, right))) = (axis(0), axis(1)) else { return options.fill };
        let mut sum = 0.0;
        for (row, row_weight) in rows.into_iter().zip(down) {
            for (column, weight) in columns.into_iter().zip(right) {
                let value = row.zip(column).map_or(options.fill, |(row, column)| image[[row, column, plane]]);
                sum += value * row_weight * weight;
            }
        }
        sum
    }

    proptest! {
        #[test]
        fn rows_of_blocks_equal_the_definition(
            size in (1_usize..9, 1_usize..80, 1_usize..=5),
            to in (1_usize..7, 1_usize..80),
            border in 0_i32..7,
            fill in prop_oneof![Just(0.0), Just(2.5), Just(300.0)],
            shift in prop_oneof![Just(None), (-9..9_i32).prop_map(|n| Some(f64::from(n) / 4.0))],
            grid in any::<bool>(),
            seed in any::<u32>(),
        ) {
            let border = Border::from_code(border).unwrap();
            let options = Options { order: 1, border, fill, pad: 0 };
            let step = |from: usize, to: usize| from as f64 / to as f64;
            let maps = [
                AxisMap { shift, zoom: Some(step(size.0, to.0)), grid },
                AxisMap { shift, zoom: Some(step(size.1, to.1)), grid },
            ];
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Flat stretches, and values that differ by one, put sums on rounding boundaries.
                if state >> 30 == 0 { 7 + (state >> 29 & 1) as u8 } else { (state >> 20) as u8 }
            };
            let bytes = ArrayD::from_shape_fn(vec![size.0, size.1, size.2], |_| next());
            let image = bytes.mapv(f64::from);
            let shape = vec![to.0, to.1, size.2];
            let sums = ArrayD::from_shape_fn(shape.clone(), |at| {
                let point = [maps[0].coordinate(at[0], 0), maps[1].coordinate(at[1], 0)];
                plain(&image, point, at[2], &options)
            });
            for _ in every_level() {
                let mut found = ArrayD::<u8>::zeros(shape.clone());
                zoom(&View::U8(bytes.view()), ViewMut::U8(found.view_mut()), 0, &maps, &options).unwrap();
                prop_assert_eq!(found, sums.mapv(u8::from_f64_rounded));
                let floats = bytes.mapv(f32::from);
                let mut found = ArrayD::<f32>::zeros(shape.clone());
                zoom(&View::F32(floats.view()), ViewMut::F32(found.view_mut()), 0, &maps, &options).unwrap();
                prop_assert_eq!(found, sums.mapv(f32::from_f64_rounded));
            }
        }

        #[test]
        fn enlarged_rows_equal_the_definition(
            size in (1_usize..4, 1_usize..4, 1_usize..7),
            to in (1_usize..5, 1_usize..5, 1_usize..150),
            border in 0_i32..7,
            fill in prop_oneof![Just(0.0), Just(2.5), Just(f64::NAN)],
            grid in any::<bool>(),
            shift in prop_oneof![Just(None), (-9..9_i32).prop_map(|n| Some(f64::from(n) / 4.0))],
            seed in any::<u32>(),
        ) {
            let border = Border::from_code(border).unwrap();
            let options = Options { order: 1, border, fill, pad: 0 };
            let map = |from: usize, to: usize| AxisMap { shift, zoom: Some(from as f64 / to as f64), grid };
            let maps = [map(size.0, to.0), map(size.1, to.1), map(size.2, to.2)];
            let mut state = seed;
            let image = ArrayD::from_shape_simple_fn(vec![2, size.0, size.1, size.2], || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(state) / 1e9 - 2.0
            });
            let shape = vec![2, to.0, to.1, to.2];
            let sums = ArrayD::from_shape_fn(shape.clone(), |at| {
                let axis = |axis: usize| {
                    let len = image.shape()[axis + 1];
                    let (start, x) = first_tap::<2>(maps[axis].coordinate(at[axis + 1], 0), len, border)?;
                    let weights = weights::<2>(x);
                    Some([0, 1].map(|tap| (tap_index(start + tap as i64, len, border), weights[tap])))
                };
                let (Some(z), Some(y), Some(x)) = (axis(0), axis(1), axis(2)) else { return fill };
                let mut sum = 0.0;
                for tap in 0..8 {
                    let taps = [z[tap / 4], y[tap / 2 % 2], x[tap % 2]];
                    let value = match taps.map(|(index, _)| index) {
                        [Some(z), Some(y), Some(x)] => image[[at[0], z, y, x]],
                        _ => fill,
                    };
                    sum += value * taps[0].1 * taps[1].1 * taps[2].1;
                }
                sum
            });
            for _ in every_level() {
                let mut found = ArrayD::<f64>::zeros(shape.clone());
                zoom(&View::F64(image.view()), ViewMut::F64(found.view_mut()), 1, &maps, &options).unwrap();
                prop_assert_eq!(format!("{found:?}"), format!("{sums:?}"));
            }
        }
    }
}
