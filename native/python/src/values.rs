//! Bindings: values changed by colours, histograms and noise. Images are C-contiguous, channels last.

use crate::array::{Input, Output};
use crate::call::{catch_memory_error, detached};
use crate::error::border;
use crate::plan::numbers;
use offgraph_kernels::array::view::View;
use offgraph_kernels::filter::plane_kernel::{self, PlaneTap};
use offgraph_kernels::memory;
use offgraph_kernels::noise::events::Event;
use offgraph_kernels::noise::normal::NormalNoise;
use offgraph_kernels::noise::philox::Stream;
use offgraph_kernels::noise::poisson::Means;
use offgraph_kernels::noise::{events, normal, poisson};
use offgraph_kernels::pointwise::clahe::TiledAxis;
use offgraph_kernels::pointwise::color::ColorChange;
use offgraph_kernels::pointwise::{clahe, color, field as fields, histogram as counting};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

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

/// Changes of colours: a name and its numbers each.
fn changes(object: &Bound<'_, PyTuple>) -> PyResult<Vec<ColorChange>> {
    let mut changes = memory::with_capacity(object.len());
    for item in object.iter() {
        let part = item.cast::<PyTuple>()?;
        let number = |place: usize| part.get_item(place)?.extract::<f32>();
        let name: String = part.get_item(0)?.extract()?;
        let change = match name.as_str() {
            "brightness" => ColorChange::Brightness(number(1)?),
            "contrast" => ColorChange::Contrast { factor: number(1)?, mean: number(2)? },
            "saturation" => ColorChange::Saturation(number(1)?),
            "hue" => ColorChange::Hue(number(1)?),
            "hsv" => ColorChange::Hsv { hue: number(1)?, saturation: number(2)?, value: number(3)? },
            _ => return Err(PyValueError::new_err(format!("a change {name:?} that is not known"))),
        };
        memory::push(&mut changes, change);
    }
    Ok(changes)
}

/// Make changes one after another.
#[pyfunction]
pub fn recolor(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    list: &Bound<'_, PyTuple>,
    top: f32,
) -> PyResult<()> {
    let list = catch_memory_error(|| changes(list))?;
    let (output, input) = (output.view_mut(), input.view());
    detached(py, || color::recolor(output, &input, &list, top))
}

/// Sum of the luma after these changes, in units of 2^-24 of `top`.
#[pyfunction]
pub fn luma_sum(py: Python<'_>, input: Input<'_>, list: &Bound<'_, PyTuple>, top: f32) -> PyResult<f64> {
    let list = catch_memory_error(|| changes(list))?;
    let input = input.view();
    detached(py, || color::luma_sum(&input, &list, top))
}

/// The luma in Pillow's integers, in every channel of the output.
#[pyfunction]
pub fn grey(py: Python<'_>, mut output: Output<'_>, input: Input<'_>) -> PyResult<()> {
    let (output, input) = (output.view_mut(), input.view());
    detached(py, || color::grey(output, &input))
}

/// Channels in another order.
#[pyfunction]
pub fn reorder_channels(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    order: crate::list::List<usize>,
) -> PyResult<()> {
    let (output, input) = (output.view_mut(), input.view());
    detached(py, || color::reorder(output, &input, &order))
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

/// Add normally distributed noise: `kind` is "add" with spread and mean, "multiply" with spread, or "sensor" with
/// shift, intensity and white.
#[pyfunction]
#[pyo3(signature = (output, input, quantiles, seed, frame, kind, values, is_shared, top))]
pub fn add_normal(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    quantiles: Input<'_>,
    seed: u64,
    frame: u64,
    kind: &str,
    values: &Bound<'_, PyAny>,
    is_shared: bool,
    top: Option<f32>,
) -> PyResult<()> {
    let values = catch_memory_error(|| numbers::<f32>(values))?;
    let noise = match (kind, values.as_slice()) {
        ("add", &[spread, mean]) => NormalNoise::Add { spread, mean },
        ("multiply", &[spread]) => NormalNoise::Multiply { spread },
        ("sensor", &[shift, intensity, top]) => NormalNoise::Sensor { shift, intensity, top },
        _ => return Err(PyValueError::new_err(format!("noise {kind:?} of {} numbers", values.len()))),
    };
    let stream = Stream { seed, frame };
    let quantiles = elements!(quantiles.view(), F32)?;
    let (output, input) = (output.view_mut(), input.view());
    detached(py, || normal::add(output, &input, quantiles, stream, noise, is_shared, top))
}

/// Put a row of `values` where a random number of 32 bits lies in its range.
#[pyfunction]
pub fn replace_values(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    values: Input<'_>,
    ranges: crate::list::List<[u64; 2]>,
    seed: u64,
    frame: u64,
    is_shared: bool,
) -> PyResult<()> {
    let mut found = Vec::new();
    catch_memory_error(|| {
        memory::extend(&mut found, ranges.iter().map(|[low, high]| Event { low: *low, high: *high }));
        Ok(())
    })?;
    let stream = Stream { seed, frame };
    let (output, input, values) = (output.view_mut(), input.view(), values.view());
    detached(py, || events::replace(output, &input, &values, &found, stream, is_shared))
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

/// Sums of neighbours in the plane: `taps` are rows down, columns to the right and a weight each.
#[pyfunction]
pub fn correlate_plane(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    taps: crate::list::List<(isize, isize, f64)>,
    mode: i32,
    fill: f64,
) -> PyResult<()> {
    let mut found = Vec::new();
    catch_memory_error(|| {
        memory::extend(
            &mut found,
            taps.iter().map(|&(row, column, weight)| PlaneTap { row, column, weight }),
        );
        Ok(())
    })?;
    let (output, input, border) = (output.view_mut(), input.view(), border(mode)?);
    detached(py, || plane_kernel::correlate(output, &input, &found, border, fill))
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
