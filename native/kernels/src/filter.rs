//! Linear filters.

pub mod correlate1d;
pub mod correlate_nd;
pub mod separable;
pub mod uniform1d;
