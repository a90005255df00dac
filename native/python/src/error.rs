//! Kernel errors as Python exceptions.

use offgraph_kernels::error::KernelError;
use pyo3::PyErr;
use pyo3::exceptions::PyValueError;

/// The exception for a kernel's refusal. SciPy's own checks are made in Python, before a kernel is called.
pub fn to_python(error: KernelError) -> PyErr {
    match error {
        KernelError::Shape(message) | KernelError::Parameter(message) => PyValueError::new_err(message),
    }
}
