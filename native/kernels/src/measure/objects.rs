//! Bounding boxes of labelled objects: one update per run of equal labels.
//!
//! Of lines that follow one another with the same labels at the same places, the first and the last one of a plane count.

#[cfg(target_arch = "x86_64")]
mod wide;

use crate::array::index::advance;
use crate::array::view::View;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::match_dtype;
use crate::measure::run_buffer::Numbering;
use crate::measure::runs::{BlockLines, RunBlock, for_each_run_block};
use crate::memory;
use ndarray::ArrayViewMutD;
#[cfg(target_arch = "x86_64")]
use wide::{Boxes, WideLabel};

/// No element yet: less than all that is compared with it, and than its negative.
const NONE: i64 = i64::MIN;

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
    #[cfg(target_arch = "x86_64")]
    if let Some(boxes) = wide_boxes(Some(bounds.len() / (2 * rank)), labels) {
        boxes.write(bounds);
        return Ok(());
    }
    // First indices are kept as their negatives, so that all bounds of a row widen by one maximum.
    bounds.fill(NONE);
    let outer = &labels.shape()[..rank - 1];
    let lines = outer.last().copied().unwrap_or(0);
    let mut index = memory::zeros(rank - 1);
    for_each_run_block(labels, BlockLines::Kept, Numbering::Object, &mut |block| {
        index.copy_from_slice(block.line);
        for repeat in 0..block.repeats {
            let is_between = index.last().is_some_and(|line| *line > 0 && line + 1 < lines);
            if repeat == 0 || repeat + 1 == block.repeats || !is_between {
                dispatch(Widen { bounds, block, line: &index });
            }
            advance(&mut index, outer);
        }
    });
    for object in bounds.chunks_exact_mut(2 * rank) {
        if object[0] == NONE {
            object.fill(-1);
        } else {
            object[..rank].iter_mut().for_each(|first| *first = -*first);
        }
    }
    Ok(())
}

/// The rows that [`find_objects`] writes, up to the largest label: one after the other. None where they are not found in
/// one pass: labels of 32 bits without a sign, or of more, labels above 2^20, arrays of more than four axes or that are not
/// C-contiguous, and processors without AVX-512.
pub fn find_all_objects(labels: &View<'_>) -> Option<Vec<i64>> {
    #[cfg(target_arch = "x86_64")]
    if matches!(labels, View::U8(_) | View::I8(_) | View::U16(_) | View::I16(_) | View::I32(_)) {
        return wide_boxes(None, labels).map(|boxes| {
            let mut bounds = memory::zeros(boxes.count() * 2 * labels.ndim());
            boxes.write(&mut bounds);
            bounds
        });
    }
    let _ = labels;
    None
}

/// The boxes of so many objects, or of all.
#[cfg(target_arch = "x86_64")]
fn wide_boxes<'a>(objects: Option<usize>, labels: &'a View<'_>) -> Option<Boxes<'a>> {
    let mut boxes = Boxes::new(objects, labels.shape())?;
    let is_done = match_dtype!(View, labels, array => {
        array.as_slice().is_some_and(|labels| WideLabel::widen_boxes(labels, &mut boxes))
    });
    is_done.then_some(boxes)
}

/// Widen the boxes of the runs of a block.
struct Widen<'a, 'b> {
    bounds: &'a mut [i64],
    block: &'a RunBlock<'b>,
    line: &'a [usize],
}

impl Kernel for Widen<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.line.len() {
            0 => self.widen::<2>(),
            1 => self.widen::<4>(),
            2 => self.widen::<6>(),
            _ => self.widen_any(),
        }
    }
}

impl Widen<'_, '_> {
    /// For rows of so many bounds.
    #[inline(always)]
    fn widen<const ROW: usize>(self) {
        let (rows, _) = self.bounds.as_chunks_mut::<ROW>();
        let last = ROW / 2 - 1;
        let mut run = [0; ROW];
        for (axis, at) in self.line.iter().enumerate() {
            (run[axis], run[last + 1 + axis]) = (-(*at as i64), *at as i64 + 1);
        }
        for (object, start, end) in self.block.iter() {
            if let Some(row) = rows.get_mut(object as usize) {
                run[last] = -((self.block.start + start) as i64);
                run[ROW - 1] = (self.block.start + end) as i64;
                row.iter_mut().zip(run).for_each(|(bound, own)| *bound = (*bound).max(own));
            }
        }
    }

    #[inline(always)]
    fn widen_any(self) {
        let last = self.line.len();
        let axes = last + 1;
        for (object, start, end) in self.block.iter() {
            let Some(row) = self.bounds.chunks_exact_mut(2 * axes).nth(object as usize) else { continue };
            let (first, beyond) = row.split_at_mut(axes);
            for (axis, at) in self.line.iter().enumerate() {
                first[axis] = first[axis].max(-(*at as i64));
                beyond[axis] = beyond[axis].max(*at as i64 + 1);
            }
            first[last] = first[last].max(-((self.block.start + start) as i64));
            beyond[last] = beyond[last].max((self.block.start + end) as i64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_bounds_pixel_by_pixel(
            shape in prop::collection::vec(1_usize..7, 1..6),
            labels in prop::collection::vec(-2_i32..6, 1..300),
            repeated in prop::sample::select(vec![1_usize, 1, 7, 40, 700]),
            lines in prop::collection::vec(0_usize..3, 1..9),
        ) {
            // Lines of three kinds, so that many are like the one before.
            let mut lines = lines.iter().cycle();
            let mut line = 0;
            let mut shape = shape;
            if shape.len() < 3 {
                *shape.last_mut().unwrap() *= repeated;
            }
            let length = *shape.last().unwrap();
            let mut at = 0;
            let image = ArrayD::from_shape_simple_fn(IxDyn(&shape), || {
                if at % length == 0 {
                    line = *lines.next().unwrap();
                }
                at += 1;
                labels[(line * length + at % length) / repeated % labels.len()]
            });
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
            at_every_level(1, || {
                macro_rules! compare {
                    ($($variant:ident $type:ty),*) => {
                        $(
                            let own = image.mapv(|label| label as $type);
                            let mut bounds = ArrayD::<i64>::zeros(IxDyn(&[4, 2 * rank]));
                            find_objects(bounds.view_mut(), &View::$variant(own.view())).unwrap();
                            prop_assert_eq!(&bounds, &expected);
                        )*
                    };
                }
                compare!(I32 i32, I64 i64, U64 u64, U32 u32, I16 i16, U16 u16, I8 i8, U8 u8);
                if let Some(all) = find_all_objects(&View::I32(image.view())) {
                    let largest = image.iter().copied().max().unwrap_or(0).max(0) as usize;
                    prop_assert_eq!(all.len(), largest * 2 * rank);
                    let known = all.len().min(expected.len());
                    prop_assert_eq!(&all[..known], &expected.as_slice().unwrap()[..known]);
                }
                Ok(())
            })?;
        }
    }
}
