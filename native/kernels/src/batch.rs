//! Many pictures of one size in one call, each with an affine map of its own.

use crate::error::{KernelError, Result};
use crate::interpolate::{self, Options};
use crate::parallel;
use crate::view::{View, ViewMut};
use std::sync::{Mutex, PoisonError};

/// [`interpolate::affine`] of every picture, which the first axis counts.
///
/// The other axes are those of a picture, `outer` of them before the spatial ones. `matrices` and `offsets` hold what
/// belongs to the first picture, then to the second, and so on. Threads take whole pictures.
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
        let message = format!("maps for {count} pictures of {} matrix entries", matrices.len());
        return if output.is_empty() { Ok(()) } else { Err(KernelError::shape(message)) };
    }
    let (matrix_len, offset_len) = (matrices.len() / count, offsets.len() / count);
    let cost = 4 + 2 * (options.order + 1).pow(2);
    let picture_axes: Vec<usize> = (1..output.ndim()).collect();
    let blocks = parallel::blocks_for(output.len().saturating_mul(cost)).min(count);
    let refused = Mutex::new(None);
    parallel::for_each_block(output.split_blocks(&picture_axes, blocks), |(origin, block)| {
        let alone = OneThread::new();
        for (index, picture) in block.into_pictures().into_iter().enumerate() {
            let index = origin[0] + index;
            let matrix = &matrices[index * matrix_len..][..matrix_len];
            let offset = &offsets[index * offset_len..][..offset_len];
            let done = interpolate::affine(&input.picture(index), picture, outer, matrix, offset, options);
            if let Err(error) = done {
                *refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                break;
            }
        }
        drop(alone);
    });
    refused.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// While it lives, calls from this thread use no other.
struct OneThread(usize);

impl OneThread {
    fn new() -> Self {
        Self(parallel::set_local_threads(1))
    }
}

impl Drop for OneThread {
    fn drop(&mut self) {
        parallel::set_local_threads(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::border::Border;
    use ndarray::{ArrayD, Axis};

    #[test]
    fn each_picture_is_what_a_call_of_its_own_gives() {
        let options = Options { order: 1, border: Border::Mirror, fill: 0.0, pad: 0 };
        let images = ArrayD::from_shape_fn(vec![5, 40, 60, 3], |at| {
            (at[0] * 71 + at[1] * at[2] * 7 + at[1] * 3 + at[3] * 50) as u8
        });
        let turn = |i: usize| (f64::from(i as u32) * 0.7).sin_cos();
        let matrices: Vec<f64> = (0..5).flat_map(|i| [turn(i).1, turn(i).0, -turn(i).0, turn(i).1]).collect();
        let offsets: Vec<f64> = (0..10).map(f64::from).collect();
        let mut wanted = ArrayD::<u8>::zeros(vec![5, 40, 60, 3]);
        for (i, (picture, to)) in images.axis_iter(Axis(0)).zip(wanted.axis_iter_mut(Axis(0))).enumerate() {
            let (matrix, offset) = (&matrices[4 * i..][..4], &offsets[2 * i..][..2]);
            interpolate::affine(&View::U8(picture), ViewMut::U8(to), 0, matrix, offset, &options).unwrap();
        }
        for threads in [1, 3] {
            let before = parallel::set_local_threads(threads);
            let mut found = ArrayD::<u8>::zeros(vec![5, 40, 60, 3]);
            let to = ViewMut::U8(found.view_mut());
            affine_each(&View::U8(images.view()), to, 0, &matrices, &offsets, &options).unwrap();
            parallel::set_local_threads(before);
            assert_eq!(found, wanted);
        }
        let to = ViewMut::U8(wanted.view_mut());
        assert!(affine_each(&View::U8(images.view()), to, 0, &matrices[1..], &offsets, &options).is_err());
    }
}
