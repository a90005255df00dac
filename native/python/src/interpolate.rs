//! Bindings: affine maps, zoom and shift, lists of points.

use crate::array::{Input, Output};
use crate::call::{catch_memory_error, detached};
use crate::error::border;
use crate::list::List;
use numpy::{PyReadwriteArray2, PyReadwriteArrayDyn};
use offgraph_kernels::array::index::advance;
use offgraph_kernels::interpolate::batch;
use offgraph_kernels::interpolate::options::Options;
use offgraph_kernels::interpolate::warp;
use offgraph_kernels::interpolate::zoom::{self, AxisMap};
use offgraph_kernels::memory::{self, CollectVec};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

fn options(order: usize, mode: i32, fill: f64, pad: usize) -> PyResult<Options> {
    Ok(Options { order, border: border(mode)?, fill, pad })
}

/// Both arrays have axes `[outer…, spatial…, inner…]`.
#[pyfunction]
pub fn affine(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    outer: usize,
    matrix: List<f64>,
    offset: List<f64>,
    order: usize,
    mode: i32,
    fill: f64,
    pad: usize,
) -> PyResult<()> {
    let options = options(order, mode, fill, pad)?;
    let (input, output) = (input.view(), output.view_mut());
    detached(py, || warp::affine(&input, output, outer, &matrix, &offset, &options))
}

/// `affine` for every image along the first axis; `matrices` and `offsets` hold the entries of one image after another.
#[pyfunction]
pub fn affine_each(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    outer: usize,
    matrices: List<f64>,
    offsets: List<f64>,
    order: usize,
    mode: i32,
    fill: f64,
    pad: usize,
) -> PyResult<()> {
    let options = options(order, mode, fill, pad)?;
    let (input, output) = (input.view(), output.view_mut());
    detached(py, || batch::affine_each(&input, output, outer, &matrices, &offsets, &options))
}

/// `maps`: one `(shift or None, zoom or None)` per spatial axis; `room` is a workspace for spline coefficients.
#[pyfunction]
pub fn zoom_shift(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    outer: usize,
    maps: List<(Option<f64>, Option<f64>)>,
    grid: bool,
    room: Option<PyReadwriteArrayDyn<'_, f64>>,
    order: usize,
    mode: i32,
    fill: f64,
    pad: usize,
) -> PyResult<()> {
    let options = options(order, mode, fill, pad)?;
    let axis_map = |(shift, zoom): &(_, _)| AxisMap { shift: *shift, zoom: *zoom, grid };
    let maps = catch_memory_error(|| Ok(maps.iter().map(axis_map).collect_vec()))?;
    let (input, output) = (input.view(), output.view_mut());
    let Some(mut room) = room else {
        return detached(py, || zoom::zoom(&input, output, outer, &maps, &options));
    };
    let room = room.as_array_mut();
    detached(py, || zoom::zoom_filtered(&input, room, output, outer, &maps, &options))
}

/// The axes of both arrays are `[outer…, spatial…, inner…]`; coordinates of shape `(rank of an input plane, *output plane)`.
#[pyfunction]
pub fn map_coordinates(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    outer: usize,
    coordinates: Input<'_>,
    order: usize,
    mode: i32,
    fill: f64,
    pad: usize,
) -> PyResult<()> {
    let options = options(order, mode, fill, pad)?;
    let (input, output, coordinates) = (input.view(), output.view_mut(), coordinates.view());
    detached(py, || warp::at_points(&input, output, outer, &coordinates, &options))
}

/// Call a Python function at positions of an output, and store the results in the columns of `coordinates`.
///
/// The positions are those from index `first` on, in C order of `shape`. `mapping` is called with the position as a
/// tuple, then the other arguments.
#[pyfunction]
pub fn map_positions(
    mut coordinates: PyReadwriteArray2<'_, f64>,
    mapping: &Bound<'_, PyAny>,
    extra_arguments: &Bound<'_, PyTuple>,
    extra_keywords: &Bound<'_, PyDict>,
    shape: List<usize>,
    first: usize,
) -> PyResult<()> {
    let py = mapping.py();
    let none = py.None().into_bound(py);
    let (mut position, mut arguments) = catch_memory_error(|| {
        let arguments = std::iter::once(none).chain(extra_arguments.iter()).collect_vec();
        Ok((memory::zeros(shape.len()), arguments))
    })?;
    let mut rest = first;
    for (index, len) in position.iter_mut().zip(shape.iter()).rev() {
        (*index, rest) = (rest % len, rest / len);
    }
    for mut column in coordinates.as_array_mut().columns_mut() {
        arguments[0] = PyTuple::new(py, &position)?.into_any();
        let point = mapping.call(PyTuple::new(py, &arguments)?, Some(extra_keywords))?;
        for (axis, to) in column.iter_mut().enumerate() {
            // SciPy's message for anything but a tuple that is long enough.
            let refused = |_| PyTypeError::new_err("bad argument type for built-in operation");
            let point = point.cast::<PyTuple>().map_err(|error| refused(error.into()))?;
            *to = point.get_item(axis).map_err(refused)?.extract()?;
        }
        advance(&mut position, &shape);
    }
    Ok(())
}
