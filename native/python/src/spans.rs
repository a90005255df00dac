//! Parts of open files, read together: one call for a batch, without the GIL.

use crate::call::{catch_memory_error, detached};
use numpy::{PyReadwriteArray1, PyUntypedArrayMethods};
use offgraph_kernels::exec::threads;
use offgraph_kernels::memory;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;

/// Descriptor of a file, position in it, and number of bytes.
type Span = (i32, u64, usize);

/// Fill `output` with spans, one after another; true for those that were there.
///
/// The descriptors must be open during the call.
#[pyfunction]
pub fn read_spans(
    py: Python<'_>,
    mut output: PyReadwriteArray1<'_, u8>,
    spans: crate::list::List<Span>,
) -> PyResult<Vec<bool>> {
    let wanted = spans.iter().fold(0, |sum, (_, _, len)| usize::saturating_add(sum, *len));
    if wanted > output.len() {
        return Err(PyValueError::new_err("an array that is too short for its spans"));
    }
    catch_memory_error(|| {
        let mut found = memory::filled(false, spans.len());
        let mut left = output.as_slice_mut()?;
        let mut parts = memory::with_capacity(spans.len());
        for (span, found) in spans.iter().zip(&mut found) {
            let (part, others) = left.split_at_mut(span.2);
            left = others;
            memory::push(&mut parts, (*span, part, found));
        }
        detached(py, || {
            threads::for_each_block(parts, |((descriptor, start, _), part, found)| {
                if descriptor >= 0 {
                    // SAFETY: the caller keeps the descriptor open, and it is not closed here.
                    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(descriptor) });
                    *found = file.read_exact_at(part, start).is_ok();
                }
            });
            Ok(())
        })?;
        Ok(found)
    })
}
