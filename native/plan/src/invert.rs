//! The way back through a displacement, point by point: Newton's method on its spline.
//!
//! ```text
//! for each goal y:
//!     x = y
//!     repeat:
//!         rest = x + d(x) - y
//!         if rest is small: x is the place
//!         step = inverse(1 + d'(x)) @ rest, shortened where that is far
//!         x -= step
//!         if step is so short that what it leaves, its square, is nothing: x is the place
//! ```
//!
//! A point at which this does not come to rest is left to the caller.

use crate::dtype::DType;
use ndarray::ArrayViewD;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::error::{KernelError, Result};

/// The highest spline order, plus one.
const MOST_TAPS: usize = 6;

/// Samples around the grid, of which a spline of any order reads those it needs.
const PAD: usize = 3;

/// Largest error in pixels with which a place counts as found.
const TOLERANCE: f64 = 1e-8;

/// A step this short in pixels leaves an error of its square; not at the kinks of a field of order 1.
const LAST_STEP: f64 = 1e-6;

/// Steps until a point is given up; three or four are usual.
const MOST_STEPS: usize = 40;

/// Determinants nearer to zero tell no direction.
const FLAT: f64 = 1e-6;

/// A displacement: spline coefficients on a coarse or full grid over the output.
#[derive(Debug)]
pub struct Field<'a> {
    /// Shape (n, *grid), with three more samples on each side of the grid.
    pub coefficients: View<'a>,
    /// Spline order, 1 to 5.
    pub order: usize,
    /// Length of each axis of the output.
    pub size: Vec<usize>,
    /// Displacements below this are the rounding of a sum, and count as none.
    pub nothing: f64,
}

/// Write the places that `goals`, shape (n, points), come from; NaN where none is found.
///
/// # Errors
///
/// For arrays that do not fit the field.
pub fn invert(field: &Field<'_>, goals: &View<'_>, places: ViewMut<'_>) -> Result<()> {
    let refused = || KernelError::shape("a field, goals and places that do not fit one another");
    let (View::F64(coefficients), View::F64(goals), ViewMut::F64(places)) =
        (&field.coefficients, goals, places)
    else {
        return Err(KernelError::parameter(format!("a field is float64, not {:?}", DType::of(goals))));
    };
    let rank = field.size.len();
    let fits = coefficients.ndim() == rank + 1
        && coefficients.shape()[0] == rank
        && coefficients.shape()[1..].iter().all(|len| *len > 2 * PAD)
        && (1..MOST_TAPS).contains(&field.order)
        && goals.ndim() == 2
        && goals.shape()[0] == rank
        && goals.shape() == places.shape();
    if !fits {
        return Err(refused());
    }
    let mut places = places;
    let (Some(goals), Some(places)) = (goals.as_slice(), places.as_slice_mut()) else {
        return Err(refused());
    };
    match rank {
        1 => Spline::<1>::new(field, coefficients).ok_or_else(refused)?.invert(goals, places),
        2 => Spline::<2>::new(field, coefficients).ok_or_else(refused)?.invert(goals, places),
        3 => Spline::<3>::new(field, coefficients).ok_or_else(refused)?.invert(goals, places),
        _ => return Err(refused()),
    }
    Ok(())
}

/// A field of N axes.
struct Spline<'a, const N: usize> {
    coefficients: &'a [f64],
    order: usize,
    /// Nodes along each axis.
    grid: [usize; N],
    /// The last pixel of the output.
    last: [f64; N],
    /// Nodes per output pixel.
    scale: [f64; N],
    /// Elements from one node to the next.
    strides: [usize; N],
    /// Elements of one component.
    component: usize,
    nothing: f64,
}

/// The taps of a spline about a point, along one axis.
#[derive(Clone, Copy)]
struct AxisTaps {
    first: usize,
    value: [f64; MOST_TAPS],
    slope: [f64; MOST_TAPS],
}

type Slopes<const N: usize> = [[f64; N]; N];

