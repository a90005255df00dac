//! Resampling at coordinates: affine maps, and lists of points.
//!
//! Coordinates are computed once per row and shared by all planes. With two spatial axes, the pixels of a row whose
//! taps all lie inside the image are one interval, computed without a border test.

mod approx;
mod general;
mod inside;
mod linear_points;
mod linear_volume;
mod make;
mod map;
mod nearest;
mod row;
mod source;
#[cfg(test)]
mod tests;
mod tiles;

use crate::array::axes::{Axes, MAX_ROW_LEN, cut_planes, keep_resampled, min_resampled, order_axes};
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::interpolate::options::Options;
use crate::interpolate::warp::make::make;
use crate::interpolate::warp::map::Map;
use crate::memory::{self, CollectVec};

/// Resample `input` at `matrix @ o + offset` for every position `o` of `output`.
///
/// Both arrays have axes `[outer…, spatial…, inner…]` with equal planes. `offset` has an entry, and `matrix` a row, for
/// each spatial axis of the input; columns of `matrix` are spatial axes of the output.
pub fn affine(
    input: &View<'_>,
    output: ViewMut<'_>,
    outer: usize,
    matrix: &[f64],
    offset: &[f64],
    options: &Options,
) -> Result<()> {
    if offset.is_empty() || matrix.is_empty() || !matrix.len().is_multiple_of(offset.len()) {
        return Err(KernelError::shape(format!("{} matrix entries for {} axes", matrix.len(), offset.len())));
    }
    let columns = matrix.len() / offset.len();
    let (rank, axes) = (offset.len(), Axes { outer, spatial: columns });
    options.check(input.shape(), output.shape(), Axes { outer, spatial: rank }, axes)?;
    let identity = identity_axes(input, output.shape(), outer, matrix, offset, options);
    if identity.is_empty() {
        return resample(input, output, axes, Map::affine(matrix, offset), options);
    }
    let resampled: Vec<usize> = (0..rank).filter(|axis| !identity.contains(axis)).collect_vec();
    let entry =
        |at: usize| matrix[resampled[at / resampled.len()] * columns + resampled[at % resampled.len()]];
    let matrix: Vec<f64> = (0..resampled.len() * resampled.len()).map(entry).collect_vec();
    let offset: Vec<f64> = resampled.iter().map(|row| offset[*row]).collect_vec();
    let on_array = |axes: Vec<usize>| axes.into_iter().map(|axis| outer + axis).collect_vec();
    let (order, axes) = order_axes(outer, on_array(identity), &on_array(resampled), input.ndim());
    let map = Map::affine(&matrix, &offset);
    resample(&input.view().permuted(&order), output.permuted(&order), axes, map, options)
}

/// The identity axes: spatial axes along which every pixel keeps its position, and which affect no other. At least
/// [`min_resampled`] axes are not returned.
///
/// On such an axis a sample is its own pixel times one plus its neighbour times zero, and it adds zero to the other
/// coordinates. It can be treated as an axis of planes, unless zero times some value is NaN.
fn identity_axes(
    input: &View<'_>,
    output: &[usize],
    outer: usize,
    matrix: &[f64],
    offset: &[f64],
    options: &Options,
) -> Vec<usize> {
    let rank = offset.len();
    let finite = matrix.iter().chain(offset).all(|number| number.is_finite());
    if rank * rank != matrix.len() || options.order > 1 || options.pad != 0 || !finite {
        return Vec::new();
    }
    let unit = |at: usize, axis: usize, other: usize| matrix[at] == f64::from(u8::from(axis == other));
    let is_identity = |axis: &usize| {
        input.shape()[outer + axis] == output[outer + axis]
            && offset[*axis] == 0.0
            && (0..rank).all(|k| unit(axis * rank + k, *axis, k) && unit(k * rank + axis, *axis, k))
    };
    let mut identity: Vec<usize> = (0..rank).filter(is_identity).collect_vec();
    keep_resampled(&mut identity, rank, min_resampled(rank), |axis| output[outer + axis]);
    if !identity.is_empty() && options.order == 1 && !(options.fill.is_finite() && input.is_finite()) {
        identity.clear();
    }
    identity
}

/// Points per row when a list is cut into rows.
const LIST_ROW: usize = 512;

/// Rows shorter than this are joined with others.
const SHORT_ROW: usize = 64;

