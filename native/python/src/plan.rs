//! The plan of one sample, or of many, in one call.
//!
//! A plan is a tuple of plain numbers and arrays, as `offgraph/plan/native.py` writes it. What stays the same from one
//! sample to the next, tables, is a native object that is made once.

use crate::array::{Input, Output};
use crate::call::{catch_memory_error, detached};
use crate::codecs::EncodedImage;
use crate::error::{border, to_python};
use crate::plan_filter::FilterPasses;
use crate::plan_image::{self, read_work};
use crate::recipe::NativePlan;
use crate::resize::{Table as WeightTable, taps};
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::border::Border;
use offgraph_kernels::error::Result as KernelResult;
use offgraph_kernels::interpolate::resize::Taps;
use offgraph_kernels::interpolate::zoom::AxisMap;
use offgraph_kernels::memory::{self, CollectVec};
use offgraph_plan::clip::Clip;
use offgraph_plan::dtype::{Array, DType};
use offgraph_plan::filter::Filter;
use offgraph_plan::grid::{Grid, GridAxis};
use offgraph_plan::image::ImageOp;
use offgraph_plan::invert::{Field, invert};
use offgraph_plan::pointwise::{Arithmetic, Lookup, Operation, Table};
use offgraph_plan::resample::{Affine, Policy, Resize, Zoom};
use offgraph_plan::source::{Decoding, FileImage, Source};
use offgraph_plan::warp::{Map, Rule, Stage, Warp, Window};
use offgraph_plan::{Op, Refused, Target, execute, execute_each};
use pyo3::exceptions::{PyBaseException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::Arc;

/// The result for every value of 8 or 16 bits, for each channel.
#[pyclass(frozen, module = "offgraph._native")]
pub struct LookupTable(Arc<Table>);

#[pymethods]
impl LookupTable {
    /// `linear` is a scale and an offset for each channel. Where `value * scale + offset` gives the bytes of all
    /// entries, that is computed instead of looked up.
    #[new]
    fn new(entries: Input<'_>, linear: crate::list::List<[f64; 2]>, signed: bool) -> PyResult<Self> {
        catch_memory_error(|| {
            Table::new(&entries.view(), &linear, signed).map(|table| Self(Arc::new(table))).map_err(to_python)
        })
    }

    /// Whether both are the same table.
    fn __eq__(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether `linear` gave the bytes of all entries.
    #[getter]
    fn is_linear(&self) -> bool {
        self.0.is_linear()
    }
}

/// The weights of a resize, for each spatial axis.
#[pyclass(frozen, module = "offgraph._native")]
pub struct ResizeTables(Arc<Vec<Taps>>);

#[pymethods]
impl ResizeTables {
    #[new]
    fn new(tables: crate::list::List<WeightTable<'_>>) -> PyResult<Self> {
        catch_memory_error(|| Ok(Self(Arc::new(tables.iter().map(taps).collect_vec()))))
    }

    /// Whether both hold the same weights.
    fn __eq__(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&*other.0).all(|(one, other)| one.equals(other))
    }
}

impl ResizeTables {
    /// A table for each spatial axis.
    pub fn tables(&self) -> &[Taps] {
        &self.0
    }
}

/// The numbers of a tuple.
pub fn numbers<'py, T>(object: &Bound<'py, PyAny>) -> PyResult<Vec<T>>
where
    T: for<'a> FromPyObject<'a, 'py>,
{
    let items = object.cast::<PyTuple>()?;
    let mut numbers = memory::with_capacity(items.len());
    for item in items.iter_borrowed() {
        memory::push(&mut numbers, item.extract::<T>().map_err(Into::into)?);
    }
    Ok(numbers)
}

fn policy(order: usize, mode: i32, fill: f64) -> PyResult<Policy> {
    Ok(Policy { order, border: border(mode)?, fill })
}

