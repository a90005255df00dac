//! Bindings: connected components and measurements. Tables of labels are C-contiguous arrays made by the caller.

use crate::array::{Input, Output};
use crate::call::detached;
use crate::list::List;
use ndarray::ArrayViewMutD;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::measure::extremes::ExtremeTables;
use offgraph_kernels::measure::watershed::watershed as flood;
use offgraph_kernels::measure::{extremes, groups, label as components, objects, regions, sums};
use offgraph_kernels::memory::{self, CollectVec};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList, PyTuple};
use std::ptr;

/// The elements of a C-contiguous table of this type.
macro_rules! table {
    ($output:expr, $variant:ident) => {
        match $output.view_mut() {
            ViewMut::$variant(array) => elements(array),
            _ => Err(PyTypeError::new_err(concat!("a table of another type than ", stringify!($variant)))),
        }
    };
}

fn elements<T>(array: ArrayViewMutD<'_, T>) -> PyResult<&mut [T]> {
    array.into_slice().ok_or_else(|| PyValueError::new_err("a table that is not C-contiguous"))
}

/// Lines lie along the last axis; returns the number of components.
#[pyfunction]
pub fn label(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    structure: Input<'_>,
) -> PyResult<usize> {
    let View::Bool(structure) = structure.view() else {
        return Err(PyTypeError::new_err("a structure of another type than bool"));
    };
    let (output, input) = (output.view_mut(), input.view());
    detached(py, || components::label(output, &input, &structure))
}

/// `bounds` has a row per label: first indices, then last indices plus one; -1 without elements.
#[pyfunction]
pub fn find_objects(py: Python<'_>, mut bounds: Output<'_>, labels: Input<'_>) -> PyResult<()> {
    let ViewMut::I64(bounds) = bounds.view_mut() else {
        return Err(PyTypeError::new_err("bounds of another type than int64"));
    };
    let labels = labels.view();
    detached(py, || objects::find_objects(bounds, &labels))
}

/// Boxes as `scipy.ndimage.find_objects` gives them: a tuple of slices per row of bounds, or None.
#[pyfunction]
pub fn box_slices<'py>(py: Python<'py>, mut bounds: Output<'py>) -> PyResult<Bound<'py, PyList>> {
    let width = bounds.view_mut().shape().last().copied().unwrap_or(0);
    let bounds = table!(bounds, I64)?;
    slices_of(py, bounds, width)
}

/// As `box_slices`, of all labels up to the largest; None where the bounds have to be found with its number.
#[pyfunction]
pub fn all_box_slices<'py>(py: Python<'py>, labels: Input<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
    let labels = labels.view();
    let bounds = detached(py, || Ok(objects::find_all_objects(&labels)))?;
    bounds.map(|bounds| slices_of(py, &bounds, 2 * labels.ndim())).transpose()
}

fn slices_of<'py>(py: Python<'py>, bounds: &[i64], width: usize) -> PyResult<Bound<'py, PyList>> {
    // Python would look for cycles after every 700 objects, and look at all objects of the program from time to time.
    // SAFETY: the interpreter is attached, and nothing below detaches it.
    let collects = unsafe { ffi::PyGC_Disable() } != 0;
    let boxes = make_boxes(py, bounds, width);
    if collects {
        // SAFETY: as above.
        unsafe { ffi::PyGC_Enable() };
    }
    boxes
}

fn make_boxes<'py>(py: Python<'py>, bounds: &[i64], width: usize) -> PyResult<Bound<'py, PyList>> {
    let boxes = PyList::empty(py);
    if width < 2 {
        return Ok(boxes);
    }
    let mut numbers = Numbers::below(bounds.iter().max().map_or(0, |most| most.saturating_add(1)));
    let mut sides = memory::with_capacity(width / 2);
    for row in bounds.chunks_exact(width) {
        if row[0] < 0 {
            boxes.append(py.None())?;
            continue;
        }
        let (first, beyond) = row.split_at(width / 2);
        for (first, beyond) in first.iter().zip(beyond) {
            memory::push(&mut sides, slice(py, &numbers.get(py, *first), &numbers.get(py, *beyond))?);
        }
        boxes.append(PyTuple::new(py, sides.drain(..))?)?;
    }
    Ok(boxes)
}

/// Python's numbers, each made once: boxes share theirs.
struct Numbers<'py>(Vec<Option<Bound<'py, PyInt>>>);

impl<'py> Numbers<'py> {
    /// A table longer than this is not kept.
    const MOST: i64 = 1 << 16;

    fn below(end: i64) -> Self {
        Self(memory::filled(None, if end > Self::MOST { 0 } else { end.max(0) as usize }))
    }

    fn get(&mut self, py: Python<'py>, number: i64) -> Bound<'py, PyInt> {
        match usize::try_from(number).ok().and_then(|at| self.0.get_mut(at)) {
            Some(kept) => kept.get_or_insert_with(|| PyInt::new(py, number)).clone(),
            None => PyInt::new(py, number),
        }
    }
}

/// A slice without a step, which PyO3's `PySlice` cannot be.
fn slice<'py>(
    py: Python<'py>,
    first: &Bound<'py, PyInt>,
    beyond: &Bound<'py, PyInt>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: both are Python objects; without a step the pointer is null. It returns a new reference, or null with an
    // exception set.
    unsafe {
        let slice = ffi::PySlice_New(first.as_ptr(), beyond.as_ptr(), ptr::null_mut());
        Bound::from_owned_ptr_or_err(py, slice)
    }
}

