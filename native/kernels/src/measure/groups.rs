//! Indices of elements, grouped by value: a counting sort.

use crate::array::view::View;
use crate::error::{KernelError, Result};
use crate::measure::labelled::for_each_block;
use ndarray::ArrayViewMutD;

/// Write the index of each element along every axis, one row per axis, in groups of equal values.
///
/// `starts` holds the first place of the group of each value from `base` on, and that after the group afterwards.
/// Elements of values without a group, and of those whose group has no place left, are passed over.
///
/// # Errors
///
/// If `indices` is no C-contiguous array of one row per axis, or the array has no axis.
pub fn group_by_value(
    mut indices: ArrayViewMutD<'_, i64>,
    starts: &mut [i64],
    values: &View<'_>,
    base: i64,
    skipped: Option<u32>,
) -> Result<()> {
    let rank = values.ndim();
    if indices.ndim() != 2 || indices.shape()[0] != rank || rank == 0 {
        let message = format!("indices of shape {:?} for an array of {rank} axes", indices.shape());
        return Err(KernelError::shape(message));
    }
    let count = indices.shape()[1];
    let indices =
        indices.as_slice_mut().ok_or_else(|| KernelError::shape("indices that are not C-contiguous"))?;
    for_each_block(values, base, &mut |block| {
        for (at, label) in block.labels.iter().enumerate() {
            if Some(*label) == skipped {
                continue;
            }
            let Some(start) = starts.get_mut(*label as usize) else { continue };
            let place = *start as usize;
            if place >= count {
                continue;
            }
            *start += 1;
            for (axis, index) in block.line.iter().enumerate() {
                indices[axis * count + place] = *index as i64;
            }
            indices[(rank - 1) * count + place] = (block.start + at) as i64;
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, arr2};

    #[test]
    fn indices_are_grouped_in_order() {
        let image = arr2(&[[7_u8, 5, 7], [5, 9, 6]]).into_dyn();
        let mut indices = ArrayD::<i64>::zeros(vec![2, 5]);
        let mut starts = [0, 2, 3, 5, 4];
        group_by_value(indices.view_mut(), &mut starts, &View::U8(image.view()), 5, None).unwrap();
        assert_eq!(indices, arr2(&[[0, 1, 1, 0, 1], [1, 0, 2, 0, 1]]).into_dyn());
        assert_eq!(starts, [2, 3, 5, 5, 5]);
    }
}
