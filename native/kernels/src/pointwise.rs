//! Pointwise operations, and what is looked up in histograms.

pub mod clahe;
pub mod color;
pub mod color_matrix;
pub mod field;
pub mod fourier;
pub mod histogram;
pub mod light;
pub mod linear;
pub mod lookup;
pub mod shade;
pub mod statistics;
