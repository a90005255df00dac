//! Bindings: the order of an epoch.

use crate::call::detached;
use crate::list::List;
use numpy::PyReadwriteArray1;
use offgraph_plan::order;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Places that take less time than handing over the GIL, twice.
const FEW: usize = 2048;

/// Replace places in an order by the numbers that stand there: all below `count`, which is at most 2**60.
#[pyfunction]
pub fn permute(
    py: Python<'_>,
    mut places: PyReadwriteArray1<'_, u64>,
    count: u64,
    keys: List<u64>,
) -> PyResult<()> {
    let places = places.as_slice_mut()?;
    if count > 1 << 60 || places.iter().any(|&place| place >= count) {
        return Err(PyValueError::new_err("places of another order"));
    }
    if places.len() <= FEW {
        order::permute(places, count, &keys);
        return Ok(());
    }
    detached(py, || {
        order::permute(places, count, &keys);
        Ok(())
    })
}
