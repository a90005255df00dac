//! Bindings: samples made from their files, or their parts of shards, to rows of a batch.

use crate::array::Output;
use crate::call::{catch_memory_error, detached};
use crate::list::List;
use crate::recipe::{CompiledRecipe, dtype_of, name_of, request};
use offgraph_kernels::memory::{self, CollectVec};
use offgraph_plan::recipe::random::Key;
use offgraph_plan::recipe::{Spec, Unplanned};
use offgraph_plan::rows::{Color, Place, Progress, ReadAt, Row, Rules, State, make_rows, plan_rows};
use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Samples that are made together, each into the row of its number.
#[pyclass(frozen, module = "offgraph._native")]
pub struct SampleRows {
    rows: Mutex<Vec<Row>>,
    rules: Rules,
    progress: Progress,
}

impl SampleRows {
    fn new(rows: Vec<Row>, rules: Rules) -> Self {
        Self { rows: Mutex::new(rows), rules, progress: Progress::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How files are read, and what of them is left to Python.
#[pyclass(frozen, module = "offgraph._native")]
pub struct FileRules(Rules);

#[pymethods]
impl FileRules {
    /// The colour is `"rgb"`, `"grey"` or `"keep"`.
    #[new]
    fn new(
        color: &str,
        max_bytes: u64,
        max_pixels: usize,
        pixels_per_byte: usize,
        depth: Option<usize>,
        is_finite: bool,
        has_digests: bool,
        has_row_digests: bool,
    ) -> PyResult<Self> {
        let color = match color {
            "rgb" => Color::Rgb,
            "grey" => Color::Grey,
            "keep" => Color::Keep,
            _ => return Err(PyValueError::new_err("a colour that is not known")),
        };
        Ok(Self(Rules {
            color,
            max_bytes,
            max_pixels,
            pixels_per_byte,
            depth,
            is_finite,
            has_digests,
            has_row_digests,
        }))
    }
}

/// Texts in UTF-8, each with a NUL after it, and where each ends.
type Names = (PyBuffer<u8>, PyBuffer<i64>);

/// The name of a file as the system knows it, of how Python writes it in UTF-8, lone surrogates as they are: these stand for
/// bytes that are none. `None` for surrogates that stand for nothing.
fn system_name(before: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let mut name = memory::with_capacity(before.len() + text.len());
    memory::extend(&mut name, before.iter().copied());
    let mut at = 0;
    while let Some(byte) = text.get(at).copied() {
        let second = text.get(at + 1).copied().unwrap_or(0);
        if byte != 0xED || second < 0xA0 {
            memory::push(&mut name, byte);
            at += 1;
            continue;
        }
        let third = *text.get(at + 2)?;
        let code = u32::from(second & 0x3F) << 6 | u32::from(third & 0x3F); // below 0xD000
        if !(0xC80..=0xCFF).contains(&code) {
            return None;
        }
        memory::push(&mut name, code as u8);
        at += 3;
    }
    Some(name)
}

/// Descriptor of an open file, position in it, shape, dtype, axes, and bytes if it is a PNG.
type StoredArray = (i32, u64, List<usize>, String, String, Option<usize>);

/// Shape and dtype of each row, and what Python has to make first.
type Planned<'py> = (Vec<Option<Bound<'py, PyTuple>>>, Vec<Bound<'py, PyTuple>>);

/// Seed, epoch and index of a sample.
type Address = (u64, u64, u64);

fn key((seed, epoch, index): Address) -> Key {
    Key { seed, epoch, index }
}

#[pymethods]
impl SampleRows {
    /// Samples of files: paths, and the addresses of their draws.
    #[staticmethod]
    fn of_files(paths: List<PathBuf>, keys: List<Address>, rules: &Bound<'_, FileRules>) -> PyResult<Self> {
        catch_memory_error(|| {
            let mut rows = memory::with_capacity(paths.len());
            for (path, address) in paths.into_iter().zip(keys.iter()) {
                let (place, key) = (Place::File(path), key(*address));
                memory::push(&mut rows, Row::new(place, key));
            }
            Ok(Self::new(rows, rules.get().0))
        })
    }

    /// Samples of files below one folder, whose path comes before each name: the names, where the name of each number is
    /// among them unless they are in order, the numbers, and seed and epoch of the addresses of their draws.
    #[staticmethod]
    fn of_names(
        before: &[u8],
        names: Names,
        order: Option<PyBuffer<i64>>,
        numbers: List<u64>,
        seed: u64,
        epoch: u64,
        rules: &Bound<'_, FileRules>,
    ) -> PyResult<Self> {
        let (texts, ends) = (items(&names.0)?, items(&names.1)?);
        let order = order.as_ref().map(items).transpose()?;
        let text_at = |number: u64| -> Option<&[u8]> {
            let number = usize::try_from(number).ok()?;
            let place = match order {
                Some(order) => usize::try_from(*order.get(number)?).ok()?,
                None => number,
            };
            let first = place.checked_sub(1).map_or(Some(0), |before| Some(*ends.get(before)?))?;
            let (first, end) = (usize::try_from(first).ok()?, usize::try_from(*ends.get(place)?).ok()?);
            texts.get(first..end.checked_sub(1)?)
        };
        catch_memory_error(|| {
            let mut rows = memory::with_capacity(numbers.len());
            for index in numbers.iter().copied() {
                let name = system_name(before, text_at(index).ok_or_else(no_such_name)?);
                let place =
                    name.map_or(Place::Elsewhere, |name| Place::File(OsString::from_vec(name).into()));
                memory::push(&mut rows, Row::new(place, Key { seed, epoch, index }));
            }
            Ok(Self::new(rows, rules.get().0))
        })
    }

    /// Samples of arrays: descriptor of an open file, position in it, shape, dtype, axes, and bytes if it is a PNG, or
    /// `None` for one that only Python reads, and the addresses of their draws.
    #[staticmethod]
    fn of_arrays(arrays: List<Option<StoredArray>>, keys: List<Address>, is_finite: bool) -> PyResult<Self> {
        catch_memory_error(|| {
            let mut rows = memory::with_capacity(arrays.len());
            let mut last: Option<(i32, Arc<dyn ReadAt>)> = None;
            for (array, address) in arrays.iter().zip(keys.iter()) {
                let mut place = Place::Elsewhere;
                if let Some((descriptor, start, shape, dtype, axes, png)) = array
                    && axes.starts_with("YX")
                    && let Some(dtype) = dtype_of(dtype)
                    && let Some(spec) = Spec::new(shape, dtype, axes.as_bytes())
                {
                    let from = match &last {
                        Some((known, file)) if known == descriptor => Arc::clone(file),
                        _ => Arc::new(duplicate(*descriptor)?),
                    };
                    last = Some((*descriptor, Arc::clone(&from)));
                    place = Place::Array { from, start: *start, png: *png, spec };
                }
                memory::push(&mut rows, Row::new(place, key(*address)));
            }
            Ok(Self::new(rows, of_arrays(is_finite)))
        })
    }

    /// Samples of images of one array, whose bytes are given, in little-endian C order: shape, dtype and axes of an image, which of
    /// them each sample is, and the addresses of their draws.
    #[staticmethod]
    fn of_images(
        images: PyBuffer<u8>,
        shape: List<usize>,
        dtype: &str,
        axes: &str,
        places: List<u64>,
        keys: List<Address>,
        is_finite: bool,
    ) -> PyResult<Self> {
        if !images.is_c_contiguous() {
            return Err(PyValueError::new_err("images that do not lie together"));
        }
        let spec = dtype_of(dtype).and_then(|dtype| Spec::new(&shape, dtype, axes.as_bytes()));
        let spec = spec.filter(|_| axes.starts_with("YX"));
        catch_memory_error(|| {
            let from: Arc<dyn ReadAt> = Arc::new(HeldBytes(images));
            let mut rows = memory::with_capacity(places.len());
            for (place, address) in places.iter().zip(keys.iter()) {
                let place = match spec {
                    Some(spec) => {
                        let start = place.saturating_mul(spec.bytes() as u64);
                        Place::Array { from: Arc::clone(&from), start, png: None, spec }
                    }
                    None => Place::Elsewhere,
                };
                memory::push(&mut rows, Row::new(place, key(*address)));
            }
            Ok(Self::new(rows, of_arrays(is_finite)))
        })
    }

    /// Make what is not decided yet; returns what Python has to make first, as `CompiledRecipe.plan` does.
    fn run<'py>(
        &self,
        py: Python<'py>,
        recipe: &Bound<'py, CompiledRecipe>,
        mut output: Output<'_>,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let recipe = &recipe.get().0;
        catch_memory_error(|| {
            let images = output.view_mut();
            let mut rows = std::mem::take(&mut *self.lock());
            if images.ndim() == 0 || images.shape()[0] != rows.len() || rows.is_empty() {
                return Err(PyValueError::new_err("an array with another number of rows"));
            }
            let images = images.into_images();
            let (rules, progress) = (&self.rules, &self.progress);
            let requests = detached(py, || Ok(make_rows(&mut rows, images, recipe, rules, progress)));
            *self.lock() = rows;
            asked(py, &requests?)
        })
    }

    /// Read and plan what is not decided yet: shape and dtype that each row is to get, `None` for one that Python has to
    /// make, and what Python has to make first.
    fn plan<'py>(&self, py: Python<'py>, recipe: &Bound<'py, CompiledRecipe>) -> PyResult<Planned<'py>> {
        let recipe = &recipe.get().0;
        catch_memory_error(|| {
            let mut rows = std::mem::take(&mut *self.lock());
            let (rules, progress) = (&self.rules, &self.progress);
            let planned = detached(py, || Ok(plan_rows(&mut rows, recipe, rules, progress)));
            *self.lock() = rows;
            let (specs, requests) = planned?;
            let mut shapes = memory::with_capacity(specs.len());
            for spec in &specs {
                let shape = spec.as_ref().map(|spec| -> PyResult<_> {
                    (PyTuple::new(py, spec.shape())?, name_of(spec.dtype)).into_pyobject(py)
                });
                memory::push(&mut shapes, shape.transpose()?);
            }
            Ok((shapes, asked(py, &requests)?))
        })
    }

    /// Shape and type of the image that each row was made of; `None` for one that Python has to make.
    #[getter]
    fn made<'py>(&self, py: Python<'py>) -> PyResult<Vec<Option<Bound<'py, PyTuple>>>> {
        let rows = self.lock();
        let mut shapes = memory::with_capacity(rows.len());
        for row in rows.iter() {
            let shape = match &row.state {
                State::Made(spec) => {
                    Some((PyTuple::new(py, spec.shape())?, name_of(spec.dtype)).into_pyobject(py)?)
                }
                _ => None,
            };
            memory::push(&mut shapes, shape);
        }
        Ok(shapes)
    }

