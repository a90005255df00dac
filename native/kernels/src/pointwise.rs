//! Pointwise operations.

pub mod fourier;
pub mod linear;
pub mod lookup;
