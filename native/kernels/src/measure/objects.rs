//! Bounding boxes of labelled objects: one update per run of equal labels.

use crate::array::packing::for_each_change;
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
        match self.array.ndim() {
            1 => self.scan::<1>(),
            2 => self.scan::<2>(),
            3 => self.scan::<3>(),
            _ => self.scan::<0>(),
        }
    }
}

impl<T: Label> FindObjects<'_, T> {
    /// Scan an array of `AXES` axes, or of any number if that is 0.
    #[inline(always)]
    fn scan<const AXES: usize>(self) {
        let axes = if AXES == 0 { self.array.ndim() } else { AXES };
        let (last, row) = (axes - 1, 2 * axes);
        for object in self.bounds.chunks_exact_mut(row) {
            object[..axes].fill(i64::MAX);
            object[axes..].fill(-1);
        }
        let count = self.bounds.len() / row;
        for_each_line(&self.array, |line, labels| {
            let line = &line[..last];
            let mut widen = |start: usize, end: usize| {
                let object = usize::try_from(labels[start].object()).unwrap_or(usize::MAX);
                if object < count {
                    let bounds = &mut self.bounds[object * row..][..row];
                    for (axis, at) in line.iter().enumerate() {
                        bounds[axis] = bounds[axis].min(*at as i64);
                        bounds[axes + axis] = bounds[axes + axis].max(*at as i64 + 1);
                    }
                    bounds[last] = bounds[last].min(start as i64);
                    bounds[axes + last] = bounds[axes + last].max(end as i64);
                }
            };
            if labels.is_empty() {
                return;
            }
            let mut start = 0;
            for_each_change(labels, |at| {
                widen(start, at);
                start = at;
            });
            widen(start, labels.len());
        });
        for object in self.bounds.chunks_exact_mut(row).filter(|object| object[axes] < 0) {
            object.fill(-1);
        }
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
