//! Spline interpolation and weighted resampling.
//!
//! Every sample is SciPy's sum: over all taps in C order, a pixel times its weight on the first axis, times that on the
//! second, and so on, in `f64`. The loops differ in how little of it they have to compute.

pub(crate) mod affine2d;
pub(crate) mod affine2d_small;
pub mod batch;
pub(crate) mod bilinear;
pub(crate) mod border_taps;
pub(crate) mod edges;
pub(crate) mod intervals;
pub mod linear_coords;
pub(crate) mod neighbour_pairs;
pub mod options;
pub mod projective2d;
pub(crate) mod read_row;
pub mod resize;
pub mod spline;
pub(crate) mod trilinear;
pub mod warp;
pub mod zoom;
pub mod zoom_blur;
