//! Bindings: pointwise operations.

use crate::array::{Input, Output};
use crate::call::detached;
use offgraph_kernels::pointwise as kernels;
use pyo3::prelude::*;

/// The last axis of both arrays is the channel, and the table has one row per channel.
#[pyfunction]
pub fn lookup(py: Python<'_>, mut output: Output<'_>, input: Input<'_>, table: Input<'_>) -> PyResult<()> {
    let (output, input, table) = (output.view_mut(), input.view(), table.view());
    detached(py, || kernels::lookup::lookup(output, &input, &table))
}