fn clips(object: &Bound<'_, PyAny>) -> PyResult<Vec<Clip>> {
    let mut clips = Vec::new();
    for item in object.cast::<PyTuple>()?.iter() {
        let part = item.cast::<PyTuple>()?;
        let numbers = |place: usize| numbers::<f64>(&part.get_item(place)?);
        let fill = part.get_item(4)?.extract()?;
        let clip =
            Clip { matrix: numbers(0)?, offset: numbers(1)?, low: numbers(2)?, high: numbers(3)?, fill };
        memory::push(&mut clips, clip);
    }
    Ok(clips)
}

/// The numbers of the operations, in the order of `engine/native_plan.py`.
mod kind {
    pub const GRID: u8 = 0;
    pub const AFFINE: u8 = 1;
    pub const ZOOM: u8 = 2;
    pub const RESIZE: u8 = 3;
    pub const LOOKUP: u8 = 4;
    pub const ARITHMETIC: u8 = 5;
    pub const WARP: u8 = 6;
    pub const FILTER: u8 = 7;
    pub const IMAGE: u8 = 8;
}

/// Read what happens to coordinates: a map, or a rule about a border.
fn stage(object: &Bound<'_, PyAny>) -> PyResult<Stage> {
    let parts = object.cast::<PyTuple>()?;
    let part = |place: usize| parts.get_item(place);
    let map = match part(0)?.extract::<u8>()? {
        0 => Map::Affine { matrix: numbers(&part(1)?)?, offset: numbers(&part(2)?)? },
        1 => Map::Projective { matrix: numbers(&part(1)?)? },
        2 => Map::Displacement {
            field: array(&part(1)?)?,
            order: part(2)?.extract()?,
            zooms: numbers(&part(3)?)?,
            nothing: part(4)?.extract()?,
        },
        3 => Map::Field {
            coefficients: array(&part(1)?)?,
            order: part(2)?.extract()?,
            scale: numbers(&part(3)?)?,
            nothing: part(4)?.extract()?,
        },
        4 => Map::Radial {
            coefficients: numbers(&part(1)?)?,
            centre: numbers(&part(2)?)?,
            squared_radius: part(3)?.extract()?,
        },
        5 => return Ok(Stage::OnBorder(numbers(&part(1)?)?)),
        6 => {
            let (size, mode) = (numbers(&part(1)?)?, border(part(2)?.extract()?)?);
            let (whole_pixels, value) = (part(3)?.extract()?, part(4)?.extract()?);
            return Ok(Stage::Border(Rule { size, border: mode, whole_pixels, value }));
        }
        _ => return Err(PyValueError::new_err("a map that is not known")),
    };
    Ok(Stage::Map(map))
}

/// Read stages one after another.
fn stages(object: &Bound<'_, PyAny>) -> PyResult<Vec<Stage>> {
    let mut stages = Vec::new();
    for item in object.cast::<PyTuple>()?.iter() {
        memory::push(&mut stages, stage(&item)?);
    }
    Ok(stages)
}

/// Copy an array, such as a field on a coarse grid.
fn array(object: &Bound<'_, PyAny>) -> PyResult<Array> {
    let array: Input<'_> = object.extract()?;
    Ok(Array::copy(&array.view()))
}

