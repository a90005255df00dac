//! Which pixels the taps of a point read near or beyond a border.

use crate::array::sample::to_i64_like_x86;
use crate::border::Border;

/// The first tap and the mapped coordinate on an axis; `None` if the result is the fill value.
#[inline(always)]
pub(crate) fn first_tap<const TAPS: usize>(x: f64, len: usize, border: Border) -> Option<(i64, f64)> {
    let order = TAPS - 1;
    let tap_by_tap = matches!(border, Border::Nearest | Border::GridConstant);
    let x = if tap_by_tap { x } else { border.coordinate(x, len) };
    // An empty axis has no sample to read. NaN is not above -1 either.
    if !(tap_by_tap || x > -1.0) || (len == 0 && border != Border::GridConstant) {
        return None;
    }
    let middle = if order % 2 == 1 { x.floor() } else { (x + 0.5).floor() };
    Some((to_i64_like_x86(middle).wrapping_sub(order as i64 / 2), x))
}

/// The pixel that a tap reads; `None` for the fill value.
#[inline(always)]
pub(crate) fn tap_index(tap: i64, len: usize, border: Border) -> Option<usize> {
    if (0..len as i64).contains(&tap) {
        return Some(tap as usize);
    }
    let border = match border {
        Border::GridConstant => return None,
        // These modes do not extend taps: SciPy mirrors them.
        Border::Constant | Border::Wrap => Border::Mirror,
        other => other,
    };
    // Near the ends of int64 a mapped coordinate may still lie outside, where SciPy reads foreign memory: clamp.
    let inside = to_i64_like_x86(border.coordinate(tap as f64, len));
    Some(inside.clamp(0, len as i64 - 1) as usize)
}
