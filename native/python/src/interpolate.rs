//! Interpolation: affine maps, zoom and shift, lists of points.

use crate::array::{Input, Output};
use crate::error::{border, to_python};
use numpy::PyReadonlyArrayDyn;
use offgraph_kernels::interpolate::{self, Options};
use offgraph_kernels::zoom::{self, AxisMap};
use pyo3::prelude::*;

fn options(order: usize, mode: i32, fill: f64, pad: usize) -> PyResult<Options> {
    Ok(Options { order, border: border(mode)?, fill, pad })
}

/// The axes of both arrays are `[outer…, spatial…, inner…]`.
#[pyfunction]
pub fn affine(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    outer: usize,
    matrix: Vec<f64>,
    offset: Vec<f64>,
    order: usize,
    mode: i32,
    fill: f64,
    pad: usize,
) -> PyResult<()> {
    let options = options(order, mode, fill, pad)?;
    let (input, output) = (input.view(), output.view_mut());
    py.detach(|| interpolate::affine(&input, output, outer, &matrix, &offset, &options)).map_err(to_python)
}

/// One `(shift or None, zoom or None)` for each spatial axis.
#[pyfunction]
pub fn zoom_shift(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    outer: usize,
    maps: Vec<(Option<f64>, Option<f64>)>,
    grid: bool,
    order: usize,
    mode: i32,
    fill: f64,
    pad: usize,
) -> PyResult<()> {
    let options = options(order, mode, fill, pad)?;
    let maps: Vec<AxisMap> = maps.into_iter().map(|(shift, zoom)| AxisMap { shift, zoom, grid }).collect();
    let (input, output) = (input.view(), output.view_mut());
    py.detach(|| zoom::zoom(&input, output, outer, &maps, &options)).map_err(to_python)
}

/// Coordinates of shape `(input.ndim, *output.shape)`.
#[pyfunction]
pub fn map_coordinates(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    coordinates: PyReadonlyArrayDyn<'_, f64>,
    order: usize,
    mode: i32,
    fill: f64,
    pad: usize,
) -> PyResult<()> {
    let options = options(order, mode, fill, pad)?;
    let (input, output, coordinates) = (input.view(), output.view_mut(), coordinates.as_array());
    py.detach(|| interpolate::at_points(&input, output, coordinates, &options)).map_err(to_python)
}
