//! Recipes whose samples are planned without Python.
//!
//! A step is a tuple of plain numbers and names, as `compiled` of its class gives it and
//! `offgraph/plan/compiled.py` writes it.

use crate::call::catch_memory_error;
use crate::plan::{numbers, op as read_op, read_decoding, to_tuple};
use crate::resize::{Table, taps};
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::memory::{self, CollectVec};
use offgraph_plan::Op;
use offgraph_plan::dtype::DType;
use offgraph_plan::recipe::products::{Products, Rounding};
use offgraph_plan::recipe::random::{Draw, Key};
use offgraph_plan::recipe::steps::{AffineValues, Kind, Length, NewSize, PerAxis, Setting, Shift, Step};
use offgraph_plan::recipe::values::{Count, Curve, DrawnValues, Extent, Extents, NoiseKind, ValueWork};
use offgraph_plan::recipe::{Mode, Plan, Recipe, ResizeKey, Rule, Spec, Unplanned, Values, degrees};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A recipe, and what was computed once for it.
#[pyclass(frozen, module = "offgraph._native")]
pub struct CompiledRecipe(pub Arc<Recipe>);

/// The operations of a sample.
#[pyclass(frozen, module = "offgraph._native")]
pub struct NativePlan(pub Vec<Op>);

#[pymethods]
impl NativePlan {
    /// Operations as Python writes them, read once, for images with so many outer and spatial axes.
    #[new]
    fn new(ops: &Bound<'_, PyTuple>, outer: usize, spatial: usize) -> PyResult<Self> {
        catch_memory_error(|| {
            let mut read = memory::with_capacity(ops.len());
            for op in ops.iter() {
                memory::push(&mut read, read_op(&op, Axes { outer, spatial })?);
            }
            Ok(Self(read))
        })
    }

    /// The operations as Python writes them.
    #[getter]
    fn ops<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let mut ops = memory::with_capacity(self.0.len());
        for op in &self.0 {
            memory::push(&mut ops, to_tuple(py, op)?);
        }
        PyTuple::new(py, ops)
    }
}

type Items<'py> = Bound<'py, PyTuple>;

fn unknown(what: &str) -> PyErr {
    PyValueError::new_err(format!("a {what} that is not known"))
}

fn setting(object: &Bound<'_, PyAny>) -> PyResult<Setting> {
    if let Ok((low, high)) = object.extract() {
        return Ok(Setting::Range(low, high));
    }
    Ok(Setting::Fixed(object.extract()?))
}