/// Number the connected pixels of equal labels, in C order; returns how many components there are.
#[pyfunction]
pub fn label_regions(
    py: Python<'_>,
    mut numbers: Output<'_>,
    labels: Input<'_>,
    connectivity: usize,
) -> PyResult<usize> {
    let (numbers, labels) = (table!(numbers, I32)?, labels.view());
    detached(py, || regions::label_regions(numbers, &labels, connectivity))
}

/// `starts` holds the first place of each value's group.
#[pyfunction]
pub fn group_by_value(
    py: Python<'_>,
    mut indices: Output<'_>,
    mut starts: Output<'_>,
    values: Input<'_>,
    base: i64,
    skipped: Option<u32>,
) -> PyResult<()> {
    let ViewMut::I64(indices) = indices.view_mut() else {
        return Err(PyTypeError::new_err("indices of another type than int64"));
    };
    let (starts, values) = (table!(starts, I64)?, values.view());
    detached(py, || groups::group_by_value(indices, starts, &values, base, skipped))
}

/// Add how often each label less `base` occurs.
#[pyfunction]
pub fn label_counts(py: Python<'_>, mut counts: Output<'_>, labels: Input<'_>, base: i64) -> PyResult<()> {
    let (counts, labels) = (table!(counts, I64)?, labels.view());
    detached(py, || {
        sums::count(counts, &labels, base);
        Ok(())
    })
}

/// Add the values of each label, or the squares of their differences from `means`, and how often it occurs. Sums of labels
/// below `least` mean nothing.
#[pyfunction]
pub fn label_sums(
    py: Python<'_>,
    mut sums: Output<'_>,
    mut counts: Option<Output<'_>>,
    labels: Input<'_>,
    values: Input<'_>,
    means: Option<Input<'_>>,
    least: u32,
) -> PyResult<()> {
    let (sums, labels, values) = (table!(sums, F64)?, labels.view(), values.view());
    let means = match means.as_ref().map(Input::view) {
        None => None,
        Some(View::F64(means)) => {
            Some(means.to_slice().ok_or_else(|| PyValueError::new_err("means that are not C-contiguous"))?)
        }
        Some(_) => return Err(PyTypeError::new_err("means of another type than float64")),
    };
    let counts = match &mut counts {
        None => &mut [],
        Some(counts) => table!(counts, I64)?,
    };
    detached(py, || sums::sum(sums, counts, &labels, &values, means, least).map(|_| ()))
}

/// Write the sum of each label that is asked for, and how often it occurs: zero for one that does not. Returns whether the
/// largest label is at most the number of labels, and none is negative; else what was written means nothing.
#[pyfunction]
pub fn asked_sums(
    py: Python<'_>,
    mut sums: Output<'_>,
    mut counts: Option<Output<'_>>,
    labels: Input<'_>,
    values: Input<'_>,
    asked: Input<'_>,
) -> PyResult<bool> {
    let View::I64(asked) = asked.view() else {
        return Err(PyTypeError::new_err("labels asked for of another type than int64"));
    };
    let asked = asked.as_slice().ok_or_else(|| PyValueError::new_err("an index that is not C-contiguous"))?;
    let (sums, labels, values) = (table!(sums, F64)?, labels.view(), values.view());
    let counts = match &mut counts {
        None => None,
        Some(counts) => Some(table!(counts, I64)?),
    };
    detached(py, || sums::sum_asked(sums, counts, &labels, &values, asked))
}

/// Add the values of each label times their indices: `sums` has a row per axis. Sums of labels below `least` mean nothing.
#[pyfunction]
pub fn label_moments(
    py: Python<'_>,
    mut sums: Output<'_>,
    labels: Input<'_>,
    values: Input<'_>,
    least: u32,
) -> PyResult<()> {
    let (labels, values) = (labels.view(), values.view());
    let count = sums.view_mut().shape().last().copied().unwrap_or(0).max(1);
    let rows = table!(sums, F64)?;
    if rows.len() / count != labels.ndim() {
        return Err(PyValueError::new_err("moments have a row per axis"));
    }
    detached(py, || {
        let mut rows = rows.chunks_exact_mut(count).collect_vec();
        sums::moments(&mut rows, &labels, &values, least)
    })
}

/// Positions of the smallest and largest element of each label, and whether they are tied; returns whether there is a
/// NaN.
#[pyfunction]
pub fn label_extremes(
    py: Python<'_>,
    mut least: Output<'_>,
    mut least_tied: Output<'_>,
    mut largest: Output<'_>,
    mut largest_tied: Output<'_>,
    labels: Input<'_>,
    values: Input<'_>,
) -> PyResult<bool> {
    let tables = ExtremeTables {
        least: table!(least, I64)?,
        least_tied: table!(least_tied, U8)?,
        largest: table!(largest, I64)?,
        largest_tied: table!(largest_tied, U8)?,
    };
    let (labels, values) = (labels.view(), values.view());
    detached(py, || extremes::extremes(tables, &labels, &values))
}

/// `structure` tells the neighbours: three elements along each axis, in C order.
#[pyfunction]
pub fn watershed(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    markers: Input<'_>,
    structure: List<bool>,
) -> PyResult<()> {
    let (output, input, markers) = (output.view_mut(), input.view(), markers.view());
    detached(py, || flood(output, &input, &markers, &structure))
}
