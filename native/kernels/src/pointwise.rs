//! Pointwise operations, and what is looked up in histograms.

pub mod clahe;
pub mod color;
pub mod field;
pub mod fourier;
pub mod histogram;
pub mod linear;
pub mod lookup;