/// Settings, and for each axis the number of its own.
fn per_axis(object: &Bound<'_, PyAny>) -> PyResult<PerAxis> {
    let (items, places): (Items<'_>, (Option<usize>, Option<usize>)) = object.extract()?;
    let mut settings = memory::with_capacity(items.len());
    for item in items.iter() {
        memory::push(&mut settings, setting(&item)?);
    }
    Ok(PerAxis { settings, places: places.into() })
}

/// Pixels, or numerator and denominator of a share.
fn length(object: &Bound<'_, PyAny>) -> PyResult<Length> {
    if let Ok((part, whole)) = object.extract::<(i64, i64)>() {
        if whole <= 0 {
            return Err(unknown("share"));
        }
        return Ok(Length::Share(part, whole));
    }
    Ok(Length::Pixels(object.extract()?))
}

fn lengths(object: &Bound<'_, PyAny>) -> PyResult<[Length; 2]> {
    let items = object.cast::<PyTuple>()?;
    Ok([length(&items.get_item(0)?)?, length(&items.get_item(1)?)?])
}

fn shift(object: &Bound<'_, PyAny>) -> PyResult<Shift> {
    let (value, is_share, moves): (Bound<'_, PyAny>, bool, (bool, bool)) = object.extract()?;
    Ok(Shift { setting: setting(&value)?, is_share, moves: moves.into() })
}

/// A whole number, or a range of them.
fn count(object: &Bound<'_, PyAny>) -> PyResult<Count> {
    if let Ok((low, high)) = object.extract() {
        return Ok(Count::Range(low, high));
    }
    Ok(Count::Fixed(object.extract()?))
}

/// A length: its number, and whether it is in percent.
type Written = (f64, bool);

/// Lengths of rows or columns: number and whether it is in percent, once or twice; None for the whole axis.
fn extents(object: &Bound<'_, PyAny>) -> PyResult<Option<Extents>> {
    let given: Option<(Written, Option<Written>)> = object.extract()?;
    let extent = |(number, is_share): Written| Extent { number, is_share };
    Ok(given.map(|(low, high)| (extent(low), high.map(extent))))
}

/// A step that moves nothing: whether it is pointwise, the value of white, the name of its work, and its numbers.
fn drawn(parts: &Items<'_>) -> PyResult<DrawnValues> {
    let part = |place: usize| parts.get_item(place);
    let set = |place: usize| setting(&part(place)?);
    let name: String = part(3)?.extract()?;
    let work = match name.as_str() {
        "asked" => ValueWork::Asked,
        "brightness" => ValueWork::Curve(Curve::Brightness { factor: set(4)?, shift: set(5)? }),
        "contrast" => ValueWork::Curve(Curve::Contrast { factor: set(4)?, centre: part(5)?.extract()? }),
        "gamma" => ValueWork::Curve(Curve::Gamma(set(4)?)),
        "solarize" => ValueWork::Curve(Curve::Solarize(set(4)?)),
        "posterize" => ValueWork::Curve(Curve::Posterize(count(&part(4)?)?)),
        "jitter" => {
            let settings = [set(4)?, set(5)?, set(6)?, set(7)?];
            let active: Vec<usize> = numbers(&part(8)?)?;
            if active.iter().any(|number| *number >= settings.len()) {
                return Err(unknown("part of a change of colours"));
            }
            ValueWork::Jitter { settings, active }
        }
        "hsv" => ValueWork::Hsv([set(4)?, set(5)?, set(6)?, set(7)?, set(8)?]),
        "noise" => {
            let kind: String = part(4)?.extract()?;
            let kind = match kind.as_str() {
                "add" => NoiseKind::Add(set(5)?, set(6)?),
                "multiply" => NoiseKind::Multiply(set(5)?),
                "sensor" => NoiseKind::Sensor(set(5)?, set(6)?),
                _ => return Err(unknown("noise")),
            };
            let (per_channel, clip) = (part(7)?.extract()?, part(8)?.extract()?);
            ValueWork::Normal { kind, per_channel, clip }
        }
        "blank" => {
            let size = [extents(&part(5)?)?, extents(&part(6)?)?];
            ValueWork::Blank { holes: count(&part(4)?)?, size, fill: numbers(&part(7)?)? }
        }
        "shuffle" => ValueWork::Shuffle,
        _ => return Err(unknown("step that draws values")),
    };
    Ok(DrawnValues { work, is_pointwise: part(1)?.extract()?, range: part(2)?.extract()? })
}

fn kind(parts: &Items<'_>) -> PyResult<Kind> {
    let part = |place: usize| parts.get_item(place);
    let flag = |place: usize| part(place)?.extract::<bool>();
    let name: String = part(0)?.extract()?;
    Ok(match name.as_str() {
        "resize" => {
            let given: Option<(Option<usize>, Option<usize>)> = part(1)?.extract()?;
            let size = match given {
                Some(size) => NewSize::Given(size.into()),
                None => NewSize::Scaled(per_axis(&part(2)?)?),
            };
            Kind::Resize { size, kernel: part(3)?.extract()?, antialias: flag(4)? }
        }
        "resized crop" => {
            let size: (Option<usize>, Option<usize>) = part(1)?.extract()?;
            let (scale, ratio) = (setting(&part(2)?)?, setting(&part(3)?)?);
            let (kernel, antialias) = (part(4)?.extract()?, flag(5)?);
            Kind::ResizedCrop { size: size.into(), scale, ratio, kernel, antialias }
        }
        "rotate" => Kind::Rotate { angle: setting(&part(1)?)?, reshape: flag(2)? },
        "perspective" => Kind::Perspective { distortion: setting(&part(1)?)?, inwards: flag(2)? },
        "affine" => {
            let mut translate = Vec::new();
            for item in part(4)?.cast::<PyTuple>()?.iter() {
                memory::push(&mut translate, shift(&item)?);
            }
            let values = AffineValues::Drawn {
                scale: per_axis(&part(1)?)?,
                shear: per_axis(&part(2)?)?,
                rotate: setting(&part(3)?)?,
                translate,
                by_name: flag(5)?,
            };
            Kind::Affine { values, is_centred: flag(6)? }
        }
        "matrix" => {
            let ((a, b, c, d), offset): ((f64, f64, f64, f64), (f64, f64)) =
                (part(1)?.extract()?, part(2)?.extract()?);
            let values = AffineValues::Given([[a, b], [c, d]], offset.into());
            Kind::Affine { values, is_centred: flag(3)? }
        }
        "zoom" => {
            Kind::Zoom { factor: per_axis(&part(1)?)?, on_edges: flag(2)?, hinted: AtomicBool::new(false) }
        }
        "flip" => Kind::Flip { axis: usize::from(flag(1)?) },
        "crop" => Kind::Crop { size: lengths(&part(1)?)?, pad: flag(2)?, is_random: flag(3)? },
        "pad" => {
            let sides = part(1)?.cast_into::<PyTuple>()?;
            Kind::Pad { sides: [lengths(&sides.get_item(0)?)?, lengths(&sides.get_item(1)?)?] }
        }
        "drawn" => Kind::Drawn(drawn(parts)?),
        "values" => Kind::Values { is_filter: flag(1)?, by_size: flag(2)? },
        _ => return Err(unknown("step")),
    })
}

fn step(object: &Bound<'_, PyAny>) -> PyResult<Step> {
    let (address, chance_address, p, averages, rule, parts): (
        u64,
        u64,
        f64,
        bool,
        (usize, String, f64),
        Items<'_>,
    ) = object.extract()?;
    let (order, mode, cval) = rule;
    let mode = Mode::from_name(&mode).ok_or_else(|| unknown("border mode"))?;
    Ok(Step { address, chance_address, p, averages, rule: Rule { order, mode, cval }, kind: kind(&parts)? })
}

const DTYPES: [(&str, DType); 11] = [
    ("bool", DType::Bool),
    ("uint8", DType::U8),
    ("int8", DType::I8),
    ("uint16", DType::U16),
    ("int16", DType::I16),
    ("uint32", DType::U32),
    ("int32", DType::I32),
    ("uint64", DType::U64),
    ("int64", DType::I64),
    ("float32", DType::F32),
    ("float64", DType::F64),
];

/// The type of this name.
pub fn dtype_of(name: &str) -> Option<DType> {
    DTYPES.iter().find(|(known, _)| *known == name).map(|(_, dtype)| *dtype)
}

/// The name of a type.
pub fn name_of(dtype: DType) -> &'static str {
    DTYPES.iter().find(|(_, known)| *known == dtype).map_or("", |(name, _)| *name)
}

fn rounding(code: u8) -> PyResult<Rounding> {
    Rounding::from_code(code).ok_or_else(|| unknown("rounding"))
}

/// What `plan` returns where Python has to do something first.
pub fn request<'py>(py: Python<'py>, unplanned: &Unplanned) -> PyResult<Option<Bound<'py, PyTuple>>> {
    Ok(Some(match unplanned {
        Unplanned::NeedsPython => return Ok(None),
        Unplanned::NeedsWeights(ResizeKey { input, output, kernel, antialias }) => {
            ("weights", *input, *output, *kernel, *antialias).into_pyobject(py)?
        }
        Unplanned::NeedsValues(number, spec) => {
            let shape = PyTuple::new(py, spec.shape())?;
            let axes = String::from_utf8_lossy(spec.axes()).into_owned();
            ("values", *number, shape, name_of(spec.dtype), axes).into_pyobject(py)?
        }
        Unplanned::NeedsDraw(number, key, spec) => {
            let shape = PyTuple::new(py, spec.shape())?;
            let axes = String::from_utf8_lossy(spec.axes()).into_owned();
            let Key { seed, epoch, index } = *key;
            ("drawn", *number, (seed, epoch, index), shape, name_of(spec.dtype), axes).into_pyobject(py)?
        }
    }))
}

