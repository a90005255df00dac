//! Call a kernel without the interpreter lock, and let Ctrl-C end it.

use crate::array::{Input, Output};
use crate::error::{border, to_python};
use offgraph_kernels::error::KernelError;
use offgraph_kernels::exec::threads::interruptible;
use offgraph_kernels::memory;
use offgraph_kernels::window;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use std::cell::Cell;

thread_local! {
    /// What a signal handler raised while a kernel was running.
    static RAISED: Cell<Option<PyErr>> = const { Cell::new(None) };
}

/// Whether a signal handler raised an exception; none run on other threads than Python's main one.
fn interrupted() -> bool {
    let raised = Python::attach(|py| py.check_signals()).err();
    let any = raised.is_some();
    RAISED.set(raised);
    any
}

/// What `kernel` returns. It runs without the interpreter lock, and signals are handled meanwhile.
pub fn detached<R: Send>(
    py: Python<'_>,
    kernel: impl FnOnce() -> Result<R, KernelError> + Send,
) -> PyResult<R> {
    match py.detach(|| interruptible(interrupted, kernel)) {
        Some(result) => result.map_err(to_python),
        None => Err(RAISED.take().unwrap_or_else(|| PyKeyboardInterrupt::new_err(()))),
    }
}

/// What `work`, which takes memory outside of a kernel, returns; want of it is a `MemoryError`.
pub fn held<R>(work: impl FnOnce() -> PyResult<R>) -> PyResult<R> {
    memory::caught(|| Ok(work())).map_err(to_python)?
}

/// What every filter along an axis takes: output, input (none to filter the output itself), axis, border mode, fill
/// value and origin.
pub type Lines<'py> = (Output<'py>, Option<Input<'py>>, usize, i32, f64, isize);

/// Run a filter along an axis as [`detached`] does.
pub fn filter(
    py: Python<'_>,
    (mut output, input, axis, mode, fill, origin): Lines<'_>,
    kernel: impl FnOnce(window::Lines<'_>) -> Result<(), KernelError> + Send,
) -> PyResult<()> {
    let (input, output, border) = (input.as_ref().map(Input::view), output.view_mut(), border(mode)?);
    let lines = window::Lines { input: input.as_ref(), output, axis, border, fill, origin };
    detached(py, || kernel(lines))
}