/// Resample every plane of `input` at the points `coordinates[:, o]` for every position `o` on the spatial axes of
/// `output`; all planes share them.
///
/// The arrays have the axes `[outer…, spatial…, inner…]` with equal planes. The output has as many spatial axes as
/// `coordinates` has after its first, the input as many as that one is long.
pub fn at_points(
    input: &View<'_>,
    output: ViewMut<'_>,
    outer: usize,
    coordinates: &View<'_>,
    options: &Options,
) -> Result<()> {
    let shape = coordinates.shape();
    let last = outer + shape.len().saturating_sub(1);
    if shape.len() < 2 || output.ndim() < last || shape[1..] != output.shape()[outer..last] {
        return Err(KernelError::shape(format!("coordinates of shape {shape:?}")));
    }
    let axes = Axes { outer, spatial: shape.len() - 1 };
    options.check(input.shape(), output.shape(), Axes { outer, spatial: shape[0] }, axes)?;
    if output.is_empty() {
        return Ok(());
    }
    let is_c_contiguous = coordinates.is_c_contiguous() && output.is_c_contiguous();
    // The points of a row have nothing in common, so rows may have any length; with outer planes only whole rows of the
    // output are contiguous.
    let has_outer_planes = output.shape()[..outer].iter().any(|len| *len > 1);
    let row = if has_outer_planes { shape[shape.len() - 1] } else { LIST_ROW };
    let is_list = is_c_contiguous && (SHORT_ROW..=MAX_ROW_LEN).contains(&row);
    if !is_list || tiles::uses_tiles(input, &output, options.order) {
        // Points that are close on the output's axes may be close in the image too, so keep its axes; but join rows
        // that are too short to be worth their start.
        let mut spatial = memory::copy(&shape[1..]);
        while is_c_contiguous && spatial.len() > 1 && spatial[spatial.len() - 1] < SHORT_ROW {
            let row = spatial.pop().unwrap_or(1);
            *spatial.last_mut().expect("there were two") *= row;
        }
        let points = std::iter::once(shape[0]).chain(spatial.iter().copied()).collect_vec();
        let points =
            if is_c_contiguous { coordinates.view().into_shape(&points)? } else { coordinates.view() };
        let (output, axes) = with_rows(output, axes, &spatial)?;
        return resample(input, output, axes, Map::Points(points), options);
    }
    let count = shape[1..].iter().product::<usize>();
    let list = coordinates.view().into_shape(&[shape[0], count])?;
    let rest = count % row;
    let (output, axes) = with_rows(output, axes, &[count])?;
    let (rows, last_row) = output.split_at(outer, count - rest);
    let (list, last) = list.split_at(1, count - rest);
    let (rows, row_axes) = with_rows(rows, axes, &[count / row, row])?;
    resample(input, rows, row_axes, Map::of_list(&list), options)?;
    resample(input, last_row, axes, Map::of_list(&last), options)
}

/// The same output with other spatial axes, of as many positions.
fn with_rows<'a>(output: ViewMut<'a>, axes: Axes, spatial: &[usize]) -> Result<(ViewMut<'a>, Axes)> {
    let last = axes.outer + axes.spatial;
    let shape = output.shape();
    let outer = shape[..axes.outer].iter().copied();
    let shape = outer.chain(spatial.iter().copied()).chain(shape[last..].iter().copied()).collect_vec();
    let axes = Axes { outer: axes.outer, spatial: spatial.len() };
    if shape[..] == *output.shape() {
        return Ok((output, axes));
    }
    Ok((output.into_shape(&shape)?, axes))
}

fn resample(
    input: &View<'_>,
    output: ViewMut<'_>,
    axes: Axes,
    map: Map<'_>,
    options: &Options,
) -> Result<()> {
    let input_axes = Axes { outer: axes.outer, spatial: map.rank() };
    options.check(input.shape(), output.shape(), input_axes, axes)?;
    if output.is_empty() {
        return Ok(());
    }
    if let Some(axis) = cut_planes(output.shape(), axes) {
        // Counted from the last axis, the planes are the same in both.
        let of_input = axis + input.ndim() - output.ndim();
        let middle = output.shape()[axis] / 2;
        let same = map.view();
        let (input, other_input) = input.view().split_at(of_input, middle);
        let (output, other_output) = output.split_at(axis, middle);
        resample(&input, output, axes, same, options)?;
        return resample(&other_input, other_output, axes, map, options);
    }
    let is_list = matches!(map, Map::List(_) | Map::Lines(_));
    let width = output.shape()[axes.outer + axes.spatial - 1];
    if !is_list && (width > MAX_ROW_LEN || tiles::uses_tiles(input, &output, options.order)) {
        tiles::resample(input, output, axes, &map, options);
    } else {
        make(input, None, output, axes, map, options);
    }
    Ok(())
}
