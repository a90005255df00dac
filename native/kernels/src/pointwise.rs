//! Pointwise operations.

pub mod linear;
pub mod lookup;
