//! Coordinate maps of images, and how they join: the mirror of `offgraph/geometry/{grid_map,affine_map}.py`.
//!
//! Sums and products stand in Python's order, each rounded, so that composed maps have the same bits.

use crate::recipe::Unplanned;
use crate::recipe::projective::ProjectiveMap;

/// Lengths of the two spatial axes.
pub type Size = [usize; 2];

/// Pixels by which rounding may carry a coordinate over the border of an image that it lies on.
pub const SLACK: f64 = 1e-9;

/// What Python's maps refuse as too far outside.
const FARTHEST: i64 = 1 << 48;

/// Whole pixels: `input[axes[i]] = start[i] ± output[i]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GridMap {
    pub axes: [usize; 2],
    pub flips: [bool; 2],
    pub start: [i64; 2],
    pub input_size: Size,
    pub output_size: Size,
}

impl GridMap {
    pub fn identity(size: Size) -> Self {
        Self { axes: [0, 1], flips: [false; 2], start: [0; 2], input_size: size, output_size: size }
    }

    /// `size` pixels from `start`, which may lie outside.
    pub fn crop(start: [i64; 2], size: Size, input_size: Size) -> Result<Self, Unplanned> {
        Self { start, output_size: size, ..Self::identity(input_size) }.checked()
    }

    pub fn flip(axis: usize, size: Size) -> Self {
        let mut grid = Self::identity(size);
        grid.flips[axis] = true;
        grid.start[axis] = size[axis] as i64 - 1;
        grid
    }

    fn checked(self) -> Result<Self, Unplanned> {
        if self.start.iter().any(|first| first.abs() >= FARTHEST) {
            return Err(Unplanned::NeedsPython);
        }
        Ok(self)
    }

    /// Whether some output pixel lies outside the input.
    pub fn reaches_outside(&self) -> bool {
        (0..2).any(|i| {
            let (low, high) = self.seen(i);
            self.output_size[i] > 0 && (low < 0 || high >= self.input_size[self.axes[i]] as i64)
        })
    }

    /// The first and the last pixel of the input that are seen along an axis of the output.
    fn seen(&self, i: usize) -> (i64, i64) {
        let (first, reach) = (self.start[i], self.output_size[i] as i64 - 1);
        if self.flips[i] { (first - reach, first) } else { (first, first + reach) }
    }

    /// Whether all of the input is seen; exactly: and nothing beyond it.
    pub fn shows(&self, exactly: bool) -> bool {
        (0..2).all(|i| {
            let ((low, high), last) = (self.seen(i), self.input_size[self.axes[i]] as i64 - 1);
            low <= 0 && high >= last && (!exactly || (low, high) == (0, last))
        })
    }

    pub fn affine(&self) -> AffineMap {
        let mut map = AffineMap {
            matrix: [[0.0; 2]; 2],
            offset: [0.0; 2],
            input_size: self.input_size,
            output_size: self.output_size,
        };
        for i in 0..2 {
            map.matrix[self.axes[i]][i] = if self.flips[i] { -1.0 } else { 1.0 };
            map.offset[self.axes[i]] = self.start[i] as f64;
        }
        map
    }

    fn times(&self, after: &Self) -> Result<Self, Unplanned> {
        let mut joined = Self { input_size: self.input_size, output_size: after.output_size, ..*after };
        for i in 0..2 {
            let (axis, first) = (after.axes[i], after.start[i]);
            joined.axes[i] = self.axes[axis];
            joined.flips[i] = self.flips[axis] != after.flips[i];
            joined.start[i] = self.start[axis] + if self.flips[axis] { -first } else { first };
        }
        joined.checked()
    }
}

/// `input = matrix @ output + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AffineMap {
    pub matrix: [[f64; 2]; 2],
    pub offset: [f64; 2],
    pub input_size: Size,
    pub output_size: Size,
}

impl AffineMap {
    /// A map of these numbers, which must be finite.
    pub fn new(
        matrix: [[f64; 2]; 2],
        offset: [f64; 2],
        input_size: Size,
        output_size: Size,
    ) -> Result<Self, Unplanned> {
        if matrix.as_flattened().iter().chain(&offset).all(|number| number.is_finite()) {
            Ok(Self { matrix, offset, input_size, output_size })
        } else {
            Err(Unplanned::NeedsPython)
        }
    }

