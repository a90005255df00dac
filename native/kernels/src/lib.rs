//! The loops behind `offgraph.ndimage`, without Python.
//!
//! Every kernel takes arrays whose element type is known at run time ([`view`]). Where SciPy computes in `f64`, pixels
//! are read into `f64`, computed there in SciPy's order, and stored by one of the cast rules of [`sample`]; faster guesses
//! are repaired by that. Results never depend on the number of threads ([`parallel`]) or on the instruction set ([`simd`]).

#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

pub mod batch;
pub(crate) mod bilinear;
pub mod border;
pub mod correlate;
pub mod correlate_nd;
pub mod error;
pub(crate) mod flat;
pub mod interpolate;
mod lanes;
pub mod line;
pub mod memory;
pub mod morphology;
pub mod parallel;
pub mod passes;
pub mod pointwise;
pub(crate) mod ramp;
pub mod rank;
pub mod resize;
pub mod rows;
mod runs;
pub mod sample;
mod scratch;
pub mod simd;
pub mod spline;
mod strips;
pub mod uniform;
pub mod view;
pub mod window;
pub mod zoom;
