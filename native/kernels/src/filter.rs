//! Linear filters: correlations, Gaussians, derivatives, means.

pub mod correlate1d;
pub mod correlate_nd;
pub mod line_filter;
pub mod plane_kernel;
pub mod separable;
pub mod uniform1d;
