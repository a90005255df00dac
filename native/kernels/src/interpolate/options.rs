//! The options of all interpolating functions.

use crate::array::axes::{Axes, check_planes};
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::interpolate::spline::MAX_ORDER;

/// The options of all interpolating functions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Spline order, 0 to 5.
    pub order: usize,
    /// The border mode.
    pub border: Border,
    /// The fill value of the constant modes.
    pub fill: f64,
    /// Samples by which the input was extended at its start; added to every coordinate.
    pub pad: usize,
}

impl Options {
    /// Fail for an order, or shapes, that do not fit.
    pub(crate) fn check(
        &self,
        input: &[usize],
        output: &[usize],
        input_axes: Axes,
        output_axes: Axes,
    ) -> Result<()> {
        if self.order > MAX_ORDER {
            return Err(KernelError::parameter(format!("spline order {}; at most {MAX_ORDER}", self.order)));
        }
        check_planes(input, output, input_axes, output_axes)
    }
}
