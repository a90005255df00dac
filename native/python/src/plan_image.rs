//! Work on whole images as plain numbers, as `offgraph/engine/image_ops.py` writes it.

use crate::array::Input;
use crate::error::border;
use crate::plan::numbers;
use offgraph_kernels::filter::plane_kernel::PlaneTap;
use offgraph_kernels::interpolate::zoom::AxisMap;
use offgraph_kernels::memory::{self, CollectVec};
use offgraph_kernels::noise::events::Event;
use offgraph_kernels::noise::normal::NormalNoise;
use offgraph_kernels::noise::philox::Stream;
use offgraph_kernels::pointwise::color::ColorChange;
use offgraph_kernels::pointwise::shade::Shade;
use offgraph_plan::dtype::Array;
use offgraph_plan::image::ImageWork;
use offgraph_plan::standardize::Statistics;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::Arc;

fn unknown(what: &str) -> PyErr {
    PyValueError::new_err(format!("{what} that is not known"))
}

/// A change of colours: a name and its numbers.
fn change(object: &Bound<'_, PyAny>) -> PyResult<ColorChange> {
    let part = object.cast::<PyTuple>()?;
    let number = |place: usize| part.get_item(place)?.extract::<f32>();
    let name: String = part.get_item(0)?.extract()?;
    Ok(match name.as_str() {
        "brightness" => ColorChange::Brightness(number(1)?),
        "contrast" => ColorChange::Contrast { factor: number(1)?, mean: 0.0 },
        "saturation" => ColorChange::Saturation(number(1)?),
        "hue" => ColorChange::Hue(number(1)?),
        "hsv" => ColorChange::Hsv {
            hue: number(1)?,
            saturation: number(2)?,
            value: number(3)?,
            saturation_shift: number(4)?,
            value_shift: number(5)?,
        },
        "lightness" => ColorChange::Lightness { threshold: number(1)?, factor: number(2)? },
        _ => return Err(unknown("a change of colours")),
    })
}

/// Read work: its name, and its own values.
pub fn read_work(parts: &Bound<'_, PyTuple>) -> PyResult<ImageWork> {
    let part = |place: usize| parts.get_item(place);
    let stream = |place: usize| -> PyResult<Stream> {
        Ok(Stream { seed: part(place)?.extract()?, frame: part(place + 1)?.extract()? })
    };
    let name: String = part(1)?.extract()?;
    Ok(match name.as_str() {
        "recolor" => {
            let mut changes = Vec::new();
            for item in part(2)?.cast::<PyTuple>()?.iter() {
                memory::push(&mut changes, change(&item)?);
            }
            ImageWork::Recolor { changes, top: part(3)?.extract()? }
        }
        "grey" => ImageWork::Grey,
        "reorder" => ImageWork::Reorder(numbers(&part(2)?)?),
        "normal" => {
            let (kind, values): (String, Vec<f32>) = (part(2)?.extract()?, numbers(&part(3)?)?);
            let noise = match (kind.as_str(), values.as_slice()) {
                ("add", &[spread, mean]) => NormalNoise::Add { spread, mean },
                ("multiply", &[spread]) => NormalNoise::Multiply { spread },
                ("sensor", &[shift, intensity, top]) => NormalNoise::Sensor { shift, intensity, top },
                _ => return Err(unknown("noise")),
            };
            let (is_shared, top) = (part(6)?.extract()?, part(7)?.extract()?);
            ImageWork::Normal { noise, stream: stream(4)?, is_shared, top }
        }
        "replace" => {
            let values: Input<'_> = part(2)?.extract()?;
            let mut events = Vec::new();
            for item in part(3)?.cast::<PyTuple>()?.iter() {
                let (low, high): (u64, u64) = item.extract()?;
                memory::push(&mut events, Event { low, high });
            }
            let (values, is_shared) = (Arc::new(Array::copy(&values.view())), part(6)?.extract()?);
            ImageWork::Replace { values, events, stream: stream(4)?, is_shared }
        }
        "blank" => {
            let mut holes = Vec::new();
            for item in part(2)?.cast::<PyTuple>()?.iter() {
                let (start, stop): (usize, usize) = item.extract()?;
                memory::push(&mut holes, start..stop);
            }
            ImageWork::Blank { holes, fill: numbers(&part(3)?)? }
        }
        "mix" => ImageWork::Mix { weights: numbers(&part(2)?)?, top: part(3)?.extract()? },
        "darken" => {
            let mut shades = Vec::new();
            for item in part(2)?.cast::<PyTuple>()?.iter() {
                let shade = item.cast::<PyTuple>()?;
                let corners: Vec<f64> = numbers(&shade.get_item(1)?)?;
                let corners = corners.as_chunks::<2>().0.iter().copied().collect_vec();
                memory::push(&mut shades, Shade { factor: shade.get_item(0)?.extract()?, corners });
            }
            ImageWork::Darken(shades)
        }
        "zoom blur" => {
            let mut zooms = Vec::new();
            for item in part(2)?.cast::<PyTuple>()?.iter() {
                let (rows, columns): ((f64, f64), (f64, f64)) = item.extract()?;
                let maps = [rows, columns].map(|(zoom, shift)| AxisMap {
                    shift: Some(shift),
                    zoom: Some(zoom),
                    grid: false,
                });
                memory::push(&mut zooms, maps);
            }
            ImageWork::ZoomBlur(zooms)
        }
        "correlate" => {
            let mut taps = Vec::new();
            for item in part(2)?.cast::<PyTuple>()?.iter() {
                let (row, column, weight): (isize, isize, f64) = item.extract()?;
                memory::push(&mut taps, PlaneTap { row, column, weight });
            }
            ImageWork::Correlate { taps, border: border(part(3)?.extract()?)?, fill: part(4)?.extract()? }
        }
        "percentiles" => ImageWork::Standardize {
            by: Statistics::Percentiles {
                ends: [part(2)?.extract()?, part(3)?.extract()?],
                clips: part(4)?.extract()?,
            },
            per_channel: part(5)?.extract()?,
        },
        "moments" => ImageWork::Standardize {
            by: Statistics::Moments { skips_zeros: part(2)?.extract()?, divides: part(3)?.extract()? },
            per_channel: part(4)?.extract()?,
        },
        _ => return Err(unknown("work on images")),
    })
}

