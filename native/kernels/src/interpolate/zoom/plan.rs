//! What a zoom does: a map per axis, and the plan for an output.

use crate::array::axes::Axes;
use crate::interpolate::options::Options;
use std::sync::atomic::AtomicBool;

/// The input coordinate of an output position: `x = (o + shift) * zoom`, or `(o + shift + ½) * zoom - ½` for a grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AxisMap {
    /// Added to the output position first.
    pub shift: Option<f64>,
    /// The factor: input samples per output sample.
    pub zoom: Option<f64>,
    /// Whether to zoom about the outer edges of the pixels instead of their centres.
    pub grid: bool,
}

impl AxisMap {
    pub(crate) fn coordinate(self, position: usize, pad: usize) -> f64 {
        let mut x = position as f64;
        if let Some(shift) = self.shift {
            x += shift;
        }
        if let Some(zoom) = self.zoom {
            if self.grid {
                x += 0.5;
                x *= zoom;
                x -= 0.5;
            } else {
                x *= zoom;
            }
        }
        x + pad as f64
    }
}

/// How to make an output whose planes are the only axes that are not resampled.
#[derive(Clone, Copy)]
pub(super) struct ZoomPlan<'a> {
    pub axes: Axes,
    /// One per spatial axis.
    pub maps: &'a [AxisMap],
    pub options: &'a Options,
    /// Becomes false if a result is not finite.
    pub is_finite: Option<&'a AtomicBool>,
}
