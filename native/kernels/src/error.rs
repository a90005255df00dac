//! What a kernel can refuse.

use std::fmt;
use std::panic::resume_unwind;

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

/// Refuse a request whose buffer of `samples` the machine has no room for: a failing `vec!` would end the process.
pub(crate) fn check_room<T>(samples: usize) -> Result<()> {
    Vec::<T>::new().try_reserve_exact(samples).map_err(|_| no_room(samples))
}

/// A buffer of zeros. For want of memory it ends the call with [`KernelError::Memory`], be it on another thread: what is
/// unwound here, [`crate::parallel::interruptible`] gives back.
pub(crate) fn buffer<T: Clone + Default>(samples: usize) -> Vec<T> {
    let mut buffer = Vec::new();
    if buffer.try_reserve_exact(samples).is_err() {
        resume_unwind(Box::new(no_room(samples)));
    }
    buffer.resize(samples, T::default());
    buffer
}

fn no_room(samples: usize) -> KernelError {
    KernelError::memory(format!("no memory for {samples} samples, which a window of this size needs"))
}
