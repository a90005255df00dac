//! Bindings: distance transforms. Outputs are C-contiguous arrays made by the caller.

use crate::array::{Input, Output};
use crate::call::detached;
use crate::list::List;
use offgraph_kernels::array::view::ViewMut;
use offgraph_kernels::distance::brute_force::{self, Metric};
use offgraph_kernels::distance::positions::indices_of;
use offgraph_kernels::distance::{chamfer, euclidean, per_label};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// Distances, and indices per axis, of the nearest zeros; returns whether there is a zero.
#[pyfunction]
pub fn euclidean_distances(
    py: Python<'_>,
    mut distances: Option<Output<'_>>,
    mut features: Option<Output<'_>>,
    input: Input<'_>,
    sampling: Option<List<f64>>,
) -> PyResult<bool> {
    let (distances, features) =
        (distances.as_mut().map(Output::view_mut), features.as_mut().map(Output::view_mut));
    let input = input.view();
    detached(py, || euclidean::euclidean(distances, features, &input, sampling.as_deref()))
}

/// Steps to the nearest zeros, and their positions in C order; `before` are the elements before a structure's centre.
#[pyfunction]
pub fn chamfer_distances(
    py: Python<'_>,
    mut distances: Output<'_>,
    mut features: Option<Output<'_>>,
    input: Input<'_>,
    before: List<bool>,
) -> PyResult<()> {
    let (distances, features) = (distances.view_mut(), features.as_mut().map(Output::view_mut));
    let input = input.view();
    detached(py, || chamfer::chamfer(distances, features, &input, &before))
}

/// Distances of elements of 1 from those of -1, and the positions in C order of the nearest.
#[pyfunction]
pub fn brute_force_distances(
    py: Python<'_>,
    mut distances: Option<Output<'_>>,
    mut features: Option<Output<'_>>,
    marks: Input<'_>,
    metric: u8,
    sampling: Option<List<f64>>,
) -> PyResult<()> {
    let (distances, features) =
        (distances.as_mut().map(Output::view_mut), features.as_mut().map(Output::view_mut));
    let marks = marks.view();
    let metric = Metric::from_number(metric).ok_or_else(|| PyValueError::new_err("a metric is 1, 2 or 3"))?;
    detached(py, || brute_force::brute_force(distances, features, &marks, metric, sampling.as_deref()))
}

/// The index along each axis of each position in C order.
#[pyfunction]
pub fn indices_of_positions(py: Python<'_>, mut indices: Output<'_>, positions: Input<'_>) -> PyResult<()> {
    let (indices, positions) = (indices.view_mut(), positions.view());
    detached(py, || indices_of(indices, &positions))
}

/// Distances of each element to the nearest one of another label; all arrays are C-contiguous.
#[pyfunction]
pub fn label_distances(
    py: Python<'_>,
    mut distances: Output<'_>,
    labels: Input<'_>,
    spacings: List<f64>,
    edges: bool,
) -> PyResult<()> {
    let ViewMut::F32(distances) = distances.view_mut() else {
        return Err(PyTypeError::new_err("distances of another type than float32"));
    };
    let distances =
        distances.into_slice().ok_or_else(|| PyValueError::new_err("distances that are not C-contiguous"))?;
    let labels = labels.view();
    detached(py, || per_label::label_distances(distances, &labels, &spacings, edges))
}
