//! How kernels walk through arrays: row by row, in tiles of lines, in batches of lines.

pub mod line_batches;
pub(crate) mod line_tiles;
pub(crate) mod pixel_blocks;
pub mod rows;
pub(crate) mod transpose;
