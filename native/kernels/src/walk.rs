//! Ways through an array: row by row, and line by line along an axis.

pub mod line_batches;
pub(crate) mod line_tiles;
pub mod rows;
pub(crate) mod transpose;
