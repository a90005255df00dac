//! A filter of a plan: passes as plain numbers, as `offgraph/engine/filter_passes.py` writes them, read once.

use crate::call::catch_memory_error;
use crate::error::border;
use crate::plan::numbers;
use offgraph_kernels::memory;
use offgraph_plan::filter::{Extent, Kind, Pass};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::Arc;

/// The passes of a filter.
#[pyclass(frozen, module = "offgraph._native")]
pub struct FilterPasses(pub Arc<Vec<Pass>>);

#[pymethods]
impl FilterPasses {
    #[new]
    fn new(passes: &Bound<'_, PyTuple>) -> PyResult<Self> {
        catch_memory_error(|| {
            let mut read = memory::with_capacity(passes.len());
            for item in passes.iter() {
                memory::push(&mut read, pass(item.cast()?)?);
            }
            Ok(Self(Arc::new(read)))
        })
    }

    /// Whether both are the same passes.
    fn __eq__(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// Read one pass: its number, border mode and fill value, and what its kind has.
fn pass(parts: &Bound<'_, PyTuple>) -> PyResult<Pass> {
    let part = |place: usize| parts.get_item(place);
    let extent =
        || -> PyResult<Extent> { Ok(Extent { lengths: numbers(&part(3)?)?, origins: numbers(&part(4)?)? }) };
    let kind = match part(0)?.extract::<u8>()? {
        0 => {
            let (axis, origin) = (part(3)?.extract()?, part(4)?.extract()?);
            Kind::Correlate1d { axis, origin, weights: numbers(&part(5)?)? }
        }
        1 => {
            let (axis, origin) = (part(3)?.extract()?, part(4)?.extract()?);
            Kind::Uniform1d { axis, origin, size: part(5)?.extract()? }
        }
        2 => Kind::Correlate { extent: extent()?, weights: numbers(&part(5)?)? },
        3 => {
            let extent = extent()?;
            let footprint = part(6)?;
            let footprint = if footprint.is_none() {
                let cells = extent.lengths.iter().fold(1, |cells, len| usize::saturating_mul(cells, *len));
                memory::filled(true, cells)
            } else {
                numbers(&footprint)?
            };
            Kind::Rank { rank: part(5)?.extract()?, footprint, extent }
        }
        4 => Kind::Extremum { extent: extent()?, is_largest: part(5)?.extract()? },
        _ => return Err(PyValueError::new_err("a pass that is not known")),
    };
    Ok(Pass { kind, border: border(part(1)?.extract()?)?, fill: part(2)?.extract()? })
}
