//! Polygons of an image darkened, by the even-odd rule at the centres of pixels.
//!
//! Each edge that crosses a row gives one abscissa there; pixels before it change sides. Sorted, these are the ends of
//! the runs of pixels inside.

use crate::array::level::GreyLevel;
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::memory;
use ndarray::{ArrayViewD, ArrayViewMutD};
use std::ops::Range;

/// A polygon and what it does.
#[derive(Debug, Clone, PartialEq)]
pub struct Shade {
    /// Values inside are multiplied by it, in `f32`.
    pub factor: f32,
    /// Corners (row, column) in order.
    pub corners: Vec<[f64; 2]>,
}

/// Darken polygons, one after another, of an image (rows, columns, channels) of `u8`, `u16` or `f32` in C order.
pub fn darken(output: ViewMut<'_>, input: &View<'_>, shades: &[Shade]) -> Result<()> {
    let &[rows, columns, channels] = input.shape() else {
        return Err(KernelError::shape("rows, columns and channels have three axes"));
    };
    if output.shape() != input.shape() {
        return Err(KernelError::shape(format!("shade of {:?} on {:?}", input.shape(), output.shape())));
    }
    if output.is_empty() {
        return Ok(());
    }
    let plane = [rows, columns, channels];
    match (output, input) {
        (ViewMut::U8(to), View::U8(from)) => typed(to, from, plane, shades),
        (ViewMut::U16(to), View::U16(from)) => typed(to, from, plane, shades),
        (ViewMut::F32(to), View::F32(from)) => typed(to, from, plane, shades),
        _ => Err(KernelError::parameter("shade falls on uint8, uint16 or float32")),
    }
}

fn typed<T: GreyLevel>(
    to: ArrayViewMutD<'_, T>,
    from: &ArrayViewD<'_, T>,
    [rows, columns, channels]: [usize; 3],
    shades: &[Shade],
) -> Result<()> {
    let (Some(to), Some(from)) = (to.into_slice(), from.as_slice()) else {
        return Err(KernelError::shape("shade falls on images in C order"));
    };
    let row = columns * channels;
    let lines = rows.div_ceil(threads::blocks_for(from.len()).min(rows));
    let mut blocks = memory::with_capacity(rows.div_ceil(lines));
    memory::extend(&mut blocks, to.chunks_mut(lines * row).zip(from.chunks(lines * row)).enumerate());
    threads::for_each_block(blocks, |(number, (to, from))| {
        let mut values = memory::zeros::<f32>(row);
        let mut ends = Vec::new();
        for (place, (to, from)) in to.chunks_exact_mut(row).zip(from.chunks_exact(row)).enumerate() {
            let mut is_dark = false;
            for shade in shades {
                shade.ends(number * lines + place, columns, &mut ends);
                for run in ends.chunks_exact(2).map(|ends| ends[1]..ends[0]).filter(|run| !run.is_empty()) {
                    if !is_dark {
                        values.iter_mut().zip(from).for_each(|(value, from)| *value = from.to_f32());
                        is_dark = true;
                    }
                    let values = &mut values[run.start * channels..run.end * channels];
                    values.iter_mut().for_each(|value| *value *= shade.factor);
                }
            }
            if is_dark {
                dispatch(Store { values: &values, to });
            } else {
                to.copy_from_slice(from);
            }
        }
    });
    Ok(())
}

struct Store<'a, T> {
    values: &'a [f32],
    to: &'a mut [T],
}

impl<T: GreyLevel> Kernel for Store<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.to.iter_mut().zip(self.values).for_each(|(to, value)| *to = T::of_f32(*value));
    }
}

impl Shade {
    /// The columns at which a row changes sides, from the last to the first: each ends a run that begins at the next.
    fn ends(&self, row: usize, columns: usize, ends: &mut Vec<usize>) {
        ends.clear();
        let y = row as f64;
        let window = self.window(columns);
        if window.is_empty() {
            return;
        }
        let next = self.corners.iter().cycle().skip(1);
        for (&[y0, x0], &[y1, x1]) in self.corners.iter().zip(next) {
            if (y0 <= y) != (y1 <= y) {
                // Whole columns before the crossing are those before the next whole number from it on.
                let end = (x0 + (y - y0) / (y1 - y0) * (x1 - x0)).ceil();
                let end = end.clamp(window.start as f64, window.end as f64) as usize;
                memory::push(ends, end);
            }
        }
        ends.sort_unstable_by(|one, other| other.cmp(one));
    }

    /// The columns of the box around the corners.
    fn window(&self, columns: usize) -> Range<usize> {
        let across = || self.corners.iter().map(|corner| corner[1]);
        let (low, high) =
            (across().fold(f64::INFINITY, f64::min), across().fold(f64::NEG_INFINITY, f64::max));
        low.ceil().max(0.0) as usize..((high.floor() + 1.0).clamp(0.0, columns as f64) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::Array3;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pixels_whose_centres_lie_inside_are_darkened(
            (rows, columns, channels) in (1_usize..20, 1_usize..30, 1_usize..4), threads in 1_usize..3,
            corners in prop::collection::vec((-10_i16..90, -10_i16..130), 3..8), is_half in any::<bool>(),
        ) {
            let part = if is_half { 4.0 } else { 4.3 };
            let corners: Vec<[f64; 2]> =
                corners.iter().map(|(y, x)| [f64::from(*y) / part, f64::from(*x) / part]).collect();
            let shades = [
                Shade { factor: 0.5, corners: corners.clone() },
                Shade { factor: 0.7, corners: corners.iter().map(|[y, x]| [*x, *y]).collect() },
            ];
            let is_inside = |corners: &[[f64; 2]], y: f64, x: f64| {
                (0..corners.len()).fold(false, |inside, place| {
                    let ([y0, x0], [y1, x1]) = (corners[place], corners[(place + 1) % corners.len()]);
                    inside ^ ((y0 <= y) != (y1 <= y) && x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
                })
            };
            let input = Array3::from_shape_fn((rows, columns, channels), |(y, x, c)| (y * 91 + x * 37 + c * 5) as u8);
            at_every_level(threads, || {
                let mut found = Array3::<u8>::zeros(input.raw_dim());
                darken(ViewMut::U8(found.view_mut().into_dyn()), &View::U8(input.view().into_dyn()), &shades).unwrap();
                for ((y, x, c), value) in found.indexed_iter() {
                    let wanted = shades.iter().fold(f32::from(input[[y, x, c]]), |value, shade| {
                        if is_inside(&shade.corners, y as f64, x as f64) { value * shade.factor } else { value }
                    });
                    prop_assert_eq!(*value, wanted.round_ties_even() as u8);
                }
                Ok(())
            })?;
        }
    }
}
