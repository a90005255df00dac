//! Bindings: the order of an epoch.

use crate::call::{catch_memory_error, detached};
use numpy::PyReadwriteArray1;
use offgraph_kernels::memory;
use offgraph_plan::order;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Places that take less time than handing over the GIL, twice.
const FEW: usize = 2048;

/// Replace places in an order by the numbers that stand there: all below `count`, which is at most 2**60. The keys of the
/// rounds are hashes of a text and the number of each.
#[pyfunction]
pub fn permute(
    py: Python<'_>,
    mut places: PyReadwriteArray1<'_, u64>,
    count: u64,
    text: &str,
    rounds: usize,
) -> PyResult<()> {
    let places = places.as_slice_mut()?;
    if rounds > order::MOST_ROUNDS {
        return Err(PyValueError::new_err("more rounds than there are keys for"));
    }
    if count > 1 << 60 || places.iter().any(|&place| place >= count) {
        return Err(PyValueError::new_err("places of another order"));
    }
    let keys = order::round_keys(text);
    let keys = &keys[..rounds];
    if places.len() <= FEW {
        order::permute(places, count, keys);
        return Ok(());
    }
    detached(py, || {
        order::permute(places, count, keys);
        Ok(())
    })
}

/// The numbers at places `first`, `first + step`, … of an order, so many.
#[pyfunction]
pub fn permuted(
    py: Python<'_>,
    first: u64,
    step: u64,
    length: usize,
    count: u64,
    text: &str,
    rounds: usize,
) -> PyResult<Vec<u64>> {
    let last = (length as u64).saturating_sub(1).saturating_mul(step).saturating_add(first);
    if rounds > order::MOST_ROUNDS || count > 1 << 60 || (length > 0 && last >= count) {
        return Err(PyValueError::new_err("places of another order"));
    }
    let keys = order::round_keys(text);
    catch_memory_error(|| {
        let mut places = memory::with_capacity(length);
        memory::extend(&mut places, (0..length as u64).map(|place| first + place * step));
        if length <= FEW {
            order::permute(&mut places, count, &keys[..rounds]);
            return Ok(places);
        }
        detached(py, || {
            order::permute(&mut places, count, &keys[..rounds]);
            Ok(places)
        })
    })
}
