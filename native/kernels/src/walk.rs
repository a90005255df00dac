//! How kernels walk through arrays: row by row, in tiles of lines, in batches of lines.

pub mod line_batches;
pub(crate) mod line_tiles;
pub mod rows;
pub(crate) mod transpose;
