//! Bounding boxes of labelled objects: one update per run of equal labels.

use crate::array::packing::run_end;
use crate::array::view::View;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::match_dtype;
use crate::measure::labelled::{Label, for_each_line};
use ndarray::{ArrayViewD, ArrayViewMutD};

/// Write a row per label from 1 on: the first index along each axis, then the last plus one along each axis, or -1
/// everywhere if no element has the label. Labels without a row are passed over.
///
/// # Errors
///
/// If `bounds` is no C-contiguous array of rows of this length, or `labels` has no axis.
pub fn find_objects(mut bounds: ArrayViewMutD<'_, i64>, labels: &View<'_>) -> Result<()> {
    let rank = labels.ndim();
    if bounds.ndim() != 2 || bounds.shape()[1] != 2 * rank || rank == 0 {
        let message = format!("bounds of shape {:?} for an array of {rank} axes", bounds.shape());
        return Err(KernelError::shape(message));
    }
    let bounds =
        bounds.as_slice_mut().ok_or_else(|| KernelError::shape("bounds that are not C-contiguous"))?;
    bounds.fill(-1);
    match_dtype!(View, labels, array => dispatch(FindObjects { bounds, array: array.view() }));
    Ok(())
}

struct FindObjects<'a, T> {
    bounds: &'a mut [i64],
    array: ArrayViewD<'a, T>,
}

impl<T: Label> Kernel for FindObjects<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let last = self.array.ndim() - 1;
        let row = 2 * (last + 1);
        let count = self.bounds.len() / row;
        for_each_line(&self.array, |line, labels| {
            let mut start = 0;
            while start < labels.len() {
                let end = run_end(labels, start);
                let object = usize::try_from(labels[start].object()).unwrap_or(usize::MAX);
                if object < count {
                    let bounds = &mut self.bounds[object * row..(object + 1) * row];
                    let (first, beyond) = bounds.split_at_mut(last + 1);
                    let seen = first[0] >= 0;
                    let mut widen = |axis: usize, from: usize, to: usize| {
                        let (from, to) = (from as i64, to as i64);
                        first[axis] = if seen { first[axis].min(from) } else { from };
                        beyond[axis] = if seen { beyond[axis].max(to) } else { to };
                    };
                    for (axis, at) in line.iter().enumerate() {
                        widen(axis, *at, at + 1);
                    }
                    widen(last, start, end);
                }
                start = end;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_bounds_pixel_by_pixel(
            shape in prop::collection::vec(1_usize..7, 1..4),
            labels in prop::collection::vec(-2_i32..6, 1..300),
        ) {
            let mut labels = labels.iter().cycle();
            let image = ArrayD::from_shape_simple_fn(IxDyn(&shape), || *labels.next().unwrap());
            let rank = shape.len();
            let mut expected = ArrayD::<i64>::from_elem(IxDyn(&[4, 2 * rank]), -1);
            for (index, label) in image.indexed_iter().filter(|(_, label)| (1..=4).contains(*label)) {
                for axis in 0..rank {
                    let row = *label as usize - 1;
                    let seen = expected[[row, axis]];
                    let at = index[axis] as i64;
                    expected[[row, axis]] = if seen < 0 { at } else { seen.min(at) };
                    expected[[row, rank + axis]] = expected[[row, rank + axis]].max(at + 1);
                }
            }
            let mut bounds = ArrayD::<i64>::zeros(IxDyn(&[4, 2 * rank]));
            find_objects(bounds.view_mut(), &View::I32(image.view())).unwrap();
            prop_assert_eq!(bounds, expected);
        }
    }
}
