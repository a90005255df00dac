//! Border modes: which sample replaces one outside the array, and where an outside coordinate is mapped to.
//!
//! ```text
//! nearest        a a a a | a b c d | d d d d      clamp
//! wrap           b c d a | a b c d | d a b c      of coordinates: period n - 1; of samples: see grid-wrap
//! reflect        d c b a | a b c d | d c b a      period 2n
//! mirror         d c b   | a b c d | c b a        period 2n - 2
//! constant       k k k k | a b c d | k k k k
//! grid-wrap      a b c d | a b c d | a b c d      period n
//! grid-constant  k k k k | a b c d | k k k k
//! ```
//!
//! Filters have one constant and one wrap mode: they use `grid-constant` and `grid-wrap`. Interpolation has two of
//! each: its `wrap` makes the first and last sample coincide (period n - 1), and its `constant` returns the fill value
//! for any coordinate outside, while `grid-constant` blends with it.

use crate::array::sample::{Sample, to_i64_like_x86};

/// A border mode, with SciPy's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// Clamp to the edge sample.
    Nearest = 0,
    /// Repeat; for coordinates the period is `n - 1`.
    Wrap = 1,
    /// Reflect about the outer edge of the last sample.
    Reflect = 2,
    /// Reflect about the centre of the last sample.
    Mirror = 3,
    /// The fill value; a coordinate outside reads nothing from the array.
    Constant = 4,
    /// Repeat with period `n`.
    GridWrap = 5,
    /// The fill value; each sample outside has it.
    GridConstant = 6,
}

impl Border {
    /// The fill value as an element of type `T` if it is one exactly. Modes that ignore it accept any.
    pub(crate) fn fill_as<T: Sample>(self, fill: f64) -> Option<T> {
        let element = T::from_f64_truncated(fill);
        let is_filled = matches!(self, Self::Constant | Self::GridConstant);
        (!is_filled || element.to_f64().to_bits() == fill.to_bits()).then_some(element)
    }

    /// The mode with this SciPy code.
    pub fn from_code(code: i32) -> Option<Self> {
        [
            Self::Nearest,
            Self::Wrap,
            Self::Reflect,
            Self::Mirror,
            Self::Constant,
            Self::GridWrap,
            Self::GridConstant,
        ]
        .into_iter()
        .find(|mode| *mode as i32 == code)
    }

    /// The sample that replaces position `index` on an axis of length `len > 0`; `None` for the fill value.
    #[inline]
    pub fn index(self, index: isize, len: usize) -> Option<usize> {
        let n = len as isize;
        if (0..n).contains(&index) {
            return Some(index as usize);
        }
        let inside = match self {
            Self::Constant | Self::GridConstant => return None,
            Self::Nearest => index.clamp(0, n - 1),
            Self::Wrap | Self::GridWrap => index.rem_euclid(n),
            Self::Reflect => {
                let phase = index.rem_euclid(2 * n);
                phase.min(2 * n - 1 - phase)
            }
            Self::Mirror if n == 1 => 0,
            Self::Mirror => {
                let phase = index.rem_euclid(2 * n - 2);
                phase.min(2 * n - 2 - phase)
            }
        };
        Some(inside as usize)
    }

    /// Map the coordinate `x` into an axis of length `len`: SciPy's map, operation by operation.
    ///
    /// A result at or below -1 means the fill value. The interpolating functions do not map `Nearest` and
    /// `GridConstant`; they clamp or fill sample by sample. Any `x` is allowed. Integer products wrap as SciPy's do, so
    /// the result may lie far outside; callers clamp the indices they read.
    #[inline]
    pub fn coordinate(self, x: f64, len: usize) -> f64 {
        let n = len as f64;
        if x < 0.0 {
            self.coordinate_below(x, len)
        } else if x > n - 1.0 {
            self.coordinate_above(x, len)
        } else {
            x
        }
    }

    #[inline(never)]
    fn coordinate_below(self, mut x: f64, len: usize) -> f64 {
        let signed = len as i64;
        let n = len as f64;
        // `period * whole turns` is an integer product in SciPy: it wraps if it does not fit.
        let turned = |period: i64, turns: i64| period.wrapping_mul(turns) as f64;
        match self {
            Self::Nearest => 0.0,
            Self::Constant => -1.0,
            Self::GridConstant => x,
            _ if len <= 1 => 0.0,
            Self::Mirror => {
                let period = 2 * signed - 2;
                x += turned(period, to_i64_like_x86(-x / period as f64));
                if x <= 1.0 - n { x + period as f64 } else { -x }
            }
            Self::Reflect => {
                let period = 2 * signed;
                if x < -(period as f64) {
                    x += turned(period, to_i64_like_x86(-x / period as f64));
                }
                if x < -n {
                    x + period as f64
                } else {
                    // Just below zero the reflection would be exactly -1; SciPy keeps it slightly above.
                    (if x > -1e-15 { 1e-15 } else { -x }) - 1.0
                }
            }
            Self::Wrap => {
                let period = signed - 1;
                x + turned(period, to_i64_like_x86(-x / period as f64).wrapping_add(1))
            }
            Self::GridWrap => x + turned(signed, to_i64_like_x86((-1.0 - x) / n).wrapping_add(1)),
        }
    }

