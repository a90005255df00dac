//! Bindings: values of images that no plan changes. Images are C-contiguous, channels last.

use crate::array::{Input, Output};
use crate::call::detached;
use offgraph_kernels::array::view::View;
use offgraph_kernels::noise::philox::{self, Stream};
use offgraph_kernels::noise::poisson::{self, Means};
use offgraph_kernels::pointwise::clahe::TiledAxis;
use offgraph_kernels::pointwise::light::{self, LightMode};
use offgraph_kernels::pointwise::{clahe, color, field as fields, histogram as counting};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// The elements of a C-contiguous array of this type.
macro_rules! elements {
    ($array:expr, $variant:ident) => {
        match $array {
            View::$variant(array) => array
                .to_slice()
                .ok_or_else(|| PyValueError::new_err("an array of numbers that is not C-contiguous")),
            _ => Err(PyTypeError::new_err(concat!("an array of another type than ", stringify!($variant)))),
        }
    };
}

/// The luma in Pillow's integers, in every channel of the output.
#[pyfunction]
pub fn grey(py: Python<'_>, mut output: Output<'_>, input: Input<'_>) -> PyResult<()> {
    let (output, input) = (output.view_mut(), input.view());
    detached(py, || color::grey(output, &input))
}

/// How often each value occurs in each channel.
#[pyfunction]
pub fn histogram(py: Python<'_>, mut counts: Output<'_>, input: Input<'_>) -> PyResult<()> {
    let (counts, input) = (counts.view_mut(), input.view());
    detached(py, || counting::count(counts, &input))
}

/// An axis cut into tiles: their number, the pixel of each place, the tiles before and after each pixel and their weights.
type Tiles<'py> = (usize, Input<'py>, Input<'py>, Input<'py>, Input<'py>, Input<'py>);

fn tiled<'a>((tiles, sources, before, first, after, second): &'a Tiles<'_>) -> PyResult<TiledAxis<'a>> {
    Ok(TiledAxis {
        tiles: *tiles,
        sources: elements!(sources.view(), I64)?,
        before: (elements!(before.view(), I64)?, elements!(first.view(), F64)?),
        after: (elements!(after.view(), I64)?, elements!(second.view(), F64)?),
    })
}

/// Contrast limited adaptive histogram equalization of bytes.
#[pyfunction]
pub fn equalize_tiles(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    rows: Tiles<'_>,
    columns: Tiles<'_>,
    limit: i64,
    top: u8,
) -> PyResult<()> {
    let (rows, columns) = (tiled(&rows)?, tiled(&columns)?);
    let (output, input) = (output.view_mut(), input.view());
    detached(py, || clahe::equalize(output, &input, [&rows, &columns], limit, top))
}

/// Counts of photons about means, which are given for each byte or for each value, with `exp(-mean)`.
#[pyfunction]
pub fn count_photons(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    means: Input<'_>,
    zeros: Input<'_>,
    photons: f64,
    top: f64,
    quantiles: Input<'_>,
    seed: u64,
    frame: u64,
) -> PyResult<()> {
    let means =
        Means { means: elements!(means.view(), F64)?, zeros: elements!(zeros.view(), F64)?, photons, top };
    let quantiles = elements!(quantiles.view(), F32)?;
    let (output, input) = (output.view_mut(), input.view());
    detached(py, || poisson::count(output, &input, means, quantiles, Stream { seed, frame }))
}

/// Pixels times a number of their own.
#[pyfunction]
#[pyo3(signature = (output, input, field, top))]
pub fn multiply_pixels(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    field: Input<'_>,
    top: Option<f64>,
) -> PyResult<()> {
    let field = elements!(field.view(), F64)?;
    let (output, input) = (output.view_mut(), input.view());
    detached(py, || fields::multiply(output, &input, field, top))
}

/// Light of one color, as much at each pixel as is given: added and then times a factor, or mixed.
#[pyfunction]
#[pyo3(signature = (output, input, amounts, color, factor, top))]
pub fn shine(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    amounts: Input<'_>,
    color: Input<'_>,
    factor: Option<f32>,
    top: f32,
) -> PyResult<()> {
    let (amounts, color) = (elements!(amounts.view(), F32)?, elements!(color.view(), F32)?);
    let mode = factor.map_or(LightMode::Mix, LightMode::Add);
    let (output, input) = (output.view_mut(), input.view());
    detached(py, || light::shine(output, &input, amounts, color, mode, top))
}

/// Encrypt one counter block.
#[pyfunction]
pub fn philox4x64(counter: [u64; 4], key: [u64; 2]) -> (u64, u64, u64, u64) {
    philox::philox4x64(counter, key).into()
}
