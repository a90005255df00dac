//! Products of 2 x 2 matrices with the bits of NumPy's `@`.
//!
//! NumPy leaves them to a BLAS, which may round once or twice per product and sum. Which order of roundings this
//! machine's has is tried in Python, when a recipe is compiled; without a known one, such steps are left to Python.

/// How a sum of two products is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Every product and the sum.
    Each,
    /// The first product, then the sum with the exact second one.
    FusedSecond,
    /// The second product, then the sum with the exact first one.
    FusedFirst,
}

impl Rounding {
    /// The rule with this number, as Python counts them.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Each, Self::FusedSecond, Self::FusedFirst].get(usize::from(code)).copied()
    }

    /// `a * x + b * y`, summed from 0 on: a sum of negative zeros is 0.
    pub fn dot(self, [a, b]: [f64; 2], [x, y]: [f64; 2]) -> f64 {
        match self {
            Self::Each => 0.0 + a * x + b * y,
            Self::FusedSecond => b.mul_add(y, 0.0 + a * x),
            Self::FusedFirst => a.mul_add(x, 0.0 + b * y),
        }
    }
}

/// The rules of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Products {
    /// Of a matrix and a vector.
    pub vector: Rounding,
    /// Of two matrices.
    pub matrix: Rounding,
}

/// A 2 x 2 matrix, row by row.
pub type Matrix = [[f64; 2]; 2];

impl Products {
    /// `matrix @ vector`.
    pub fn times_vector(self, matrix: Matrix, vector: [f64; 2]) -> [f64; 2] {
        matrix.map(|row| self.vector.dot(row, vector))
    }

    /// `one @ other`.
    pub fn times(self, one: Matrix, other: Matrix) -> Matrix {
        let [[p, q], [r, s]] = other;
        one.map(|row| [self.matrix.dot(row, [p, r]), self.matrix.dot(row, [q, s])])
    }
}