/// Read one operation: its number of [`kind`], and its own values.
pub fn op(object: &Bound<'_, PyAny>, axes: Axes) -> PyResult<Op> {
    let parts = object.cast::<PyTuple>()?;
    let part = |place: usize| parts.get_item(place);
    let rule = |place: usize| {
        policy(part(place)?.extract()?, part(place + 1)?.extract()?, part(place + 2)?.extract()?)
    };
    let number: u8 = part(0)?.extract()?;
    let read = match number {
        kind::GRID => {
            let (places, flips): (Vec<usize>, Vec<bool>) = (numbers(&part(1)?)?, numbers(&part(2)?)?);
            let (starts, lens): (Vec<isize>, Vec<usize>) = (numbers(&part(3)?)?, numbers(&part(4)?)?);
            if [places.len(), flips.len(), starts.len(), lens.len()] != [axes.spatial; 4] {
                return Err(PyValueError::new_err("a grid map has a number for each spatial axis"));
            }
            let axis =
                |at: usize| GridAxis { axis: places[at], flip: flips[at], start: starts[at], len: lens[at] };
            let axes = (0..axes.spatial).map(axis).collect_vec();
            Op::Grid(Grid { axes, border: border(part(5)?.extract()?)?, fill: part(6)?.extract()? })
        }
        kind::AFFINE => Op::Affine(Affine {
            size: numbers(&part(1)?)?,
            moved: numbers(&part(2)?)?,
            matrix: numbers(&part(3)?)?,
            offset: numbers(&part(4)?)?,
            policy: rule(5)?,
            clips: clips(&part(8)?)?,
            is_labels: part(9)?.extract()?,
        }),
        kind::ZOOM => {
            let grid = part(3)?.extract()?;
            let zooms: Vec<f64> = numbers(&part(2)?)?;
            let maps =
                zooms.into_iter().map(|zoom| AxisMap { shift: None, zoom: Some(zoom), grid }).collect_vec();
            Op::Zoom(Zoom { size: numbers(&part(1)?)?, maps, policy: rule(4)? })
        }
        kind::RESIZE => {
            let tables = part(2)?.cast::<ResizeTables>()?.get().0.clone();
            Op::Resize(Resize { size: numbers(&part(1)?)?, tables, ratios: numbers(&part(3)?)? })
        }
        kind::LOOKUP => {
            let table = part(1)?.cast::<LookupTable>()?.get().0.clone();
            Op::Lookup(Lookup { table, channel: part(2)?.extract()? })
        }
        kind::ARITHMETIC => {
            let mut steps = Vec::new();
            for step in part(1)?.cast::<PyTuple>()?.iter() {
                let step = step.cast::<PyTuple>()?;
                let operation = match step.get_item(0)?.extract::<u8>()? {
                    0 => Operation::Add,
                    1 => Operation::Subtract,
                    2 => Operation::Multiply,
                    3 => Operation::Divide,
                    _ => return Err(PyValueError::new_err("an operation that is not known")),
                };
                memory::push(&mut steps, (operation, numbers(&step.get_item(1)?)?));
            }
            let dtype = if part(2)?.extract()? { DType::F64 } else { DType::F32 };
            Op::Arithmetic(Arithmetic { steps, dtype, channel: part(3)?.extract()? })
        }
        kind::WARP => {
            let mut windows = Vec::new();
            for window in part(7)?.cast::<PyTuple>()?.iter() {
                let window = window.cast::<PyTuple>()?;
                let (stages, size) = (stages(&window.get_item(0)?)?, numbers(&window.get_item(1)?)?);
                memory::push(&mut windows, Window { stages, size });
            }
            Op::Warp(Warp {
                size: numbers(&part(1)?)?,
                stages: stages(&part(2)?)?,
                policy: rule(3)?,
                clips: clips(&part(6)?)?,
                windows,
                is_labels: part(8)?.extract()?,
            })
        }
        kind::IMAGE => Op::Image(ImageOp { work: read_work(parts)? }),
        kind::FILTER => {
            let passes = part(1)?.cast::<FilterPasses>()?.get().0.clone();
            Op::Filter(Filter { passes })
        }
        _ => return Err(PyValueError::new_err("an operation that is not known")),
    };
    Ok(read)
}

