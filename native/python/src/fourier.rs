//! Bindings: filters of spectra. Arrays are C-contiguous, complex ones with their parts along a further axis.

use crate::array::{Input, Output};
use crate::call::detached;
use crate::list::List;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::memory::CollectVec;
use offgraph_kernels::pointwise::fourier::{self, Factors};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// Multiply by the product of a number per axis, or by the phase that is their sum.
#[pyfunction]
pub fn multiply_spectrum(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    parts: (usize, usize),
    tables: List<List<f64>>,
    is_phase: bool,
) -> PyResult<()> {
    let (output, input) = (output.view_mut(), input.view());
    detached(py, || {
        let tables = tables.iter().map(|table| &table[..]).collect_vec();
        let factors = if is_phase { Factors::Phase(&tables) } else { Factors::Product(&tables) };
        fourier::multiply(output, &input, parts, &factors)
    })
}

/// Multiply by a number per element.
#[pyfunction]
pub fn multiply_spectrum_by(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    parts: (usize, usize),
    factors: Input<'_>,
) -> PyResult<()> {
    let (output, input, factors) = (output.view_mut(), input.view(), factors.view());
    let View::F64(factors) = factors else {
        return Err(PyTypeError::new_err("factors of another type than float64"));
    };
    let factors =
        factors.to_slice().ok_or_else(|| PyValueError::new_err("factors that are not C-contiguous"))?;
    detached(py, || fourier::multiply(output, &input, parts, &Factors::Each(factors)))
}

/// Replace distances from the origin by the transform of a ball of 1 or 3 axes.
#[pyfunction]
pub fn ball_spectrum(py: Python<'_>, mut distances: Output<'_>, axes: usize) -> PyResult<()> {
    let ViewMut::F64(distances) = distances.view_mut() else {
        return Err(PyTypeError::new_err("distances of another type than float64"));
    };
    let distances =
        distances.into_slice().ok_or_else(|| PyValueError::new_err("distances that are not C-contiguous"))?;
    detached(py, || {
        fourier::ball_spectrum(distances, axes);
        Ok(())
    })
}
