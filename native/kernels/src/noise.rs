//! Random numbers for whole images, and what steps of noise make of them.
//!
//! A number is found by its position, so that threads share an image and any part of it can be made alone.

pub mod box_muller;
pub mod events;
pub mod normal;
pub mod philox;
pub mod poisson;