/// Stages as [`stages`] reads them: projective maps, and coordinates that lie on a border. Others are never written.
fn written_stages<'py>(py: Python<'py>, stages: &[Stage]) -> PyResult<Bound<'py, PyTuple>> {
    let mut written = memory::with_capacity(stages.len());
    for stage in stages {
        let stage = match stage {
            Stage::Map(Map::Projective { matrix }) => (1_u8, PyTuple::new(py, matrix)?).into_pyobject(py)?,
            Stage::OnBorder(size) => (5_u8, PyTuple::new(py, size)?).into_pyobject(py)?,
            _ => return Err(PyValueError::new_err("a stage of a warp is not written")),
        };
        memory::push(&mut written, stage);
    }
    PyTuple::new(py, written)
}

/// Clips as [`clips`] reads them.
fn written_clips<'py>(py: Python<'py>, clips: &[Clip]) -> PyResult<Bound<'py, PyTuple>> {
    let mut written = memory::with_capacity(clips.len());
    for clip in clips {
        let numbers = [&clip.matrix, &clip.offset, &clip.low, &clip.high];
        let [matrix, offset, low, high] = numbers.map(|numbers| PyTuple::new(py, numbers));
        memory::push(&mut written, (matrix?, offset?, low?, high?, clip.fill).into_pyobject(py)?);
    }
    PyTuple::new(py, written)
}

/// The operation as [`op`] reads it; of warps, projective ones.
pub fn to_tuple<'py>(py: Python<'py>, op: &Op) -> PyResult<Bound<'py, PyTuple>> {
    let border = |border: Border| border as i32;
    let sizes = |numbers: &[usize]| PyTuple::new(py, numbers);
    let floats = |numbers: &[f64]| PyTuple::new(py, numbers);
    Ok(match op {
        Op::Grid(grid) => {
            let part = |of: &dyn Fn(&GridAxis) -> usize| sizes(&grid.axes.iter().map(of).collect_vec());
            let flips = PyTuple::new(py, grid.axes.iter().map(|axis| axis.flip).collect_vec())?;
            let starts = PyTuple::new(py, grid.axes.iter().map(|axis| axis.start).collect_vec())?;
            let (axes, lens) = (part(&|axis| axis.axis)?, part(&|axis| axis.len)?);
            (kind::GRID, axes, flips, starts, lens, border(grid.border), grid.fill).into_pyobject(py)?
        }
        Op::Affine(affine) => {
            let Policy { order, border: mode, fill } = affine.policy;
            let clips = written_clips(py, &affine.clips)?;
            let (size, moved) = (sizes(&affine.size)?, sizes(&affine.moved)?);
            let (matrix, offset) = (floats(&affine.matrix)?, floats(&affine.offset)?);
            let rule = (order, border(mode), fill);
            (kind::AFFINE, size, moved, matrix, offset, rule.0, rule.1, rule.2, clips, affine.is_labels)
                .into_pyobject(py)?
        }
        Op::Zoom(zoom) => {
            let Policy { order, border: mode, fill } = zoom.policy;
            let factors = floats(&zoom.maps.iter().map(|map| map.zoom.unwrap_or(1.0)).collect_vec())?;
            let grid = zoom.maps.iter().any(|map| map.grid);
            (kind::ZOOM, sizes(&zoom.size)?, factors, grid, order, border(mode), fill).into_pyobject(py)?
        }
        Op::Resize(resize) => {
            let (size, ratios) = (sizes(&resize.size)?, sizes(&resize.ratios)?);
            (kind::RESIZE, size, ResizeTables(resize.tables.clone()), ratios).into_pyobject(py)?
        }
        Op::Lookup(lookup) => {
            (kind::LOOKUP, LookupTable(lookup.table.clone()), lookup.channel).into_pyobject(py)?
        }
        Op::Arithmetic(arithmetic) => {
            let mut steps = memory::with_capacity(arithmetic.steps.len());
            for (operation, numbers) in &arithmetic.steps {
                memory::push(&mut steps, (*operation as u8, floats(numbers)?).into_pyobject(py)?);
            }
            let is_double = arithmetic.dtype == DType::F64;
            (kind::ARITHMETIC, PyTuple::new(py, steps)?, is_double, arithmetic.channel).into_pyobject(py)?
        }
        Op::Filter(filter) => (kind::FILTER, FilterPasses(filter.passes.clone())).into_pyobject(py)?,
        Op::Image(image) => plan_image::to_tuple(py, kind::IMAGE, &image.work)?,
        Op::Warp(warp) => {
            let Policy { order, border: mode, fill } = warp.policy;
            let mut windows = memory::with_capacity(warp.windows.len());
            for window in &warp.windows {
                let way = written_stages(py, &window.stages)?;
                memory::push(&mut windows, (way, sizes(&window.size)?).into_pyobject(py)?);
            }
            let (stages, clips) = (written_stages(py, &warp.stages)?, written_clips(py, &warp.clips)?);
            let windows = PyTuple::new(py, windows)?;
            let size = sizes(&warp.size)?;
            (kind::WARP, size, stages, order, border(mode), fill, clips, windows, warp.is_labels)
                .into_pyobject(py)?
        }
    })
}

