//! Segmentation that SciPy lacks: floods of landscapes of floats, their reconstruction and summits.
//!
//! All work on a [`BorderedGrid`](grid::BorderedGrid): the array with a border of one element around, so that no neighbour is outside.

pub mod flood;
pub mod grid;
pub mod reconstruct;
