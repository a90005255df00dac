//! NumPy arrays as views of the kernels; the only file that uses the `numpy` crate's arrays.

use crate::call::catch_memory_error;
use ndarray::{ArrayViewD, ArrayViewMutD};
use numpy::npyffi::flags::NPY_ARRAY_WRITEABLE;
use numpy::{
    Element, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyReadwriteArrayDyn,
    PyUntypedArray, PyUntypedArrayMethods,
};
use offgraph_kernels::array::sample::Bool;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::memory::CollectVec;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// `ndarray` views made from NumPy arrays have at most this many axes.
const MAX_AXES: usize = 32;

macro_rules! borrowed {
    ($(#[$doc:meta])* $name:ident, $borrow:ident) => {
        $(#[$doc])*
        pub enum $name<'py> {
            Bool($borrow<'py, bool>),
            U8($borrow<'py, u8>),
            I8($borrow<'py, i8>),
            U16($borrow<'py, u16>),
            I16($borrow<'py, i16>),
            U32($borrow<'py, u32>),
            I32($borrow<'py, i32>),
            U64($borrow<'py, u64>),
            I64($borrow<'py, i64>),
            F32($borrow<'py, f32>),
            F64($borrow<'py, f64>),
        }

        impl<'py> FromPyObject<'_, 'py> for $name<'py> {
            type Error = PyErr;

            fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
                let array = object.cast::<PyUntypedArray>().map_err(PyErr::from)?;
                check_layout(&array)?;
                let dtype = array.dtype();
                match (dtype.kind(), dtype.itemsize()) {
                    (b'b', 1) => Ok(Self::Bool(Borrow::borrow(&object)?)),
                    (b'u', 1) => Ok(Self::U8(Borrow::borrow(&object)?)),
                    (b'i', 1) => Ok(Self::I8(Borrow::borrow(&object)?)),
                    (b'u', 2) => Ok(Self::U16(Borrow::borrow(&object)?)),
                    (b'i', 2) => Ok(Self::I16(Borrow::borrow(&object)?)),
                    (b'u', 4) => Ok(Self::U32(Borrow::borrow(&object)?)),
                    (b'i', 4) => Ok(Self::I32(Borrow::borrow(&object)?)),
                    (b'u', 8) => Ok(Self::U64(Borrow::borrow(&object)?)),
                    (b'i', 8) => Ok(Self::I64(Borrow::borrow(&object)?)),
                    (b'f', 4) => Ok(Self::F32(Borrow::borrow(&object)?)),
                    (b'f', 8) => Ok(Self::F64(Borrow::borrow(&object)?)),
                    _ => Err(PyTypeError::new_err(format!("element type {dtype} is not supported"))),
                }
            }
        }
    };
}

borrowed!(
    /// An array argument that is read.
    Input,
    Read
);
borrowed!(
    /// An array argument that is written.
    Output,
    Written
);

impl Input<'_> {
    /// The elements.
    pub fn view(&self) -> View<'_> {
        match self {
            Self::Bool(array) => View::Bool(bytes(array.as_array())),
            Self::U8(array) => View::U8(array.as_array()),
            Self::I8(array) => View::I8(array.as_array()),
            Self::U16(array) => View::U16(array.as_array()),
            Self::I16(array) => View::I16(array.as_array()),
            Self::U32(array) => View::U32(array.as_array()),
            Self::I32(array) => View::I32(array.as_array()),
            Self::U64(array) => View::U64(array.as_array()),
            Self::I64(array) => View::I64(array.as_array()),
            Self::F32(array) => View::F32(array.as_array()),
            Self::F64(array) => View::F64(array.as_array()),
        }
    }
}

impl Input<'_> {
    /// The elements of a boolean array as truth values, in C order.
    pub fn mask(&self) -> PyResult<Vec<bool>> {
        match self.view() {
            View::Bool(array) => {
                catch_memory_error(|| Ok(array.iter().map(|byte| byte.0 != 0).collect_vec()))
            }
            _ => Err(PyTypeError::new_err("a mask must be an array of booleans")),
        }
    }
}

impl Output<'_> {
    /// A writable view of the elements.
    pub fn view_mut(&mut self) -> ViewMut<'_> {
        match self {
            Self::Bool(array) => ViewMut::Bool(bytes_mut(array.as_array_mut())),
            Self::U8(array) => ViewMut::U8(array.as_array_mut()),
            Self::I8(array) => ViewMut::I8(array.as_array_mut()),
            Self::U16(array) => ViewMut::U16(array.as_array_mut()),
            Self::I16(array) => ViewMut::I16(array.as_array_mut()),
            Self::U32(array) => ViewMut::U32(array.as_array_mut()),
            Self::I32(array) => ViewMut::I32(array.as_array_mut()),
            Self::U64(array) => ViewMut::U64(array.as_array_mut()),
            Self::I64(array) => ViewMut::I64(array.as_array_mut()),
            Self::F32(array) => ViewMut::F32(array.as_array_mut()),
            Self::F64(array) => ViewMut::F64(array.as_array_mut()),
        }
    }
}

/// Taking a read or a write borrow, so that one macro serves both.
trait Borrow<'py>: Sized {
    fn borrow(object: &Bound<'py, PyAny>) -> PyResult<Self>;
}

/// An array. It is borrowed for as long, unless there are gaps between its elements: what lies in them may be written
/// by another thread, and the borrows of the `numpy` crate cannot tell two tiles side by side apart.
pub struct Held<'py, T: Element, B> {
    array: Bound<'py, PyArrayDyn<T>>,
    _borrowed: Option<B>,
}

type Read<'py, T> = Held<'py, T, PyReadonlyArrayDyn<'py, T>>;
type Written<'py, T> = Held<'py, T, PyReadwriteArrayDyn<'py, T>>;

impl<'py, T: Element> Borrow<'py> for Read<'py, T> {
    fn borrow(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        let array = object.cast::<PyArrayDyn<T>>()?;
        let try_reshape = extent(array.as_untyped()) == Some(array.len() * size_of::<T>());
        let borrowed = if try_reshape { Some(array.try_readonly()?) } else { None };
        Ok(Self { array: array.clone(), _borrowed: borrowed })
    }
}

impl<T: Element> Read<'_, T> {
    fn as_array(&self) -> ArrayViewD<'_, T> {
        // SAFETY: the elements are aligned (`check_layout`), and a view reaches them alone. No call writes what it
        // reads (`Written`). That no other thread writes them meanwhile is the caller's to see to, as there.
        unsafe { self.array.as_array() }
    }
}

impl<'py, T: Element> Borrow<'py> for Written<'py, T> {
    fn borrow(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        let array = object.cast::<PyArrayDyn<T>>()?;
        let extent = extent(array.as_untyped())
            .ok_or_else(|| PyValueError::new_err("an output whose elements share memory"))?;
        let has_gaps = extent > array.len() * size_of::<T>();
        if has_gaps && !is_writeable(array.as_untyped()) {
            return Err(PyValueError::new_err("output array is read-only."));
        }
        let borrowed = if has_gaps { None } else { Some(array.try_readwrite()?) };
        Ok(Self { array: array.clone(), _borrowed: borrowed })
    }
}

impl<T: Element> Written<'_, T> {
    fn as_array_mut(&mut self) -> ArrayViewMutD<'_, T> {
        // SAFETY: the array is writable, its elements are aligned (`check_layout`), and each has memory of its own
        // (`extent`). This is the only view made of them here, for as long as `self` is borrowed: inputs that share
        // memory with the output are copied in Python. A view reaches its elements alone, never what lies in gaps:
        // `ndarray` makes no slice of it unless there are none. That two threads do not write the same elements is
        // their callers' to see to, as with NumPy's own functions; where there are no gaps, the borrow sees to it.
        unsafe { self.array.as_array_mut() }
    }
}