impl<'a, const N: usize> Spline<'a, N> {
    fn new(field: &Field<'_>, coefficients: &'a ArrayViewD<'_, f64>) -> Option<Self> {
        let shape = &coefficients.shape()[1..];
        let grid: [usize; N] = std::array::from_fn(|axis| shape[axis] - 2 * PAD);
        let last = std::array::from_fn(|axis| (field.size[axis].max(1) - 1) as f64);
        let scale = std::array::from_fn(|axis| {
            if field.size[axis] > 1 { (grid[axis] - 1) as f64 / last[axis] } else { 0.0 }
        });
        let strides = std::array::from_fn(|axis| shape[axis + 1..].iter().product());
        let component = shape.iter().product();
        let coefficients = coefficients.as_slice()?;
        let (order, nothing) = (field.order, field.nothing);
        Some(Self { coefficients, order, grid, last, scale, strides, component, nothing })
    }

    fn invert(&self, goals: &[f64], places: &mut [f64]) {
        let count = goals.len() / N;
        for point in 0..count {
            let goal: [f64; N] = std::array::from_fn(|axis| goals[axis * count + point]);
            let place = self.place(goal).unwrap_or([f64::NAN; N]);
            for (axis, along) in place.into_iter().enumerate() {
                places[axis * count + point] = along;
            }
        }
    }

    /// The place of one goal.
    fn place(&self, goal: [f64; N]) -> Option<[f64; N]> {
        if !goal.iter().all(|along| along.is_finite()) {
            return None;
        }
        let mut place = goal;
        for _ in 0..MOST_STEPS {
            let (displacement, slopes) = self.at(place);
            let rest = std::array::from_fn(|axis| place[axis] + displacement[axis] - goal[axis]);
            let size = largest(&rest);
            if size < TOLERANCE {
                return Some(place);
            }
            let step = solved(slopes, rest).unwrap_or(rest);
            // A derivative near zero leads far away.
            let shortened = ((1.0 + 2.0 * size) / largest(&step).max(1e-300)).min(1.0);
            for (along, step) in place.iter_mut().zip(step) {
                *along -= step * shortened;
            }
            if self.order > 1 && size < LAST_STEP && largest(&step) < LAST_STEP {
                return Some(place);
            }
        }
        None
    }

    /// The displacement at a point of the output, and the derivative of the point plus its displacement.
    fn at(&self, point: [f64; N]) -> ([f64; N], Slopes<N>) {
        let taps: [AxisTaps; N] = std::array::from_fn(|axis| self.taps(point[axis], axis));
        let start: usize = (0..N).map(|axis| taps[axis].first * self.strides[axis]).sum();
        let count = self.order + 1;
        let (mut displacement, mut slopes) = ([0.0; N], [[0.0; N]; N]);
        for component in 0..N {
            let coefficients = &self.coefficients[component * self.component + start..];
            let (value, slope) = self.sums(coefficients, &taps, 0, count);
            displacement[component] = if value.abs() < self.nothing { 0.0 } else { value };
            slopes[component] = slope;
            slopes[component][component] += 1.0;
        }
        (displacement, slopes)
    }

    /// The weighted sum of the coefficients along an axis and those after it, and its derivatives.
    fn sums(&self, coefficients: &[f64], taps: &[AxisTaps; N], axis: usize, count: usize) -> (f64, [f64; N]) {
        let (mut value, mut slopes) = (0.0, [0.0; N]);
        let AxisTaps { value: weights, slope: steep, .. } = &taps[axis];
        for tap in 0..count {
            if axis + 1 == N {
                value += weights[tap] * coefficients[tap];
                slopes[axis] += steep[tap] * coefficients[tap];
                continue;
            }
            let (inner, inner_slopes) =
                self.sums(&coefficients[tap * self.strides[axis]..], taps, axis + 1, count);
            value += weights[tap] * inner;
            slopes[axis] += steep[tap] * inner;
            for later in axis + 1..N {
                slopes[later] += weights[tap] * inner_slopes[later];
            }
        }
        (value, slopes)
    }

    /// Weights along an axis; outside the output the field continues as it ends.
    fn taps(&self, along: f64, axis: usize) -> AxisTaps {
        let (order, top) = (self.order, (self.grid[axis] - 1) as f64);
        let place = (along * self.scale[axis]).clamp(0.0, top);
        let is_odd = order % 2 == 1;
        let node = if is_odd { place.floor().min((top - 1.0).max(0.0)) } else { (place + 0.5).floor() };
        let within = if is_odd { place - node } else { place + 0.5 - node };
        let (value, mut slope) = basis(within, order);
        let is_inside = along >= 0.0 && along <= self.last[axis] && top > 0.0;
        let factor = if is_inside { self.scale[axis] } else { 0.0 };
        slope.iter_mut().for_each(|slope| *slope *= factor);
        AxisTaps { first: node as usize + PAD - order / 2, value, slope }
    }
}