    fn times(&self, after: &Self) -> Result<Self, Unplanned> {
        let ([[p, q], [r, s]], [x, y]) = (after.matrix, after.offset);
        let row = |[a, b]: [f64; 2]| [0.0 + a * p + b * r, 0.0 + a * q + b * s];
        let first = |i: usize| {
            let [a, b] = self.matrix[i];
            0.0 + a * x + b * y + self.offset[i]
        };
        Self::new(self.matrix.map(row), [first(0), first(1)], self.input_size, after.output_size)
    }

    fn reads_inside(&self) -> bool {
        (0..2).all(|i| {
            let (mut least, mut most) = (0.0_f64, 0.0_f64);
            for (factor, length) in self.matrix[i].into_iter().zip(self.output_size) {
                if factor != 0.0 {
                    let (one, other) = (factor * 0.0, factor * (length as f64 - 1.0).max(0.0));
                    least += one.min(other);
                    most += one.max(other);
                }
            }
            let first = self.offset[i];
            first + least >= -SLACK && first + most <= self.input_size[i] as f64 - 1.0 + SLACK
        })
    }

    /// The grid map that it is but for the rounding of its composition, as turns that cancel are.
    fn whole_pixels(&self) -> Option<GridMap> {
        if self.matrix.as_flattened().iter().any(|factor| (factor - factor.round_ties_even()).abs() > SLACK) {
            return None;
        }
        for (row, first) in self.matrix.iter().zip(self.offset) {
            let off = |number: f64| (number - number.round_ties_even()).abs();
            let [rows, columns] = self.output_size.map(|length| length as f64);
            if off(row[0]) * rows + off(row[1]) * columns + off(first) > SLACK {
                return None;
            }
        }
        let matrix = self.matrix.map(|row| row.map(f64::round_ties_even));
        let offset = self.offset.map(f64::round_ties_even);
        let axes = match matrix.map(|row| row.map(f64::abs)) {
            [[1.0, 0.0], [0.0, 1.0]] => [0, 1],
            [[0.0, 1.0], [1.0, 0.0]] => [1, 0],
            _ => return None,
        };
        if offset.iter().any(|first| first.abs() >= FARTHEST as f64) {
            return None;
        }
        Some(GridMap {
            axes,
            flips: [0, 1].map(|i: usize| matrix[axes[i]][i] < 0.0),
            start: axes.map(|axis| offset[axis] as i64),
            input_size: self.input_size,
            output_size: self.output_size,
        })
    }
}

/// A map of a kind that joins with the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Map {
    Grid(GridMap),
    Affine(AffineMap),
    Projective(ProjectiveMap),
}

impl Map {
    /// The affine map that it is; None for a projective one.
    pub fn affine(&self) -> Option<AffineMap> {
        match self {
            Self::Grid(grid) => Some(grid.affine()),
            Self::Affine(affine) => Some(*affine),
            Self::Projective(_) => None,
        }
    }

    /// The same as a projective map.
    pub fn projective(&self) -> ProjectiveMap {
        match self {
            Self::Grid(grid) => grid.affine().into(),
            Self::Affine(affine) => (*affine).into(),
            Self::Projective(map) => *map,
        }
    }

    /// This map followed by `after`, as one map.
    pub fn then(&self, after: &Self) -> Result<Self, Unplanned> {
        match (self, after) {
            (Self::Grid(first), Self::Grid(second)) => first.times(second).map(Self::Grid),
            _ => match (self.affine(), after.affine()) {
                (Some(first), Some(second)) => first.times(&second).map(Self::Affine),
                _ => self.projective().times(&after.projective()).map(Self::Projective),
            },
        }
    }

    pub fn output_size(&self) -> Size {
        match self {
            Self::Grid(GridMap { output_size, .. })
            | Self::Affine(AffineMap { output_size, .. })
            | Self::Projective(ProjectiveMap { output_size, .. }) => *output_size,
        }
    }

    /// Whether every output pixel lies between the first and the last pixel centre of the input.
    pub fn reads_inside(&self) -> bool {
        match self {
            Self::Grid(grid) => !grid.reaches_outside(),
            Self::Affine(affine) => affine.reads_inside(),
            Self::Projective(map) => map.reads_inside(),
        }
    }

    /// The grid map that it is, or is but for rounding.
    pub fn whole_pixels(&self) -> Option<GridMap> {
        match self {
            Self::Grid(grid) => Some(*grid),
            Self::Affine(affine) => affine.whole_pixels(),
            Self::Projective(_) => None,
        }
    }
}
