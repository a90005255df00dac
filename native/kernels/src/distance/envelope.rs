//! The nearest of the points that lie along a line, each with a squared distance of its own to the line.
//!
//! The squared distance to point `i` at place `x` is `(i - x)² + rest`, a parabola; the lower envelope of all parabolas
//! says which point is nearest where (Maurer, Qi and Raghavan, IEEE PAMI 25, 2003):
//!
//! ```text
//! for each point in order: drop the last ones kept that are nowhere nearest between their neighbours; keep the point
//! for each place in order: go on to the next point kept as long as it is nearer
//! ```
//!
//! All is computed in SciPy's order of operations, which decides between points that are equally far but for rounding.

use crate::memory;

/// Along which axis lines lie.
#[derive(Clone, Copy)]
pub(super) struct LineMetric {
    /// Distance between two elements.
    pub spacing: f64,
    /// What the later axes add to each squared distance: 0, or NaN if their spacing is not finite.
    pub later: f64,
}

/// A point that is kept.
#[derive(Clone, Copy, Default)]
struct Point {
    place: f64,
    rest: f64,
    index: i32,
}

/// Workspace for lines of a length.
pub(super) struct Envelope {
    points: Vec<Point>,
    /// Squared distance of each element's own point to the line; negative without a point.
    pub line: Vec<f64>,
    /// After [`find`](Self::find): the index of the nearest point.
    pub nearest: Vec<i32>,
}

impl Envelope {
    pub fn new(len: usize) -> Self {
        Self {
            points: memory::filled(Point::default(), len),
            line: memory::zeros(len),
            nearest: memory::zeros(len),
        }
    }

    /// Find the nearest point of each place; return false if there are no points.
    pub fn find(&mut self, metric: LineMetric) -> bool {
        let kept = self.keep(metric);
        let points = &self.points[..kept];
        let Some(mut current) = points.first() else { return false };
        let mut later = &points[1..];
        for (at, nearest) in self.nearest.iter_mut().enumerate() {
            let squared = |point: &Point| {
                let distance = (point.place - at as f64) * metric.spacing;
                point.rest + distance * distance
            };
            let mut least = squared(current);
            while let Some((next, rest)) = later.split_first() {
                let distance = squared(next);
                if least <= distance {
                    break;
                }
                (least, current, later) = (distance, next, rest);
            }
            *nearest = current.index;
        }
        true
    }

    /// Return how many points are kept.
    fn keep(&mut self, metric: LineMetric) -> usize {
        let spacing = metric.spacing;
        let mut kept = 0;
        for (index, squared) in self.line.iter().enumerate() {
            // Not for NaN.
            if *squared < 0.0 {
                continue;
            }
            let new = Point { place: index as f64, rest: squared + metric.later, index: index as i32 };
            while let [.., before, last] = &self.points[..kept] {
                let a = (last.place - before.place) * spacing;
                let b = (new.place - last.place) * spacing;
                let c = a + b;
                if c * last.rest - b * before.rest - a * new.rest - a * b * c <= 0.0 {
                    break;
                }
                kept -= 1;
            }
            self.points[kept] = new;
            kept += 1;
        }
        kept
    }
}
