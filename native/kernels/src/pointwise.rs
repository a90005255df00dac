//! Values changed one by one.

pub mod linear;
pub mod lookup;
