//! What a kernel can refuse.

use std::fmt;

/// A request that a kernel cannot carry out. The binding turns each into the matching Python exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelError {
    /// Shapes, axes or lengths that do not fit together; the text says which.
    Shape(String),
    /// A parameter outside its range; the text says which and what is allowed.
    Parameter(String),
    /// A working buffer that the machine has no room for; the text says for what.
    Memory(String),
}

impl KernelError {
    /// A [`KernelError::Shape`] from anything that reads as text.
    pub fn shape(message: impl Into<String>) -> Self {
        Self::Shape(message.into())
    }

    /// A [`KernelError::Parameter`] from anything that reads as text.
    pub fn parameter(message: impl Into<String>) -> Self {
        Self::Parameter(message.into())
    }

    /// A [`KernelError::Memory`] from anything that reads as text.
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
