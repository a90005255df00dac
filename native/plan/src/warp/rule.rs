//! Border rules between the maps of labels.

use super::Rule;
use offgraph_kernels::border::Border;
use offgraph_kernels::interpolate::projective2d::SLACK;

impl Rule {
    /// Apply the rule to coordinates along an axis of `n` pixels, and fill what it fills.
    #[inline]
    pub(super) fn apply(&self, line: &mut [f64], n: usize, filled: &mut [Option<f64>]) {
        let last = n as f64 - 1.0;
        let (low, high) = match self.border {
            Border::Constant if !self.whole_pixels => (-SLACK, (last + SLACK).next_up()),
            Border::Constant | Border::GridConstant => (-0.5 - SLACK, n as f64 - 0.5 - SLACK),
            // Two modes begin to repeat at the centres of the border pixels.
            Border::Mirror | Border::Wrap => (-(2.0 * SLACK) - SLACK, last + 2.0 * SLACK - SLACK),
            Border::Nearest | Border::Reflect | Border::GridWrap => (-0.5 - SLACK, last + 0.5 - SLACK),
        };
        let is_constant = matches!(self.border, Border::Constant | Border::GridConstant);
        for (along, filled) in line.iter_mut().zip(filled) {
            let is_reached = *along >= low && *along < high;
            let is_inside = if is_constant { is_reached } else { along.is_finite() };
            if !is_inside && filled.is_none() {
                *filled = Some(self.value);
            }
            if is_constant {
                continue;
            }
            if !is_reached {
                *along = folded(*along, n, self.border);
            }
            if !self.whole_pixels {
                *along = along.clamp(0.0, last);
            }
        }
    }
}

/// A coordinate outside, folded back by a mode that continues the image.
#[inline]
fn folded(along: f64, n: usize, border: Border) -> f64 {
    let (len, last) = (n as f64, n as f64 - 1.0);
    match border {
        Border::Nearest => along.clamp(0.0, last),
        Border::GridWrap => modulo(along + 0.5 + SLACK, len) - 0.5 - SLACK,
        Border::Reflect => {
            let phase = modulo(along + 0.5, 2.0 * len);
            (if phase > len { 2.0 * len - phase } else { phase }) - 0.5
        }
        Border::Mirror if n > 1 => {
            let phase = modulo(along, 2.0 * len - 2.0);
            if phase > last { 2.0 * len - 2.0 - phase } else { phase }
        }
        // SciPy's: the last pixel is the first one again.
        Border::Wrap if n > 1 && along < 0.0 => along + last * ((-along / last).trunc() + 1.0),
        Border::Wrap if n > 1 && along > last => along - last * (along / last).trunc(),
        Border::Wrap if n > 1 => along,
        _ => 0.0,
    }
}

/// NumPy's `mod`: the remainder with the sign of the divisor, which is positive.
#[inline]
fn modulo(value: f64, divisor: f64) -> f64 {
    let rest = value % divisor;
    if rest < 0.0 { rest + divisor } else { rest.abs() }
}
