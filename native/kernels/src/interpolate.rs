//! Spline interpolation and weighted resampling.

pub(crate) mod affine2d;
pub mod batch;
pub(crate) mod bilinear;
pub mod linear_coords;
pub mod resize;
pub mod spline;
pub mod warp;
pub mod zoom;