/// What of a file is decoded, by its name.
pub fn read_decoding(name: &str) -> PyResult<Decoding> {
    Ok(match name {
        "window" => Decoding::Window,
        "full" => Decoding::Full,
        "scaled" => Decoding::Scaled,
        _ => return Err(PyValueError::new_err("a way of decoding that is not known")),
    })
}

/// What a target begins with, as it was read.
enum Begin<'py> {
    Array(Input<'py>),
    /// A file, whether grey is repeated for three channels, and what of it is decoded.
    File(Bound<'py, EncodedImage>, bool, Decoding),
}

impl<'py> Begin<'py> {
    /// An array, or a tuple of a file, whether its image is to be RGB, and what of it is decoded.
    fn read(object: &Bound<'py, PyAny>, axes: Axes) -> PyResult<Self> {
        let (begin, ndim) = match object.cast::<PyTuple>() {
            Ok(parts) => {
                let (file, is_rgb, decoding) = parts.extract::<(Bound<'py, EncodedImage>, bool, String)>()?;
                let ndim = if axes.outer == 0 { 2 } else { 0 };
                (Self::File(file, is_rgb, read_decoding(&decoding)?), ndim)
            }
            Err(_) => {
                let array = object.cast::<PyUntypedArray>();
                let ndim = array.map_or(0, |array| array.ndim());
                (Self::Array(object.extract()?), ndim)
            }
        };
        if axes.spatial == 0 || axes.outer.saturating_add(axes.spatial) > ndim {
            return Err(PyValueError::new_err("an array without the spatial axes of its plan"));
        }
        Ok(begin)
    }

    fn source(&self) -> Source<'_> {
        match self {
            Self::Array(array) => Source::Array(array.view()),
            Self::File(file, is_rgb, decoding) => {
                Source::File(FileImage { file: file.get().file(), is_rgb: *is_rgb, decoding: *decoding })
            }
        }
    }
}

/// A target as it was read.
struct Read<'py> {
    input: Begin<'py>,
    output: Output<'py>,
    axes: Axes,
    ops: Ops<'py>,
}

/// Operations that were read, or those of a compiled recipe.
enum Ops<'py> {
    Read(Vec<Op>),
    Compiled(Bound<'py, NativePlan>),
}

impl<'py> Ops<'py> {
    fn read(object: &Bound<'py, PyAny>, axes: Axes) -> PyResult<Self> {
        if let Ok(plan) = object.cast::<NativePlan>() {
            return Ok(Self::Compiled(plan.clone()));
        }
        let mut ops = Vec::new();
        for item in object.cast::<PyTuple>()?.iter() {
            memory::push(&mut ops, op(&item, axes)?);
        }
        Ok(Self::Read(ops))
    }

    fn all(&self) -> &[Op] {
        match self {
            Self::Read(ops) => ops,
            Self::Compiled(plan) => &plan.get().0,
        }
    }
}