#[pymethods]
impl CompiledRecipe {
    /// `products` are the numbers of the roundings of a matrix times a vector, and times a matrix.
    #[new]
    fn new(
        steps: Items<'_>,
        fused: bool,
        max_pixels: usize,
        products: (u8, u8),
        decoding: &str,
    ) -> PyResult<Self> {
        catch_memory_error(|| {
            let mut read = memory::with_capacity(steps.len());
            for item in steps.iter() {
                memory::push(&mut read, step(&item)?);
            }
            let products = Products { vector: rounding(products.0)?, matrix: rounding(products.1)? };
            Ok(Self(Arc::new(Recipe::new(read, fused, max_pixels, products, read_decoding(decoding)?))))
        })
    }

    /// `("plan", NativePlan, shape, dtype, finite)`: the operations of a sample, shape and dtype afterwards, and whether its
    /// values are finite for certain; what Python has to make first; or None where it has to do all.
    fn plan<'py>(
        &self,
        py: Python<'py>,
        seed: u64,
        epoch: u64,
        index: u64,
        shape: crate::list::List<usize>,
        dtype: &str,
        axes: &str,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let Some(spec) = dtype_of(dtype).and_then(|dtype| Spec::new(&shape, dtype, axes.as_bytes())) else {
            return Ok(None);
        };
        let planned = catch_memory_error(|| Ok(self.0.plan(Key { seed, epoch, index }, &spec)))?;
        let Plan { ops, after, is_finite } = match planned {
            Ok(plan) => plan,
            Err(unplanned) => return request(py, &unplanned),
        };
        self.0.forget(Key { seed, epoch, index });
        let shape = PyTuple::new(py, after.shape())?;
        Ok(Some(("plan", NativePlan(ops), shape, name_of(after.dtype), is_finite).into_pyobject(py)?))
    }

    /// Keep the weights of a resize along one axis; None where Python refuses to make them.
    fn add_weights(
        &self,
        input: usize,
        output: usize,
        kernel: u8,
        antialias: bool,
        table: Option<Table<'_>>,
    ) -> PyResult<()> {
        catch_memory_error(|| {
            let key = ResizeKey { input, output, kernel, antialias };
            let weights = table.as_ref().map(|table| Arc::new(taps(table)));
            if weights.as_ref().is_some_and(|weights| !weights.has_positions(output)) {
                return Err(PyValueError::new_err("weights for another length"));
            }
            self.0.write_tables().add_weights(key, weights);
            Ok(())
        })
    }

    /// Keep the operation of a step that moves nothing, for images of a spec; None where only Python can run it.
    fn add_values(
        &self,
        number: usize,
        shape: crate::list::List<usize>,
        dtype: &str,
        axes: &str,
        op: Option<Bound<'_, PyAny>>,
        result: &str,
        finite: bool,
    ) -> PyResult<()> {
        let spec = dtype_of(dtype).and_then(|dtype| Spec::new(&shape, dtype, axes.as_bytes()));
        let (Some(spec), Some(step)) = (spec, self.0.steps().get(number)) else {
            return Err(unknown("step or spec"));
        };
        catch_memory_error(|| {
            let values = made_values(op, result, finite, &spec)?;
            self.0.write_tables().add_values(number, step, &spec, values);
            Ok(())
        })
    }

    /// Keep what was drawn for a step that moves nothing, for a sample and images of a spec, until it is planned; None
    /// where only Python can run it.
    fn add_drawn(
        &self,
        number: usize,
        key: (u64, u64, u64),
        shape: crate::list::List<usize>,
        dtype: &str,
        axes: &str,
        op: Option<Bound<'_, PyAny>>,
        result: &str,
        finite: bool,
    ) -> PyResult<()> {
        let spec = dtype_of(dtype).and_then(|dtype| Spec::new(&shape, dtype, axes.as_bytes()));
        let Some(spec) = spec.filter(|_| number < self.0.steps().len()) else {
            return Err(unknown("step or spec"));
        };
        let (seed, epoch, index) = key;
        catch_memory_error(|| {
            let values = made_values(op, result, finite, &spec)?;
            self.0.write_tables().add_drawn(number, Key { seed, epoch, index }, spec, values);
            Ok(())
        })
    }
}