    #[inline(never)]
    fn coordinate_above(self, mut x: f64, len: usize) -> f64 {
        let signed = len as i64;
        let n = len as f64;
        let turned = |period: i64, turns: i64| period.wrapping_mul(turns) as f64;
        match self {
            Self::Nearest => n - 1.0,
            Self::Constant => -1.0,
            Self::GridConstant => x,
            _ if len <= 1 => 0.0,
            Self::Mirror => {
                let period = 2 * signed - 2;
                x -= turned(period, to_i64_like_x86(x / period as f64));
                if x >= n { period as f64 - x } else { x }
            }
            Self::Reflect => {
                let period = 2 * signed;
                x -= turned(period, to_i64_like_x86(x / period as f64));
                if x >= n { period as f64 - x - 1.0 } else { x }
            }
            Self::Wrap => {
                let period = signed - 1;
                x - turned(period, to_i64_like_x86(x / period as f64))
            }
            Self::GridWrap => x - turned(signed, to_i64_like_x86(x / n)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Border; 7] = [
        Border::Nearest,
        Border::Wrap,
        Border::Reflect,
        Border::Mirror,
        Border::Constant,
        Border::GridWrap,
        Border::GridConstant,
    ];

    fn drawn(border: Border, len: usize, before: isize, after: isize) -> String {
        let letter = |position| border.index(position, len).map_or(b'k', |index| b'a' + index as u8);
        (-before..len as isize + after).map(|position| char::from(letter(position))).collect()
    }

    #[test]
    fn lines_extend_as_drawn() {
        assert_eq!(drawn(Border::Nearest, 4, 3, 3), "aaaabcdddd");
        assert_eq!(drawn(Border::GridWrap, 4, 6, 6), "cdabcdabcdabcdab");
        assert_eq!(drawn(Border::Reflect, 4, 9, 5), "aabcddcbaabcddcbaa");
        assert_eq!(drawn(Border::Mirror, 4, 3, 7), "dcbabcdcbabcdc");
        assert_eq!(drawn(Border::Mirror, 1, 2, 2), "aaaaa");
        assert_eq!(drawn(Border::GridConstant, 2, 1, 2), "kabkk");
    }

    #[test]
    fn codes_are_scipys() {
        for (code, border) in ALL.into_iter().enumerate() {
            assert_eq!(border as usize, [0, 1, 2, 3, 4, 5, 6][code]);
            assert_eq!(Border::from_code(code as i32), Some(border));
        }
        assert_eq!(Border::from_code(7), None);
        assert_eq!(Border::from_code(-1), None);
    }

    /// Walk one step at a time from the middle of the array, bouncing at the ends.
    fn bounced(target: isize, n: isize, repeat_edge: bool) -> usize {
        let (mut position, mut direction) = (0_isize, if target < 0 { -1 } else { 1 });
        for _ in 0..target.abs() {
            let next = position + direction;
            if (0..n).contains(&next) {
                position = next;
            } else {
                direction = -direction;
                if !repeat_edge && n > 1 {
                    position += direction;
                }
            }
        }
        position as usize
    }

    proptest! {
        #[test]
        fn indices_are_those_of_a_walk(target in -60_isize..60, n in 1_usize..9) {
            prop_assert_eq!(Border::Reflect.index(target, n), Some(bounced(target, n as isize, true)));
            prop_assert_eq!(Border::Mirror.index(target, n), Some(bounced(target, n as isize, false)));
            prop_assert_eq!(Border::GridWrap.index(target, n), Some((target + 60 * n as isize) as usize % n));
        }

        #[test]
        fn whole_coordinates_map_like_indices(target in -60_isize..60, n in 2_usize..9) {
            for border in [Border::Reflect, Border::Mirror, Border::GridWrap, Border::Nearest] {
                let mapped = border.coordinate(target as f64, n);
                let index = border.index(target, n).unwrap() as f64;
                // `reflect` may land just above -1, on the other side of the seam, which samples the same pixel.
                let seam = border == Border::Reflect && index == 0.0 && (mapped + 1.0).abs() < 1e-9;
                prop_assert!(seam || (mapped - index).abs() < 1e-9, "{border:?} {target} {n}: {mapped} {index}");
            }
        }

        #[test]
        fn any_coordinate_is_answered(x in proptest::num::f64::ANY, n in 0_usize..5) {
            for border in ALL {
                let _ = border.coordinate(x, n);
            }
        }
    }
}
