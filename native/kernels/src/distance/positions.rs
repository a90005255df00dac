//! Positions in C order as indices along each axis.

use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::memory;

/// Positions that are taken apart together.
const BLOCK: usize = 1024;

/// Write the index along each axis of each position in an array of the shape of `positions`.
///
/// # Errors
///
/// If the arrays are not C-contiguous `i32`, or `indices` is not one array of that shape per axis.
pub fn indices_of(indices: ViewMut<'_>, positions: &View<'_>) -> Result<()> {
    let shape = memory::copy(positions.shape());
    let refused = || KernelError::shape("indices or positions of another shape, type or memory layout");
    let (ViewMut::I32(indices), View::I32(positions)) = (indices, positions) else { return Err(refused()) };
    let fits =
        indices.shape().split_first().is_some_and(|(rank, rest)| *rank == shape.len() && rest == shape);
    let positions = positions.as_slice().filter(|_| fits).ok_or_else(refused)?;
    let indices = indices.into_slice().ok_or_else(refused)?;
    for (number, positions) in positions.chunks(BLOCK).enumerate() {
        let count = shape.iter().product::<usize>();
        let mut rest = [0; BLOCK];
        let rest = &mut rest[..positions.len()];
        rest.copy_from_slice(positions);
        for (axis, len) in shape.iter().enumerate().rev() {
            let to = &mut indices[axis * count + number * BLOCK..][..rest.len()];
            dispatch(SplitPositions { rest, to, len: *len as i32 });
        }
        threads::check_interrupt();
    }
    Ok(())
}

/// SplitPositions by the length of an axis, and keep the remainders.
struct SplitPositions<'a> {
    rest: &'a mut [i32],
    to: &'a mut [i32],
    len: i32,
}

impl Kernel for SplitPositions<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { rest, to, len } = self;
        for (to, rest) in to.iter_mut().zip(rest) {
            // Exact: no quotient of integers of 32 bits is so close to the next integer that it is rounded to it.
            let quotient = (f64::from(*rest) / f64::from(len)) as i32;
            *to = *rest - quotient * len;
            *rest = quotient;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, IxDyn};

    #[test]
    fn positions_are_those_of_their_indices() {
        for shape in [&[7][..], &[3, 1, 700], &[40, 41, 5]] {
            let mut count = 0;
            let positions = ArrayD::<i32>::from_shape_simple_fn(IxDyn(shape), || {
                count += 1;
                count - 1
            });
            let per_axis: Vec<usize> = [shape.len()].iter().chain(shape).copied().collect();
            let mut indices = ArrayD::<i32>::zeros(IxDyn(&per_axis));
            indices_of(ViewMut::I32(indices.view_mut()), &View::I32(positions.view())).unwrap();
            for (at, _) in positions.indexed_iter() {
                for axis in 0..shape.len() {
                    assert_eq!(indices.index_axis(ndarray::Axis(0), axis)[&at] as usize, at[axis]);
                }
            }
        }
    }

    #[test]
    fn quotients_close_to_whole_numbers_are_cut() {
        for len in [1, 2, 3, 46_341, i32::MAX] {
            for rest in [0, 1, 2, len - 1, i32::MAX - 1, i32::MAX] {
                let (mut own, mut to) = ([rest], [0]);
                dispatch(SplitPositions { rest: &mut own, to: &mut to, len });
                assert_eq!((own[0], to[0]), (rest / len, rest % len));
            }
        }
    }
}
