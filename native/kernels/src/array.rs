//! Arrays whose element type is known at run time, their elements, and buffers.

pub mod sample;
pub(crate) mod scratch;
pub mod view;