/// How many bytes the elements reach over, if those of each axis lie beyond all of the axes with smaller steps; `None`
/// if they do not, and elements may share memory.
fn extent(array: &Bound<'_, PyUntypedArray>) -> Option<usize> {
    if array.is_empty() {
        return Some(0);
    }
    let mut axes = [(0, 1); MAX_AXES];
    for (axis, (stride, len)) in axes.iter_mut().zip(array.strides().iter().zip(array.shape())) {
        // An axis of length 1 is passed over, whatever its step.
        *axis = if *len > 1 { (stride.unsigned_abs(), *len) } else { (0, 1) };
    }
    axes.sort_unstable();
    axes.into_iter().filter(|(_, len)| *len > 1).try_fold(array.dtype().itemsize(), |extent, (step, len)| {
        (step >= extent).then(|| extent + step * (len - 1))
    })
}

fn is_writeable(array: &Bound<'_, PyUntypedArray>) -> bool {
    // SAFETY: the pointer is that of a live NumPy array, and the interpreter is attached.
    unsafe { (*array.as_array_ptr()).fields.flags & NPY_ARRAY_WRITEABLE != 0 }
}

/// What an `ndarray` view takes for granted: elements that are aligned, also from one to the next.
fn check_layout(array: &Bound<'_, PyUntypedArray>) -> PyResult<()> {
    if array.ndim() > MAX_AXES {
        let message = format!("an array of {} axes; at most {MAX_AXES} are supported", array.ndim());
        return Err(PyValueError::new_err(message));
    }
    let itemsize = array.dtype().itemsize().max(1);
    let uneven = array.strides().iter().any(|stride| !stride.unsigned_abs().is_multiple_of(itemsize));
    // SAFETY: the pointer is that of a live NumPy array, whose header is never moved or changed concurrently
    // while the interpreter is attached.
    let data = unsafe { (*array.as_array_ptr()).fields.data } as usize;
    if uneven || !data.is_multiple_of(itemsize) {
        return Err(PyValueError::new_err("an array whose elements are not aligned; copy it first"));
    }
    Ok(())
}

/// Booleans as the bytes they are: SciPy may leave others than 0 and 1 in a boolean array.
fn bytes(array: ArrayViewD<'_, bool>) -> ArrayViewD<'_, Bool> {
    // SAFETY: `Bool` is a transparent byte, of the size and alignment of `bool`, and any byte is a valid one.
    unsafe { array.raw_view().cast::<Bool>().deref_into_view() }
}

/// As [`bytes`], to be written.
fn bytes_mut(mut array: ArrayViewMutD<'_, bool>) -> ArrayViewMutD<'_, Bool> {
    // SAFETY: as in `bytes`; nothing reads these elements as Rust's `bool`.
    unsafe { array.raw_view_mut().cast::<Bool>().deref_into_view_mut() }
}
