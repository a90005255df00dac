//! Call a kernel without the GIL, with Ctrl-C able to interrupt it.

use crate::array::{Input, Output};
use crate::call_limit::Place;
use crate::error::{border, to_python};
use offgraph_kernels::error::KernelError;
use offgraph_kernels::exec::threads::interruptible;
use offgraph_kernels::filter::line_filter;
use offgraph_kernels::memory;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    /// The exception that a signal handler raised while a kernel was running.
    static RAISED: Cell<Option<PyErr>> = const { Cell::new(None) };
    /// What ends the calls of this thread, if it is a worker.
    static ENDING: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// Ends the calls of the threads that watch it, once it is set.
#[pyclass(frozen, module = "offgraph._native")]
#[derive(Default)]
pub struct Ending(Arc<AtomicBool>);

#[pymethods]
impl Ending {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// End the calls, now and from now on.
    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether calls are to end.
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Let calls from this thread end when it is set, and not when a signal comes.
    fn watch(&self) {
        ENDING.set(Some(Arc::clone(&self.0)));
    }
}

/// Whether this thread is a worker whose calls are to end.
pub fn is_ending() -> bool {
    ENDING.with_borrow(|ending| ending.as_ref().is_some_and(|set| set.load(Ordering::Relaxed)))
}

/// Whether the call should end: a worker's when it is told to, any other's when a signal handler raised an exception.
///
/// Handlers only run on Python's main thread: a worker would wait for the GIL in vain.
fn interrupted() -> bool {
    if ENDING.with_borrow(Option::is_some) {
        return is_ending();
    }
    let raised = Python::attach(|py| py.check_signals()).err();
    let any = raised.is_some();
    RAISED.set(raised);
    any
}

/// Run `kernel` without the GIL, handling signals meanwhile.
pub fn detached<R: Send>(
    py: Python<'_>,
    kernel: impl FnOnce() -> Result<R, KernelError> + Send,
) -> PyResult<R> {
    let (result, left) = py.detach(|| {
        let place = Place::taken();
        let result = interruptible(interrupted, kernel);
        (result, place.map(Place::leave))
    });
    if let Some(left) = left {
        left.count_wait();
    }
    match result {
        Some(result) => result.map_err(to_python),
        None => Err(RAISED.take().unwrap_or_else(|| PyKeyboardInterrupt::new_err(()))),
    }
}

/// Run `work`, which allocates outside a kernel; running out of memory becomes a `MemoryError`.
pub fn catch_memory_error<R>(work: impl FnOnce() -> PyResult<R>) -> PyResult<R> {
    memory::catch_memory_error(|| Ok(work())).map_err(to_python)?
}

/// The arguments of every filter along one axis: output, input (`None` to filter the output in place), axis, border
/// mode, fill value and origin.
pub type LineArgs<'py> = (Output<'py>, Option<Input<'py>>, usize, i32, f64, isize);

/// Run a filter along an axis as [`detached`] does.
pub fn filter(
    py: Python<'_>,
    (mut output, input, axis, mode, fill, origin): LineArgs<'_>,
    kernel: impl FnOnce(line_filter::LineFilterArgs<'_>) -> Result<(), KernelError> + Send,
) -> PyResult<()> {
    let (input, output, border) = (input.as_ref().map(Input::view), output.view_mut(), border(mode)?);
    let lines = line_filter::LineFilterArgs { input: input.as_ref(), output, axis, border, fill, origin };
    detached(py, || kernel(lines))
}
