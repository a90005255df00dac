//! How loops run: SIMD levels and threads.

pub mod simd;
pub mod threads;
