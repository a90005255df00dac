//! Bindings: binary morphology.

use crate::array::{Input, Output};
use crate::call::detached;
use crate::list::List;
use offgraph_kernels::array::view::View;
use offgraph_kernels::morphology::{Erosion, LaterMask, Passes, Structure};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// `passes` is 0 to erode until nothing changes; `later_mask` applies to the passes after the first.
#[pyfunction]
pub fn binary_erosion(
    py: Python<'_>,
    mut output: Output<'_>,
    input: Input<'_>,
    structure: Input<'_>,
    origin: List<isize>,
    border: bool,
    complement: bool,
    mask: Option<Input<'_>>,
    later_mask: Option<Input<'_>>,
    passes: usize,
) -> PyResult<()> {
    let View::Bool(elements) = structure.view() else {
        return Err(PyTypeError::new_err("a structure of another type than bool"));
    };
    let structure = Structure { elements, origin: &origin, border };
    let (input, mask) = (input.view(), mask.as_ref().map(Input::view));
    let later = later_mask.as_ref().map_or(LaterMask::Same, |mask| LaterMask::Changed(mask.view()));
    let passes = if passes == 0 { Passes::UntilStable } else { Passes::Count(passes) };
    let mut erosion =
        detached(py, || Erosion::new(&input, &structure, complement, mask.as_ref(), &later, passes))?;
    while !detached(py, || Ok(erosion.advance()))? {
        py.check_signals()?;
    }
    let output = output.view_mut();
    detached(py, || erosion.store(output))
}
