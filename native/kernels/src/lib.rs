//! The loops behind `offgraph.ndimage`, without Python.
//!
//! Every kernel takes arrays whose element type is known at run time ([`array::view`]). Where SciPy computes in `f64`,
//! pixels are read into `f64`, computed there in SciPy's order, and stored by one of the cast rules of [`array::sample`];
//! faster guesses are repaired by that. Results never depend on the number of threads ([`exec::threads`]) or on the
//! instruction set ([`exec::simd`]).

#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

pub mod array;
pub mod border;
mod doubling;
pub mod error;
pub mod exec;
pub mod filter;
pub mod interpolate;
pub mod memory;
pub mod morphology;
pub mod pointwise;
pub mod rank;
pub mod walk;
pub mod window;
