//! Projective maps of images: the mirror of `offgraph/geometry/projective_map.py`, in Python's order of operations.

use crate::recipe::Unplanned;
use crate::recipe::maps::{AffineMap, SLACK, Size};
use crate::recipe::random::Draw;
use crate::recipe::steps::Setting;

/// Rows of three numbers.
type Rows<const WIDTH: usize> = [[f64; WIDTH]; 3];

/// Three points are on one line where a fourth weighs them by less.
const ON_A_LINE: f64 = 1e-9;

/// The smallest pivot of an elimination.
const SINGULAR: f64 = 1e-300;

/// `[w * input, w] = matrix @ [output, 1]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProjectiveMap {
    pub matrix: Rows<3>,
    pub input_size: Size,
    pub output_size: Size,
}

impl From<AffineMap> for ProjectiveMap {
    fn from(map: AffineMap) -> Self {
        let [[a, b], [c, d]] = map.matrix;
        let [x, y] = map.offset;
        let matrix = [[a, b, x], [c, d, y], [0.0, 0.0, 1.0]];
        Self { matrix, input_size: map.input_size, output_size: map.output_size }
    }
}

impl ProjectiveMap {
    /// The map that takes four output points to four input points.
    fn from_points(output: [[f64; 2]; 4], input: [[f64; 2]; 4], size: Size) -> Result<Self, Unplanned> {
        let side = |points: [[f64; 2]; 4]| {
            let column = |i: usize| points[i].into_iter().chain([1.0]);
            let mut system = [[0.0; 4]; 3];
            for i in 0..4 {
                system.iter_mut().zip(column(i)).for_each(|(row, number)| row[i] = number);
            }
            let weights = solved::<4, 1>(system).ok_or(Unplanned::NeedsPython)?;
            if weights.iter().any(|[weight]| weight.is_nan() || weight.abs() < ON_A_LINE) {
                return Err(Unplanned::NeedsPython);
            }
            Ok(system.map(|row| [0, 1, 2].map(|i: usize| row[i] * weights[i][0])))
        };
        let (from, to) = (side(output)?, side(input)?);
        // Both transposed, side by side.
        let system = [0, 1, 2].map(|i: usize| {
            let [a, b, c] = from.map(|row| row[i]);
            let [x, y, z] = to.map(|row| row[i]);
            [a, b, c, x, y, z]
        });
        let back = solved::<6, 3>(system).ok_or(Unplanned::NeedsPython)?;
        let mut matrix = [0, 1, 2].map(|i: usize| back.map(|row| row[i]));
        let scale = |last: [f64; 3], [y, x]: [f64; 2]| 0.0 + last[0] * y + last[1] * x + last[2] * 1.0;
        let mut scales = output.map(|point| scale(matrix[2], point));
        let most = |scales: &[f64; 4]| scales.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if most(&scales) < 0.0 {
            matrix = matrix.map(|row| row.map(|number| -number));
            scales = scales.map(|scale| -scale);
        }
        if !scales.iter().all(|scale| *scale > 0.0) {
            return Err(Unplanned::NeedsPython);
        }
        let most = most(&scales);
        Self {
            matrix: matrix.map(|row| row.map(|number| number / most)),
            input_size: size,
            output_size: size,
        }
        .checked()
    }

    fn checked(self) -> Result<Self, Unplanned> {
        let is_finite = self.matrix.as_flattened().iter().all(|number| number.is_finite());
        if is_finite { Ok(self) } else { Err(Unplanned::NeedsPython) }
    }

    /// This map followed by another.
    pub fn times(&self, after: &Self) -> Result<Self, Unplanned> {
        let column = |i: usize| after.matrix.map(|row| row[i]);
        let matrix = self.matrix.map(|row| [0, 1, 2].map(|i: usize| dot(row, column(i))));
        let largest = matrix.as_flattened().iter().fold(0.0, |most: f64, number| most.max(number.abs()));
        let matrix =
            if largest > 0.0 { matrix.map(|row| row.map(|number| number / largest)) } else { matrix };
        Self { matrix, input_size: self.input_size, output_size: after.output_size }.checked()
    }

    /// Whether every output pixel lies between the first and the last pixel centre of the input, in front of the horizon.
    pub fn reads_inside(&self) -> bool {
        let last = self.output_size.map(|length| (length as f64 - 1.0).max(0.0));
        let is_inside = |row: f64, column: f64| {
            let [y, x, scale] = self.matrix.map(|[a, b, first]| first + a * row + b * column);
            if scale.is_nan() || scale <= 0.0 || !y.is_finite() || !x.is_finite() {
                return false;
            }
            [y / scale, x / scale]
                .into_iter()
                .zip(self.input_size)
                .all(|(place, n)| place >= -SLACK && place <= n as f64 - 1.0 + SLACK)
        };
        is_inside(0.0, 0.0)
            && is_inside(0.0, last[1])
            && is_inside(last[0], 0.0)
            && is_inside(last[0], last[1])
    }
}

fn dot(one: [f64; 3], other: [f64; 3]) -> f64 {
    one.into_iter().zip(other).fold(0.0, |sum, (a, b)| sum + a * b)
}

/// Solve `[matrix | right]` by elimination with the largest pivots; None if it is singular.
fn solved<const WIDTH: usize, const RIGHT: usize>(mut rows: Rows<WIDTH>) -> Option<Rows<RIGHT>> {
    for column in 0..3 {
        let mut pivot = column;
        for i in column + 1..3 {
            if rows[i][column].abs() > rows[pivot][column].abs() {
                pivot = i;
            }
        }
        if rows[pivot][column].abs() < SINGULAR {
            return None;
        }
        rows.swap(column, pivot);
        let of_pivot = rows[column];
        for (i, row) in rows.iter_mut().enumerate() {
            if i != column {
                let factor = row[column] / of_pivot[column];
                row.iter_mut().zip(of_pivot).for_each(|(a, b)| *a -= factor * b);
            }
        }
    }
    Some([0, 1, 2].map(|i: usize| std::array::from_fn(|place| rows[i][3 + place] / rows[i][i])))
}

/// `Perspective`: where the corners of the output are read.
pub(super) fn perspective(
    draw: &mut Draw,
    distortion: Setting,
    inwards: bool,
    size: Size,
) -> Result<ProjectiveMap, Unplanned> {
    const CORNERS: [[f64; 2]; 4] = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let share = distortion.draw(draw);
    let low = if inwards { 0.0 } else { -share };
    let mut corners = CORNERS;
    for corner in &mut corners {
        let far = [(); 2].map(|()| if share == 0.0 { 0.0 } else { draw.uniform(low, share) });
        for (end, far) in corner.iter_mut().zip(far) {
            *end = if *end == 0.0 { far } else { *end - far };
        }
    }
    let sides = size.map(|length| length.max(1) as f64);
    let placed = |points: [[f64; 2]; 4]| points.map(|[y, x]| [y * sides[0] - 0.5, x * sides[1] - 0.5]);
    ProjectiveMap::from_points(placed(CORNERS), placed(corners), size)
}
