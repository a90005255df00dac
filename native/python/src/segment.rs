//! Bindings: floods and reconstructions of landscapes of floats. All arrays are C-contiguous and of one shape.
//!
//! `structure` tells the neighbours: three elements along each axis, in C order.

use crate::array::{Input, Output};
use crate::call::detached;
use crate::list::List;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::segment::{flood, reconstruct as reconstruction};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

fn refused(what: &str) -> PyErr {
    PyTypeError::new_err(format!("{what} of another type"))
}

fn scattered(what: &str) -> PyErr {
    PyValueError::new_err(format!("{what} that are not C-contiguous"))
}

/// `labels` holds the markers, and then the basins.
#[pyfunction]
pub fn priority_flood(
    py: Python<'_>,
    mut labels: Output<'_>,
    heights: Input<'_>,
    mask: Input<'_>,
    structure: List<bool>,
) -> PyResult<()> {
    let ViewMut::I32(labels) = labels.view_mut() else { return Err(refused("labels")) };
    let View::Bool(mask) = mask.view() else { return Err(refused("a mask")) };
    let labels = labels.into_slice().ok_or_else(|| scattered("labels"))?;
    let mask = mask.to_slice().ok_or_else(|| scattered("elements of a mask"))?;
    let heights = heights.view();
    detached(py, || flood::flood(labels, &heights, mask, &structure))
}

/// `levels` holds the seed, nowhere above the mask, and then the reconstruction.
#[pyfunction]
pub fn reconstruct(
    py: Python<'_>,
    mut levels: Output<'_>,
    mask: Input<'_>,
    structure: List<bool>,
) -> PyResult<()> {
    let (levels, mask) = (levels.view_mut(), mask.view());
    detached(py, || reconstruction::reconstruct(levels, &mask, &structure))
}

/// Mark the plateaus with lower neighbours only.
#[pyfunction]
pub fn regional_maxima(
    py: Python<'_>,
    mut marks: Output<'_>,
    levels: Input<'_>,
    structure: List<bool>,
) -> PyResult<()> {
    let ViewMut::Bool(marks) = marks.view_mut() else { return Err(refused("marks")) };
    let marks = marks.into_slice().ok_or_else(|| scattered("marks"))?;
    let levels = levels.view();
    detached(py, || reconstruction::maxima(marks, &levels, &structure))
}
