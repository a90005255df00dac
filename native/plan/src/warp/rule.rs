//! Border rules between the maps of labels.

use super::Rule;
use super::block::AllWithin;
use offgraph_kernels::border::Border;
use offgraph_kernels::exec::simd::{Kernel, dispatch};
use offgraph_kernels::interpolate::projective2d::SLACK;

/// Coordinates to which a rule is applied together if all of them lie inside.
const PART: usize = 128;

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
        for (line, filled) in line.chunks_mut(PART).zip(filled.chunks_mut(PART)) {
            if !dispatch(AllWithin { line, low, high: high.next_down() }) {
                self.apply_each(line, n, (low, high), filled);
            } else if !self.is_constant() && !self.whole_pixels {
                dispatch(Clamp { line, last });
            }
        }
    }

    fn is_constant(&self) -> bool {
        matches!(self.border, Border::Constant | Border::GridConstant)
    }

    /// The same, one coordinate after another; those from `low` to below `high` lie inside.
    fn apply_each(&self, line: &mut [f64], n: usize, (low, high): (f64, f64), filled: &mut [Option<f64>]) {
        let last = n as f64 - 1.0;
        for (along, filled) in line.iter_mut().zip(filled) {
            let is_reached = *along >= low && *along < high;
            let is_inside = if self.is_constant() { is_reached } else { along.is_finite() };
            if !is_inside && filled.is_none() {
                *filled = Some(self.value);
            }
            if self.is_constant() {
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

/// Moves numbers between 0 and `last`.
struct Clamp<'a> {
    line: &'a mut [f64],
    last: f64,
}

impl Kernel for Clamp<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.line.iter_mut().for_each(|along| *along = along.clamp(0.0, self.last));
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
