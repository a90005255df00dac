//! Bindings: linear filters.

use crate::array::{Input, Output};
use crate::call::{LineArgs, catch_memory_error, detached, filter};
use crate::error::border;
use crate::list::List;
use offgraph_kernels::filter as kernels;
use offgraph_kernels::filter::correlate_nd::Weights;
use offgraph_kernels::filter::correlate1d::AxisPass;
use offgraph_kernels::memory;
use pyo3::prelude::*;

#[pyfunction]
pub fn correlate1d(py: Python<'_>, lines: LineArgs<'_>, weights: List<f64>) -> PyResult<()> {
    filter(py, lines, |lines| kernels::correlate1d::correlate1d(lines, &weights))
}

#[pyfunction]
pub fn uniform1d(py: Python<'_>, lines: LineArgs<'_>, size: usize) -> PyResult<()> {
    filter(py, lines, |lines| kernels::uniform1d::uniform1d(lines, size))
}

#[pyfunction]
pub fn correlate_axes(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Option<Input<'_>>,
    passes: List<(usize, List<f64>, i32, f64, isize)>,
) -> PyResult<()> {
    let (input, output) = (input.as_ref().map(Input::view), output.view_mut());
    let passes = catch_memory_error(|| {
        let mut some = memory::with_capacity(passes.len());
        for (axis, weights, mode, fill, origin) in passes.iter() {
            let border = border(*mode)?;
            memory::push(&mut some, AxisPass { axis: *axis, weights, border, fill: *fill, origin: *origin });
        }
        Ok(some)
    })?;
    detached(py, || kernels::separable::correlate_axes(input.as_ref(), output, &passes))
}

#[pyfunction]
pub fn correlate_nd(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    weights: List<f64>,
    shape: List<usize>,
    mode: i32,
    cval: f64,
    origins: List<isize>,
) -> PyResult<()> {
    let (input, output, border) = (input.view(), output.view_mut(), border(mode)?);
    let weights = Weights { values: &weights, shape: &shape, origins: &origins };
    detached(py, || kernels::correlate_nd::correlate(&input, output, weights, border, cval))
}
