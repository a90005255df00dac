//! Measurements: connected components, and statistics of labelled regions.
//!
//! Labels of an image come in runs. Loops find where a run ends with a few wide comparisons
//! ([`run_end`](crate::array::packing::run_end)) and keep the state of its region in registers meanwhile.

pub mod extremes;
pub mod groups;
pub mod label;
mod labelled;
pub mod objects;
pub mod regions;
mod run_buffer;
mod runs;
pub mod sums;
pub mod watershed;
