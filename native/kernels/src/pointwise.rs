//! Values changed one by one.

pub mod lookup;
