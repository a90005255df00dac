//! A batch of images of one size, each with its own affine map, in one call.

use crate::array::axes::Axes;
use crate::array::pixels::Pixels;
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::threads::{self, LocalThreads};
use crate::interpolate::affine2d::Affine2d;
use crate::interpolate::affine2d_small::SmallAffine2d;
use crate::interpolate::options::Options;
use crate::interpolate::warp;
use crate::memory::CollectVec;
use std::sync::{Mutex, PoisonError};

/// [`warp::affine`] for every image along the first axis.
///
/// The other axes are those of an image, `outer` of them before the spatial ones. `matrices` and `offsets` hold the
/// entries of the first image, then of the second, and so on. Threads share whole images.
pub fn affine_each(
    input: &View<'_>,
    output: ViewMut<'_>,
    outer: usize,
    matrices: &[f64],
    offsets: &[f64],
    options: &Options,
) -> Result<()> {
    let count = input.shape().first().copied().unwrap_or_default();
    let fits = |numbers: &[f64]| count > 0 && numbers.len().is_multiple_of(count);
    if output.shape().first() != Some(&count) || !(fits(matrices) && fits(offsets)) {
        let message = format!("maps for {count} images of {} matrix entries", matrices.len());
        return if output.is_empty() { Ok(()) } else { Err(KernelError::shape(message)) };
    }
    let (matrix_len, offset_len) = (matrices.len() / count, offsets.len() / count);
    let map = |index: usize| {
        (&matrices[index * matrix_len..][..matrix_len], &offsets[index * offset_len..][..offset_len])
    };
    let cost = 4 + 2 * (options.order + 1).pow(2);
    let image_axes: Vec<usize> = (1..output.ndim()).collect_vec();
    let blocks = threads::blocks_for(output.len().saturating_mul(cost)).min(count);
    let bytes = bytes_in_planes(input, &output, outer, offset_len, options);
    let refused = Mutex::new(None);
    threads::for_each_block(output.split_blocks(&image_axes, blocks), |(origin, mut block)| {
        if bytes.as_ref().is_some_and(|pixels| fill_small(pixels, &mut block, origin[0], map, options)) {
            return;
        }
        // Threads share images; inside an image there is one thread.
        let _alone = LocalThreads::new(1);
        for (index, image) in block.into_images().into_iter().enumerate() {
            let index = origin[0] + index;
            let (matrix, offset) = map(index);
            let done = warp::affine(&input.image(index), image, outer, matrix, offset, options);
            if let Err(error) = done {
                *refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                break;
            }
        }
    });
    refused.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// The images, if they are contiguous bytes with two spatial axes, so that none has to be copied.
fn bytes_in_planes<'a>(
    input: &'a View<'_>,
    output: &ViewMut<'_>,
    outer: usize,
    rank: usize,
    options: &Options,
) -> Option<Pixels<'a, u8>> {
    let View::U8(array) = input else { return None };
    let axes = Axes { outer: 1, spatial: 2 };
    let is_fit = outer == 0 && rank == 2 && !output.is_empty() && array.is_standard_layout();
    let is_fit = is_fit && options.check(input.shape(), output.shape(), axes, axes).is_ok();
    is_fit.then(|| Pixels::new(array.view(), axes))
}

/// Fill a block of images, the first with index `first`; false if they are not small images of bytes.
fn fill_small<'m>(
    pixels: &Pixels<'_, u8>,
    block: &mut ViewMut<'_>,
    first: usize,
    map: impl Fn(usize) -> (&'m [f64], &'m [f64]),
    options: &Options,
) -> bool {
    let (len, width) = (block.len() / block.shape()[0], block.shape()[2]);
    let affine2d = |index: usize| Affine2d::new(pixels, map(index).0, map(index).1, options, width);
    let small = affine2d(first).and_then(|affine2d| SmallAffine2d::new(&affine2d, len));
    let (Some(mut small), Some(to)) = (small, block.contiguous_bytes()) else { return false };
    for (index, to) in (first..).zip(to.chunks_exact_mut(len)) {
        let Some(affine2d) = affine2d(index) else { return false };
        small.fill(&affine2d, index * pixels.outer[0], to);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::border::Border;
    use ndarray::{ArrayD, Axis};

    #[test]
    fn a_batch_equals_single_calls() {
        let options = Options { order: 1, border: Border::Mirror, fill: 0.0, pad: 0 };
        let images = ArrayD::from_shape_fn(vec![5, 40, 60, 3], |at| {
            (at[0] * 71 + at[1] * at[2] * 7 + at[1] * 3 + at[3] * 50) as u8
        });
        let turn = |i: usize| (f64::from(i as u32) * 0.7).sin_cos();
        let matrices: Vec<f64> = (0..5).flat_map(|i| [turn(i).1, turn(i).0, -turn(i).0, turn(i).1]).collect();
        let offsets: Vec<f64> = (0..10).map(f64::from).collect();
        let mut wanted = ArrayD::<u8>::zeros(vec![5, 40, 60, 3]);
        for (i, (image, to)) in images.axis_iter(Axis(0)).zip(wanted.axis_iter_mut(Axis(0))).enumerate() {
            let (matrix, offset) = (&matrices[4 * i..][..4], &offsets[2 * i..][..2]);
            warp::affine(&View::U8(image), ViewMut::U8(to), 0, matrix, offset, &options).unwrap();
        }
        for threads in [1, 3] {
            let _threads = LocalThreads::new(threads);
            let mut found = ArrayD::<u8>::zeros(vec![5, 40, 60, 3]);
            let to = ViewMut::U8(found.view_mut());
            affine_each(&View::U8(images.view()), to, 0, &matrices, &offsets, &options).unwrap();
            assert_eq!(found, wanted);
        }
        let to = ViewMut::U8(wanted.view_mut());
        assert!(affine_each(&View::U8(images.view()), to, 0, &matrices[1..], &offsets, &options).is_err());
    }
}