/// Work as [`read_work`] reads it, without the number before it.
pub fn to_tuple<'py>(py: Python<'py>, kind: u8, work: &ImageWork) -> PyResult<Bound<'py, PyTuple>> {
    let floats = |numbers: &[f32]| PyTuple::new(py, numbers);
    match work {
        ImageWork::Recolor { changes, top } => {
            let mut written = memory::with_capacity(changes.len());
            for change in changes {
                let one = |name: &str, amount: f32| (name, amount).into_pyobject(py);
                let change = match *change {
                    ColorChange::Brightness(factor) => one("brightness", factor)?,
                    ColorChange::Contrast { factor, .. } => one("contrast", factor)?,
                    ColorChange::Saturation(factor) => one("saturation", factor)?,
                    ColorChange::Hue(turn) => one("hue", turn)?,
                    ColorChange::Hsv { hue, saturation, value, saturation_shift, value_shift } => {
                        ("hsv", hue, saturation, value, saturation_shift, value_shift).into_pyobject(py)?
                    }
                    ColorChange::Lightness { threshold, factor } => {
                        ("lightness", threshold, factor).into_pyobject(py)?
                    }
                };
                memory::push(&mut written, change);
            }
            (kind, "recolor", PyTuple::new(py, written)?, *top).into_pyobject(py)
        }
        ImageWork::Grey => (kind, "grey").into_pyobject(py),
        ImageWork::Reorder(order) => (kind, "reorder", PyTuple::new(py, order)?).into_pyobject(py),
        ImageWork::Normal { noise, stream, is_shared, top } => {
            let (name, values) = match *noise {
                NormalNoise::Add { spread, mean } => ("add", floats(&[spread, mean])?),
                NormalNoise::Multiply { spread } => ("multiply", floats(&[spread])?),
                NormalNoise::Sensor { shift, intensity, top } => {
                    ("sensor", floats(&[shift, intensity, top])?)
                }
            };
            let Stream { seed, frame } = *stream;
            (kind, "normal", name, values, seed, frame, *is_shared, *top).into_pyobject(py)
        }
        ImageWork::Blank { holes, fill } => {
            let ends = holes.iter().map(|ends| (ends.start, ends.end)).collect_vec();
            (kind, "blank", PyTuple::new(py, ends)?, PyTuple::new(py, fill)?).into_pyobject(py)
        }
        ImageWork::Correlate { taps, border, fill } => {
            let taps = taps.iter().map(|tap| (tap.row, tap.column, tap.weight)).collect_vec();
            (kind, "correlate", PyTuple::new(py, taps)?, *border as i32, *fill).into_pyobject(py)
        }
        ImageWork::Mix { weights, top } => (kind, "mix", PyTuple::new(py, weights)?, *top).into_pyobject(py),
        ImageWork::Darken(shades) => {
            let mut written = memory::with_capacity(shades.len());
            for Shade { factor, corners } in shades {
                let corners = PyTuple::new(py, corners.as_flattened())?;
                memory::push(&mut written, (*factor, corners).into_pyobject(py)?);
            }
            (kind, "darken", PyTuple::new(py, written)?).into_pyobject(py)
        }
        ImageWork::ZoomBlur(zooms) => {
            let pair = |map: &AxisMap| (map.zoom.unwrap_or(1.0), map.shift.unwrap_or(0.0));
            let zooms = zooms.iter().map(|[rows, columns]| (pair(rows), pair(columns))).collect_vec();
            (kind, "zoom blur", PyTuple::new(py, zooms)?).into_pyobject(py)
        }
        ImageWork::Standardize { by, per_channel } => match *by {
            Statistics::Percentiles { ends: [low, high], clips } => {
                (kind, "percentiles", low, high, clips, *per_channel).into_pyobject(py)
            }
            Statistics::Moments { skips_zeros, divides } => {
                (kind, "moments", skips_zeros, divides, *per_channel).into_pyobject(py)
            }
        },
        ImageWork::Replace { .. } => Err(PyValueError::new_err("values that are replaced are not written")),
    }
}
