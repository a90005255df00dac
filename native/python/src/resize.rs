//! Weighted resampling.

use crate::array::{Input, Output};
use crate::call::{catch_memory_error, detached};
use crate::list::List;
use crate::plan::ResizeTables;
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use offgraph_kernels::interpolate::resize as kernel;
use offgraph_kernels::interpolate::resize::Taps;
use offgraph_kernels::memory::CollectVec;
use pyo3::prelude::*;

/// First taps, numbers of taps, and weights (one row per output position) of a spatial axis.
pub type Table<'py> = (PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, i64>, PyReadonlyArray2<'py, f64>);

/// What each output position of an axis sums.
pub fn taps((starts, counts, weights): &Table<'_>) -> Taps {
    let mut taps = Taps::new();
    for ((start, count), row) in
        starts.as_array().iter().zip(counts.as_array()).zip(weights.as_array().rows())
    {
        let row = row.iter().copied().take(usize::try_from(*count).unwrap_or(0)).collect_vec();
        // A negative start becomes one that fits nowhere, and is refused.
        taps.push(usize::try_from(*start).unwrap_or(usize::MAX), &row);
    }
    taps
}

/// The axes of both arrays are `[outer…, spatial…, inner…]`. `tables` are [`ResizeTables`], which keep what is made of them,
/// or what makes them.
#[pyfunction]
pub fn resize(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    outer: usize,
    tables: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let (input, output) = (input.view(), output.view_mut());
    if let Ok(kept) = tables.cast::<ResizeTables>() {
        let tables = kept.get().tables();
        return detached(py, || kernel::resize(&input, output, outer, tables));
    }
    let tables = tables.extract::<List<Table<'_>>>()?;
    let tables = catch_memory_error(|| Ok(tables.iter().map(taps).collect_vec()))?;
    detached(py, || kernel::resize(&input, output, outer, &tables))
}
