//! Bindings: the spline prefilter.

use crate::array::{Input, Output};
use crate::call::detached;
use crate::error::border;
use offgraph_kernels::interpolate::spline;
use pyo3::prelude::*;

/// `input` is `None` to filter `output` in place.
#[pyfunction]
pub fn spline_filter1d(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Option<Input<'_>>,
    order: usize,
    axis: usize,
    mode: i32,
) -> PyResult<()> {
    let border = border(mode)?;
    let input = input.as_ref().map(Input::view);
    let output = output.view_mut();
    detached(py, || spline::spline_filter1d(input.as_ref(), output, axis, order, border))
}
