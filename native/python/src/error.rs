//! Kernel errors as Python exceptions.

use offgraph_kernels::border::Border;
use offgraph_kernels::error::KernelError;
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::{PyErr, PyResult};

/// The Python exception for a kernel's error. SciPy's own checks are made in Python, before a kernel is called.
pub fn to_python(error: KernelError) -> PyErr {
    match error {
        KernelError::Shape(message) | KernelError::Parameter(message) => PyValueError::new_err(message),
        KernelError::Memory(message) => PyMemoryError::new_err(message),
    }
}

/// The border mode with this code, which Python looked up by name.
pub fn border(code: i32) -> PyResult<Border> {
    Border::from_code(code)
        .ok_or_else(|| PyValueError::new_err(format!("no border mode has the code {code}")))
}