fn read<'py>(object: &Bound<'py, PyAny>) -> PyResult<Read<'py>> {
    let parts = object.cast::<PyTuple>()?;
    let axes = Axes { outer: parts.get_item(2)?.extract()?, spatial: parts.get_item(3)?.extract()? };
    let input = Begin::read(&parts.get_item(0)?, axes)?;
    let ops = Ops::read(&parts.get_item(4)?, axes)?;
    Ok(Read { input, output: parts.get_item(1)?.extract()?, axes, ops })
}

/// The targets of a sample: `(input, output, outer, spatial, ops)` each, the arrays with the axes
/// `[outer…, spatial…, inner…]`. An input may be a file: `(EncodedImage, whether its image is to be RGB)`.
fn read_all<'py>(targets: &Bound<'py, PyTuple>) -> PyResult<Vec<Read<'py>>> {
    let mut all = memory::with_capacity(targets.len());
    for target in targets.iter() {
        memory::push(&mut all, read(&target)?);
    }
    Ok(all)
}

fn parts<'a>(all: &'a mut [Read<'_>]) -> Vec<Target<'a>> {
    let mut parts = memory::with_capacity(all.len());
    for Read { input, output, axes, ops } in all {
        memory::push(
            &mut parts,
            Target { input: input.source(), output: output.view_mut(), axes: *axes, ops: ops.all() },
        );
    }
    parts
}

/// Run the plans of all targets of a sample.
#[pyfunction]
pub fn run_plan(py: Python<'_>, targets: &Bound<'_, PyTuple>) -> PyResult<()> {
    catch_memory_error(|| {
        let mut all = read_all(targets)?;
        let parts = parts(&mut all);
        detached(py, || -> KernelResult<()> { execute(parts) })
    })
}

/// Why a sample has no result: the target and the operation where it is one of theirs, and the exception.
type Failure<'py> = (Option<usize>, Option<usize>, Bound<'py, PyBaseException>);

/// Run samples, each a tuple of targets as [`run_plan`] takes it; `None` for those that are done.
#[pyfunction]
pub fn run_plans<'py>(py: Python<'py>, samples: &Bound<'py, PyTuple>) -> PyResult<Vec<Option<Failure<'py>>>> {
    catch_memory_error(|| {
        let (mut read, mut failures) =
            (memory::with_capacity(samples.len()), memory::with_capacity(samples.len()));
        for sample in samples.iter() {
            let (all, failure) = match read_all(sample.cast()?) {
                Ok(all) => (all, None),
                Err(error) => (Vec::new(), Some((None, None, error.into_value(py).into_bound(py)))),
            };
            memory::push(&mut read, all);
            memory::push(&mut failures, failure);
        }
        let samples = read.iter_mut().map(|all| parts(all)).collect_vec();
        let results = detached(py, || -> KernelResult<_> { Ok(execute_each(samples)) })?;
        for (failure, result) in failures.iter_mut().zip(results) {
            if let Some(Refused { target, op, error }) = result {
                let error = to_python(error).into_value(py).into_bound(py);
                *failure = Some((Some(target), Some(op), error));
            }
        }
        Ok(failures)
    })
}

/// Write the places that `goals`, shape (n, points), come from by a displacement whose spline coefficients, shape
/// (n, *grid), have three more samples on each side; NaN where none is found.
#[pyfunction]
pub fn invert_displacement(
    py: Python<'_>,
    mut places: Output<'_>,
    goals: Input<'_>,
    coefficients: Input<'_>,
    order: usize,
    size: &Bound<'_, PyAny>,
    nothing: f64,
) -> PyResult<()> {
    let size = catch_memory_error(|| numbers(size))?;
    let field = Field { coefficients: coefficients.view(), order, size, nothing };
    let (goals, places) = (goals.view(), places.view_mut());
    detached(py, || invert(&field, &goals, places))
}