    /// How many rows are not made.
    #[getter]
    fn left(&self) -> usize {
        self.lock().iter().filter(|row| !matches!(row.state, State::Made(_))).count()
    }

    /// How many rows only Python can plan.
    #[getter]
    fn unplanned(&self) -> usize {
        self.lock().iter().filter(|row| matches!(row.state, State::Unplanned)).count()
    }

    /// SHA-256 of each file that a row was made of, where these were asked for.
    #[getter]
    fn digests<'py>(&self, py: Python<'py>) -> Vec<Option<Bound<'py, PyBytes>>> {
        let rows = self.lock();
        rows.iter().map(|row| row.digest.map(|digest| PyBytes::new(py, &digest))).collect_vec()
    }

    /// SHA-256 of the values in each row that was made of a file, in little-endian C order, where these were asked for.
    #[getter]
    fn row_digests<'py>(&self, py: Python<'py>) -> Vec<Option<Bound<'py, PyBytes>>> {
        let rows = self.lock();
        rows.iter().map(|row| row.row_digest.map(|digest| PyBytes::new(py, &digest))).collect_vec()
    }

    /// Number of the row whose file is being read now; `None` if none is.
    #[getter]
    fn reading(&self) -> Option<usize> {
        self.progress.row.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Files and parts of files that were read.
    #[getter]
    fn steps(&self) -> usize {
        self.progress.steps.load(Ordering::Relaxed)
    }
}

