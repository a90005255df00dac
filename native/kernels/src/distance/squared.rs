//! Squared distances: whole numbers where no step of SciPy's rounds, else `f64`.

use crate::array::view::ViewMut;
use crate::distance::nearby::{LANES, NONE};
use crate::memory::Zero;
use ndarray::ArrayViewMutD;

/// A squared distance, or none.
pub(super) trait Squared: Zero + Send + Sync + 'static {
    const NONE: Self;
    const ZERO: Self;
    /// Lines per group.
    const LANES: usize;

    fn view(array: ArrayViewMutD<'_, Self>) -> ViewMut<'_>;
    fn typed(view: ViewMut<'_>) -> Option<ArrayViewMutD<'_, Self>>;
    /// Negative for none.
    fn to_f64(self) -> f64;
    /// The sum with the square of a distance.
    fn plus_square(self, distance: f64) -> Self;
    /// The squares as whole numbers.
    fn whole(_squares: &[Self]) -> Option<&[i32]> {
        None
    }
    fn whole_mut(_squares: &mut [Self]) -> Option<&mut [i32]> {
        None
    }
}

impl Squared for i32 {
    const NONE: Self = NONE;
    const ZERO: Self = 0;
    const LANES: usize = LANES;

    #[inline]
    fn view(array: ArrayViewMutD<'_, Self>) -> ViewMut<'_> {
        ViewMut::I32(array)
    }

    #[inline]
    fn typed(view: ViewMut<'_>) -> Option<ArrayViewMutD<'_, Self>> {
        if let ViewMut::I32(array) = view { Some(array) } else { None }
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        if self == NONE { -1.0 } else { f64::from(self) }
    }

    #[inline(always)]
    fn plus_square(self, distance: f64) -> Self {
        // What is too far wraps, and is not used.
        let distance = distance as i32;
        self.wrapping_add(distance.wrapping_mul(distance))
    }

    #[inline]
    fn whole(squares: &[Self]) -> Option<&[i32]> {
        Some(squares)
    }

    #[inline]
    fn whole_mut(squares: &mut [Self]) -> Option<&mut [i32]> {
        Some(squares)
    }
}

impl Squared for f64 {
    const NONE: Self = -1.0;
    const ZERO: Self = 0.0;
    const LANES: usize = 8;

    #[inline]
    fn view(array: ArrayViewMutD<'_, Self>) -> ViewMut<'_> {
        ViewMut::F64(array)
    }

    #[inline]
    fn typed(view: ViewMut<'_>) -> Option<ArrayViewMutD<'_, Self>> {
        if let ViewMut::F64(array) = view { Some(array) } else { None }
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn plus_square(self, distance: f64) -> Self {
        self + distance * distance
    }
}