/// The B-splines of an order at a point of an interval, from 0 to 1, by the recursion of Cox and de Boor; their slopes.
fn basis(within: f64, order: usize) -> ([f64; MOST_TAPS], [f64; MOST_TAPS]) {
    let (mut value, mut slope) = ([0.0; MOST_TAPS], [0.0; MOST_TAPS]);
    value[0] = 1.0;
    for degree in 1..=order {
        let lower = value;
        for tap in 0..=degree {
            let before = if tap > 0 { lower[tap - 1] } else { 0.0 };
            let here = if tap < degree { lower[tap] } else { 0.0 };
            value[tap] = ((within + (degree - tap) as f64) * before + (tap as f64 + 1.0 - within) * here)
                / degree as f64;
            slope[tap] = before - here;
        }
    }
    (value, slope)
}

fn largest<const N: usize>(values: &[f64; N]) -> f64 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

/// Solve `matrix @ x = right` by elimination with pivots; `None` for a matrix that is nearly singular.
fn solved<const N: usize>(mut matrix: Slopes<N>, mut right: [f64; N]) -> Option<[f64; N]> {
    let mut determinant = 1.0;
    for column in 0..N {
        let size = |row: &usize| matrix[*row][column].abs();
        let pivot = (column..N).max_by(|a, b| size(a).total_cmp(&size(b)))?;
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let head = matrix[column][column];
        determinant *= head;
        if head == 0.0 {
            return None;
        }
        for row in column + 1..N {
            let factor = matrix[row][column] / head;
            let above = matrix[column];
            for (entry, above) in matrix[row].iter_mut().zip(above).skip(column) {
                *entry -= factor * above;
            }
            right[row] -= factor * right[column];
        }
    }
    if determinant.abs().is_nan() || determinant.abs() <= FLAT {
        return None;
    }
    for row in (0..N).rev() {
        let known: f64 = (row + 1..N).map(|column| matrix[row][column] * right[column]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array, IxDyn};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn weights_sum_to_one_and_slopes_are_those_of_the_weights(within in 0.0..1.0_f64, order in 1..6_usize) {
            let (value, slope) = basis(within, order);
            prop_assert!((value.iter().sum::<f64>() - 1.0).abs() < 1e-14);
            prop_assert!(slope.iter().sum::<f64>().abs() < 1e-14);
            let (before, after) = (basis(within - 1e-6, order).0, basis(within + 1e-6, order).0);
            for tap in 0..MOST_TAPS {
                prop_assert!((slope[tap] - (after[tap] - before[tap]) / 2e-6).abs() < 1e-6);
            }
        }

        #[test]
        fn a_place_leads_to_its_goal(
            nodes in prop::collection::vec(-1.0..1.0_f64, 2 * 10 * 11),
            goals in prop::collection::vec(-4.0..44.0_f64, 2 * 30),
            order in 1..6_usize,
        ) {
            let array = Array::from_shape_vec(IxDyn(&[2, 10, 11]), nodes).unwrap();
            let coefficients = View::F64(array.view());
            let field = Field { coefficients, order, size: vec![40, 41], nothing: 0.0 };
            let goals = Array::from_shape_vec(IxDyn(&[2, 30]), goals).unwrap();
            let mut places = Array::<f64, _>::zeros(IxDyn(&[2, 30]));
            invert(&field, &View::F64(goals.view()), ViewMut::F64(places.view_mut())).unwrap();
            let spline = Spline::<2>::new(&field, &array.view()).map(|_| ());
            prop_assert!(spline.is_some());
            let view = array.view();
            let spline = Spline::<2>::new(&field, &view).unwrap();
            for point in 0..30 {
                let place = [places[[0, point]], places[[1, point]]];
                let (moved, slopes) = spline.at(place);
                for axis in 0..2 {
                    prop_assert!((place[axis] + moved[axis] - goals[[axis, point]]).abs() < TOLERANCE);
                }
                prop_assert!(solved(slopes, [1.0, 0.0]).is_some());
            }
        }
    }
}
