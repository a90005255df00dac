//! Where a filter's window lies relative to its pixel.

use crate::error::{KernelError, Result};

/// How many samples of a window precede the pixel.
///
/// # Errors
///
/// For a size of 0, or an `origin` that moves the window off the pixel.
pub(crate) fn before(size: usize, origin: isize) -> Result<usize> {
    (size / 2).checked_add_signed(origin).filter(|before| *before < size).ok_or_else(|| {
        KernelError::parameter(format!("a window of {size} samples cannot have the origin {origin}"))
    })
}
