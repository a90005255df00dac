//! The errors of kernels.

use std::fmt;

/// A request that a kernel refuses. The binding turns it into the matching Python exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelError {
    /// Shapes, axes or lengths that do not fit together; the message says which.
    Shape(String),
    /// A parameter outside its range; the message says which, and what is allowed.
    Parameter(String),
    /// No memory for a working buffer; the message says how large.
    Memory(String),
}

impl KernelError {
    /// A [`KernelError::Shape`] with this message.
    pub fn shape(message: impl Into<String>) -> Self {
        Self::Shape(message.into())
    }

    /// A [`KernelError::Parameter`] with this message.
    pub fn parameter(message: impl Into<String>) -> Self {
        Self::Parameter(message.into())
    }

    /// A [`KernelError::Memory`] with this message.
    pub fn memory(message: impl Into<String>) -> Self {
        Self::Memory(message.into())
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(message) | Self::Parameter(message) | Self::Memory(message) => {
                formatter.write_str(message)
            }
        }
    }
}

impl std::error::Error for KernelError {}

/// The result of a kernel.
pub type Result<T> = std::result::Result<T, KernelError>;
