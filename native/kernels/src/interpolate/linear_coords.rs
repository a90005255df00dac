//! Coordinates that change by equal steps along a row, as those of an affine map, and which of them lie inside.

use std::ops::Range;

/// The coordinate `start + position * step` on one axis of the input, rounded twice as in SciPy.
///
/// Rounding is monotonic, so the coordinates are too.
#[derive(Debug, Clone, Copy)]
pub struct LinearCoords {
    /// The coordinate at position 0.
    pub start: f64,
    /// The difference between adjacent positions.
    pub step: f64,
}

impl LinearCoords {
    /// The coordinate at a position.
    #[inline(always)]
    pub fn at(self, position: usize) -> f64 {
        self.start + position as f64 * self.step
    }

    /// The `positions` whose coordinates lie in `0..=last`, or `0..last` if not `closed`.
    ///
    /// Empty if start or step is not finite.
    #[inline]
    pub fn inside(self, positions: Range<usize>, last: f64, closed: bool) -> Range<usize> {
        self.between(positions, 0.0, if closed { last } else { last.next_down() })
    }

    /// The `positions` whose coordinates lie in `low..=high`. Empty if start or step is not finite.
    #[inline]
    pub fn between(self, positions: Range<usize>, low: f64, high: f64) -> Range<usize> {
        let Range { start, end } = positions;
        let is_inside = |x: f64| x >= low && x <= high;
        if start >= end || !(self.start.is_finite() && self.step.is_finite()) {
            return 0..0;
        }
        let (of_first, of_last) = (self.at(start), self.at(end - 1));
        let (starts_inside, ends_inside) = (is_inside(of_first), is_inside(of_last));
        // All lie on one side; a walk along equal coordinates would find that one by one.
        if of_first.max(of_last) < low || of_first.min(of_last) > high {
            return start..start;
        }
        let rises = self.step >= 0.0;
        let first = match (starts_inside, rises) {
            (true, _) => start,
            (false, true) => self.first(&positions, low, |x| x >= low),
            (false, false) => self.first(&positions, high, |x| x <= high),
        };
        let past_last = match (ends_inside, rises) {
            (true, _) => end,
            (false, true) => self.first(&(first..end), high, |x| x > high),
            (false, false) => self.first(&(first..end), low, |x| x < low),
        };
        first..past_last
    }

    /// The first of `positions` where `arrived` holds, which changes once, near the coordinate `x`.
    #[inline]
    fn first(self, positions: &Range<usize>, x: f64, arrived: impl Fn(f64) -> bool) -> usize {
        // Conversions saturate, and NaN becomes 0: the steps below correct any first estimate.
        let passed = ((x - self.start) / self.step) as usize;
        let mut position = passed.saturating_add(1).clamp(positions.start, positions.end);
        while position > positions.start && arrived(self.at(position - 1)) {
            position -= 1;
        }
        while position < positions.end && !arrived(self.at(position)) {
            position += 1;
        }
        position
    }
}

/// Linear coordinates from a position below 2^31 on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinearAxis {
    /// The coordinates of all positions.
    pub coords: LinearCoords,
    /// The position of the first point.
    pub first: i32,
}

/// Points of linear coordinates are located in whole blocks of this many: what is left over would be computed one by one,
/// and rows are short.
pub(crate) const POINTS: usize = 32;

/// The coordinates of points on one axis.
pub(crate) trait AxisPoints: Copy {
    /// That of a point.
    fn coordinate(self, point: usize) -> f64;

    /// `count`, or more points up to a whole block if they have coordinates, too.
    fn whole(self, count: usize) -> usize;
}

impl AxisPoints for LinearAxis {
    #[inline(always)]
    fn coordinate(self, point: usize) -> f64 {
        // A position below 2^31 is exact as i32, which every level converts to f64 in one instruction.
        self.coords.start + f64::from(self.first + point as i32) * self.coords.step
    }

    #[inline(always)]
    fn whole(self, count: usize) -> usize {
        count.next_multiple_of(POINTS)
    }
}

impl AxisPoints for &[f64] {
    #[inline(always)]
    fn coordinate(self, point: usize) -> f64 {
        self[point]
    }

    #[inline(always)]
    fn whole(self, count: usize) -> usize {
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_positions_inside_are_those_of_a_walk(
            start in prop_oneof![-90.0..90.0_f64, (-9_i32..9).prop_map(f64::from)],
            step in prop_oneof![-3.0..3.0_f64, (-4_i32..4).prop_map(|n| f64::from(n) / 4.0), Just(1e-18)],
            first in 0_usize..40,
            count in 0_usize..70,
            len in 1_usize..60,
            closed in any::<bool>(),
        ) {
            let coords = LinearCoords { start, step };
            let last = len as f64 - 1.0;
            let found = coords.inside(first..first + count, last, closed);
            let inside: Vec<usize> = (first..first + count)
                .filter(|i| (0.0..last).contains(&coords.at(*i)) || (closed && coords.at(*i) == last))
                .collect();
            prop_assert_eq!(found.clone().collect::<Vec<_>>(), inside);
        }

        #[test]
        fn any_numbers_are_answered(start in proptest::num::f64::ANY, step in proptest::num::f64::ANY) {
            let found = LinearCoords { start, step }.inside(3..50, 20.0, true);
            prop_assert!(found.is_empty() || (found.start >= 3 && found.end <= 50));
        }
    }
}
