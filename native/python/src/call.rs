//! Call a kernel without the interpreter lock, and let Ctrl-C end it.

use crate::error::to_python;
use offgraph_kernels::error::KernelError;
use offgraph_kernels::parallel::interruptible;
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
