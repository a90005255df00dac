//! How far each element lies from the nearest one of another label, for all labels at once.
//!
//! A way along an axis within a label is a run; what lies at its ends is at distance 1, 2, ... of its elements. Axis after axis,
//! the squared distance of an element is the least of the run's parabolas `rest + (place - x)²`, of which each end has one
//! with `rest` 0 (Felzenszwalb and Huttenlocher, Theory of Computing 8, 2012, and its use for labels in the package edt).
//! Whole numbers stay exact.

use crate::array::sample::Sample;
use crate::array::view::View;
use crate::error::{KernelError, Result};
use crate::exec::threads;
use crate::match_dtype;
use crate::memory::{self, CollectVec};

/// Neighbouring lines that are worked on together, so that their elements share cache lines.
const TILE: usize = 16;

/// Write distances, 0 where a label is 0 and infinity where there is nothing else. With `edges`, what lies outside the array
/// has another label. Spacings are positive. `labels` is C-contiguous.
///
/// # Errors
///
/// If shapes or memory layouts do not fit.
pub fn label_distances(
    distances: &mut [f32],
    labels: &View<'_>,
    spacings: &[f64],
    edges: bool,
) -> Result<()> {
    let shape = memory::copy(labels.shape());
    if shape.is_empty() || spacings.len() != shape.len() || distances.len() != labels.len() {
        return Err(KernelError::shape(format!("labels of shape {shape:?}: other distances or spacings")));
    }
    match_dtype!(View, labels, array => {
        let labels = array.as_slice().ok_or_else(|| KernelError::shape("labels that are not C-contiguous"))?;
        let zero = Default::default();
        let mut squares =
            labels.iter().map(|label| if *label == zero { 0.0 } else { f64::INFINITY }).collect_vec();
        let mut inner = 1;
        for (len, spacing) in shape.iter().zip(spacings).rev() {
            along_axis(&mut squares, labels, (*len, inner), *spacing, edges);
            inner *= len;
        }
        distances.iter_mut().zip(squares).for_each(|(to, square)| *to = square.sqrt() as f32);
    });
    Ok(())
}

/// Take into account what lies along an axis of `len` elements, which are `inner` apart.
fn along_axis<T: Sample>(
    squares: &mut [f64],
    labels: &[T],
    (len, inner): (usize, usize),
    spacing: f64,
    edges: bool,
) {
    let size = (len * inner).max(1);
    let tile = inner.min(TILE);
    let mut line = memory::filled((0.0, T::default()), len * tile);
    let mut envelope = RunEnvelope { points: memory::with_capacity(len + 2), spacing };
    for (squares, labels) in squares.chunks_exact_mut(size).zip(labels.chunks_exact(size)) {
        for first in (0..inner).step_by(TILE) {
            let count = tile.min(inner - first);
            for at in 0..len {
                for lane in 0..count {
                    let place = at * inner + first + lane;
                    line[lane * len + at] = (squares[place], labels[place]);
                }
            }
            for line in line.chunks_exact_mut(len).take(count) {
                envelope.lower(line, edges);
            }
            for at in 0..len {
                for lane in 0..count {
                    squares[at * inner + first + lane] = line[lane * len + at].0;
                }
            }
        }
        threads::check_interrupt();
    }
}

/// The points of a run, lowest where, and how far elements are apart.
struct RunEnvelope {
    /// Place, and squared distance from there.
    points: Vec<(f64, f64)>,
    spacing: f64,
}

impl RunEnvelope {
    /// Lower the squares of each run of a line.
    fn lower<T: Sample>(&mut self, line: &mut [(f64, T)], edges: bool) {
        let mut start = 0;
        while start < line.len() {
            let label = line[start].1;
            let end = start + line[start..].iter().take_while(|element| element.1 == label).count();
            if label != T::default() {
                self.points.clear();
                if start > 0 || edges {
                    memory::push(&mut self.points, (start as f64 - 1.0, 0.0));
                }
                for (at, element) in line.iter().enumerate().take(end).skip(start) {
                    if element.0 < f64::INFINITY {
                        self.keep((at as f64, element.0));
                    }
                }
                if end < line.len() || edges {
                    self.keep((end as f64, 0.0));
                }
                self.write(&mut line[start..end], start);
            }
            start = end;
        }
    }

    /// Drop the last points that are lowest nowhere beside the new one, and keep that.
    fn keep(&mut self, new: (f64, f64)) {
        while let [.., before, last] = &self.points[..] {
            let a = (last.0 - before.0) * self.spacing;
            let b = (new.0 - last.0) * self.spacing;
            let c = a + b;
            if c * last.1 - b * before.1 - a * new.1 - a * b * c < 0.0 {
                break;
            }
            self.points.pop();
        }
        memory::push(&mut self.points, new);
    }

    fn write<T>(&self, run: &mut [(f64, T)], start: usize) {
        let Some(mut current) = self.points.first() else { return };
        let mut later = &self.points[1..];
        for (at, element) in run.iter_mut().enumerate() {
            let square = |point: &(f64, f64)| {
                let distance = (point.0 - (start + at) as f64) * self.spacing;
                point.1 + distance * distance
            };
            let mut least = square(current);
            while let Some((next, rest)) = later.split_first() {
                let other = square(next);
                if least <= other {
                    break;
                }
                (least, current, later) = (other, next, rest);
            }
            element.0 = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equal_the_least_of_all_distances(
            shape in prop::collection::vec(1_usize..8, 1..4),
            labels in prop::collection::vec(prop::sample::select(vec![0_u8, 1, 1, 1, 2, 2]), 300),
            spacings in prop::sample::select(vec![[1.0, 1.0, 1.0], [2.0, 0.5, 3.0]]),
            edges in any::<bool>(),
        ) {
            let count: usize = shape.iter().product();
            let array = ArrayD::from_shape_vec(shape.clone(), labels.into_iter().cycle().take(count).collect()).unwrap();
            let spacings = &spacings[..shape.len()];
            let mut found = vec![9.0; count];
            label_distances(&mut found, &View::U8(array.view()), spacings, edges).unwrap();
            for ((place, label), found) in array.indexed_iter().zip(found) {
                let apart = |a: usize, b: usize, axis: usize| (a as f64 - b as f64) * spacings[axis];
                let mut least = f64::INFINITY;
                for (other, _) in array.indexed_iter().filter(|(_, other)| *other != label) {
                    least = least.min((0..shape.len()).map(|axis| apart(place[axis], other[axis], axis).powi(2)).sum());
                }
                for axis in (0..shape.len()).filter(|_| edges) {
                    let out = (place[axis] + 1).min(shape[axis] - place[axis]) as f64 * spacings[axis];
                    least = least.min(out * out);
                }
                prop_assert_eq!(found, if *label == 0 { 0.0 } else { least.sqrt() as f32 });
            }
        }
    }
}