/// Rules for arrays, of which nothing is left to judge but whether they are finite.
fn of_arrays(is_finite: bool) -> Rules {
    Rules {
        color: Color::Keep,
        max_bytes: 0,
        max_pixels: 0,
        pixels_per_byte: 0,
        depth: None,
        is_finite,
        has_digests: false,
        has_row_digests: false,
    }
}

/// Bytes of an array of Python, which stays as long as this does.
struct HeldBytes(PyBuffer<u8>);

impl fmt::Debug for HeldBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len_bytes())
    }
}

impl ReadAt for HeldBytes {
    fn fill(&self, bytes: &mut [u8], start: u64) -> Option<()> {
        let start = usize::try_from(start).ok()?;
        if start.checked_add(bytes.len())? > self.0.len_bytes() {
            return None;
        }
        // SAFETY: the buffer keeps its memory, which is contiguous and as long as was just compared. A program that writes to its
        // images while they are read gets some of both, as with every array that is given to a call.
        unsafe {
            std::ptr::copy_nonoverlapping(
                self.0.buf_ptr().cast::<u8>().add(start),
                bytes.as_mut_ptr(),
                bytes.len(),
            )
        };
        Some(())
    }
}

/// What Python has to make first, as `CompiledRecipe.plan` says it.
fn asked<'py>(py: Python<'py>, unplanned: &[Unplanned]) -> PyResult<Vec<Bound<'py, PyTuple>>> {
    let mut asked = memory::with_capacity(unplanned.len());
    for unplanned in unplanned {
        if let Some(request) = request(py, unplanned)? {
            memory::push(&mut asked, request);
        }
    }
    Ok(asked)
}

/// The items of a buffer, for a function that runs no Python meanwhile.
fn items<T: Element>(buffer: &PyBuffer<T>) -> PyResult<&[T]> {
    let items = buffer.as_slice_ptr().ok_or_else(no_such_name)?;
    // SAFETY: the buffer keeps its memory, and nobody writes to it, as the interpreter lock is held.
    Ok(unsafe { items.as_ref() })
}

fn no_such_name() -> PyErr {
    PyValueError::new_err("names that are not there")
}

/// A file of its own for an open descriptor.
fn duplicate(descriptor: i32) -> PyResult<File> {
    if descriptor < 0 {
        return Err(PyValueError::new_err("a file that is not open"));
    }
    // SAFETY: the caller holds the descriptor open during the call, and it is only duplicated here.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Ok(borrowed.as_fd().try_clone_to_owned()?.into())
}
