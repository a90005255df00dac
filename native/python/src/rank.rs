//! Bindings: rank filters.

use crate::array::{Input, Output};
use crate::call::{catch_memory_error, detached};
use crate::error::border;
use crate::list::List;
use offgraph_kernels::memory;
use offgraph_kernels::rank::{self, BoxWindow, Outside, Window};
use pyo3::prelude::*;

/// A value outside the image: a Python integer keeps 64-bit samples exact, a float is SciPy's `double`.
#[derive(FromPyObject)]
pub enum Fill {
    Exact(i64),
    Double(f64),
}

#[pyfunction]
pub fn rank_filter(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    rank: usize,
    footprint: Input<'_>,
    mode: i32,
    cval: Fill,
    origins: List<isize>,
) -> PyResult<()> {
    let outside = match cval {
        Fill::Exact(value) => Outside::Exact(value),
        Fill::Double(value) => Outside::Double(value),
    };
    let (input, output, border, mask) = (input.view(), output.view_mut(), border(mode)?, footprint.mask()?);
    let footprint = footprint.view();
    let window = Window { shape: footprint.shape(), mask: &mask, origins: &origins };
    detached(py, || rank::rank_filter(&input, output, window, rank, border, outside))
}

/// Lengths, modes and origins have one entry per axis.
#[pyfunction]
pub fn box_extremum(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    lengths: List<usize>,
    modes: List<i32>,
    cval: f64,
    origins: List<isize>,
    largest: bool,
) -> PyResult<()> {
    let borders = catch_memory_error(|| {
        let mut borders = memory::with_capacity(modes.len());
        for mode in modes.iter() {
            memory::push(&mut borders, border(*mode)?);
        }
        Ok(borders)
    })?;
    let (input, output) = (input.view(), output.view_mut());
    let window = BoxWindow { lengths: &lengths, origins: &origins, borders: &borders };
    detached(py, || rank::box_extremum(&input, output, window, largest, cval))
}

/// `heights` has one entry per sample of the footprint.
#[pyfunction]
pub fn raised_extremum(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    footprint: Input<'_>,
    heights: List<f64>,
    largest: bool,
    mode: i32,
    cval: f64,
    origins: List<isize>,
) -> PyResult<()> {
    let (input, output, border, mask) = (input.view(), output.view_mut(), border(mode)?, footprint.mask()?);
    let footprint = footprint.view();
    let window = Window { shape: footprint.shape(), mask: &mask, origins: &origins };
    detached(py, || rank::raised_extremum(&input, output, window, &heights, largest, border, cval))
}