/// The operation of a step that moves nothing.
fn made_values(op: Option<Bound<'_, PyAny>>, result: &str, is_finite: bool, spec: &Spec) -> PyResult<Values> {
    let (op, dtype) = match (op, dtype_of(result)) {
        (Some(op), Some(dtype)) => (Some(read_op(&op, Axes { outer: 0, spatial: 2 })?), dtype),
        _ => (None, spec.dtype),
    };
    Ok(Values { op, dtype, is_finite })
}

/// Values drawn one after the other: `("uniform", low, high)`, `("integer", low, high)` or `("chance", p, 0)`.
#[pyfunction]
pub fn drawn_values<'py>(
    py: Python<'py>,
    seed: u64,
    epoch: u64,
    index: u64,
    address: u64,
    calls: Items<'py>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut draw = Draw::new(Key { seed, epoch, index }, address);
    let mut values = memory::with_capacity(calls.len());
    for call in calls.iter() {
        let parts = call.cast::<PyTuple>()?;
        let (low, high) = (parts.get_item(1)?, parts.get_item(2)?);
        let value = match parts.get_item(0)?.extract::<String>()?.as_str() {
            "uniform" => draw.uniform(low.extract()?, high.extract()?).into_pyobject(py)?.into_any(),
            "integer" => draw.integer(low.extract()?, high.extract()?).into_pyobject(py)?.into_any(),
            "chance" => draw.chance(low.extract()?).into_pyobject(py)?.to_owned().into_any(),
            _ => return Err(unknown("draw")),
        };
        memory::push(&mut values, value);
    }
    Ok(values)
}

/// Cosine and sine of each angle in degrees.
#[pyfunction]
pub fn cos_sin_degrees(angles: crate::list::List<f64>) -> Vec<(f64, f64)> {
    angles.iter().map(|angle| degrees::cos_sin(*angle)).collect_vec()
}

/// `a * x + b * y` by the rounding of this number.
#[pyfunction]
pub fn rounded_dot(code: u8, a: f64, b: f64, x: f64, y: f64) -> PyResult<f64> {
    Ok(rounding(code)?.dot([a, b], [x, y]))
}
