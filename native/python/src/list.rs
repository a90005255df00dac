//! Lists of numbers as arguments. PyO3's vectors would abort the process when memory runs out.

use crate::call::catch_memory_error;
use offgraph_kernels::memory;
use pyo3::conversion::FromPyObjectOwned;
use pyo3::prelude::*;
use std::ops::{Deref, DerefMut};

/// The items of a Python sequence.
pub struct List<T>(Vec<T>);

impl<'py, T: FromPyObjectOwned<'py>> FromPyObject<'_, 'py> for List<T> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        catch_memory_error(|| {
            let mut items = memory::with_capacity(object.len()?);
            for item in object.try_iter()? {
                memory::push(&mut items, item?.extract::<T>().map_err(Into::into)?);
            }
            Ok(Self(items))
        })
    }
}

impl<T> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}
