//! How loops run: SIMD levels and threads.

pub(crate) mod counts;
pub mod simd;
pub mod threads;
