//! The plan of a sample: the operations of each of its targets, run in one call, alone or with other samples.
//!
//! The mirror of `offgraph/steps/ops.py`, without Python. A [`Target`] is an input, an array or a file ([`source`]), an
//! output, and the [`Op`]s between them; what lies between two operations is a workspace that the thread keeps for the next sample ([`workspace`]).
//! Every operation has the bytes of the Python runner's: most call one kernel, and what is done here is to move whole
//! pixels ([`grid`]), to hide those that earlier images did not hold ([`clip`]), and to make coordinates ([`warp`]).
//! [`invert`] leads back through a displacement. [`recipe`] makes the operations of whole recipes. [`order`] is the order of samples in an epoch.

#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

pub mod clip;
mod digests;
pub mod dtype;
mod execute;
pub mod filter;
pub mod grid;
pub mod image;
pub mod invert;
pub mod op;
pub mod order;
pub mod pointwise;
pub mod recipe;
pub mod resample;
pub mod rows;
mod scaled;
pub mod source;
pub mod split_linear;
pub mod standardize;
pub mod warp;
pub mod workspace;

pub use execute::{Refused, Target, execute, execute_each};
pub use op::Op;
