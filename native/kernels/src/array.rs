//! Arrays whose element type is known at run time, their elements, and buffers.

pub mod axes;
pub mod index;
pub(crate) mod level;
pub(crate) mod packing;
pub mod pixels;
pub mod sample;
pub(crate) mod scratch;
pub mod triples;
pub mod view;
