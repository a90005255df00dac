//! Rank filters: the sample of a given rank in a window around each pixel; among them median, minimum and maximum.
//!
//! A sample is first converted to an unsigned integer of its own width with the same order ([`key`]), so that four
//! widths serve every dtype. The image is processed in bands of its first axis: a band is copied with its border into a
//! workspace of keys, the ranks are selected there, and the samples are stored. The selection is
//!
//! 1. for minimum and maximum of a full box, which has its own function: one axis after another ([`boxes`]);
//! 2. for minimum and maximum of other windows: range queries by doubling ([`extreme`]);
//! 3. for medians of 3×3 and 5×5 boxes: a network that shares sorted columns ([`columns`]);
//! 4. for large boxes of bytes: counting the samples below each threshold ([`counts`]);
//! 5. for small windows: a sorting network reduced to the wanted rank, whose lanes are adjacent pixels ([`network`]);
//! 6. for large windows: a histogram that slides along the axis on which the fewest samples enter and leave
//!    ([`histogram`]).
//!
//! All of them return the exact sample; the choice only affects speed.

use crate::array::view::{View, ViewMut};
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::match_dtype;
use crate::rank::plan::RankPlan;

pub use boxes::{BoxWindow, box_extremum};
pub use plan::{Outside, Window};
pub use raised::raised_extremum;

mod band;
mod boxes;
mod columns;
mod counts;
mod extreme;
mod histogram;
mod key;
mod layout;
mod network;
mod plan;
mod raised;

/// The sample of rank `rank`, counted from the smallest, in the window around each pixel.
///
/// NaN of either sign sorts after every number. Both arrays are C-contiguous.
///
/// # Errors
///
/// If the window does not fit the image, lies off the pixel or has no such rank, or if there is no memory for a band of
/// the image with its border.
pub fn rank_filter(
    input: &View<'_>,
    output: ViewMut<'_>,
    window: Window<'_>,
    rank: usize,
    border: Border,
    outside: Outside,
) -> Result<()> {
    if input.shape() != output.shape() {
        return Err(KernelError::shape(format!(
            "input shape {:?} is not output shape {:?}",
            input.shape(),
            output.shape()
        )));
    }
    let plan = RankPlan::new(input.shape(), window, rank, border, input.sample_bytes())?;
    if input.is_empty() {
        return Ok(());
    }
    match_dtype!(View, input, array => {
        let data = array.as_slice().ok_or_else(|| KernelError::shape("the input is not in C order"))?;
        plan.layout.for_each_band(output, plan.taps.len(), |rows, padded, band| {
            plan.filter_band(data, rows, padded, band, outside);
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::threads::LocalThreads;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    /// The definition: sort the samples in the window.
    fn plain(image: &ArrayD<i16>, window: Window<'_>, rank: usize, border: Border, fill: i16) -> ArrayD<i16> {
        ArrayD::from_shape_fn(image.raw_dim(), |index| {
            let index: Vec<usize> = (0..image.ndim()).map(|axis| index[axis]).collect();
            let mut samples = Vec::new();
            for (cell, _) in window.mask.iter().enumerate().filter(|(_, counts)| **counts) {
                let mut rest = cell;
                let mut at = vec![Some(0); index.len()];
                for axis in (0..index.len()).rev() {
                    let length = window.shape[axis];
                    let ahead = (length / 2) as isize + window.origins[axis];
                    let position = (index[axis] + rest % length) as isize - ahead;
                    rest /= length;
                    at[axis] = border.index(position, image.shape()[axis]);
                }
                let at: Option<Vec<usize>> = at.into_iter().collect();
                samples.push(at.map_or(fill, |at| image[at.as_slice()]));
            }
            samples.sort_unstable();
            samples[rank]
        })
    }

    fn noise(shape: &[usize]) -> ArrayD<i16> {
        let mut state = 1_u32;
        ArrayD::from_shape_simple_fn(shape, || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 20) as i16 - 2048
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn equals_sorting_at_any_thread_count(
            axes in prop::collection::vec((1_usize..9, 1_usize..5, any::<prop::sample::Index>()), 1..4),
            large in any::<bool>(),
            holes in any::<u64>(),
            rank in any::<prop::sample::Index>(),
            code in 0..7,
            threads in 1_usize..4,
        ) {
            let stretch = if large { 5 } else { 1 };
            let shape: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
            let lengths: Vec<usize> = axes.iter().map(|axis| if axis.1 > 1 { axis.1 * stretch } else { 1 }).collect();
            let origins: Vec<isize> = axes.iter().zip(&lengths)
                .map(|(axis, length)| axis.2.index(*length) as isize - (*length / 2) as isize).collect();
            let cells: usize = lengths.iter().product();
            prop_assume!(cells < 3000);
            let mut mask: Vec<bool> = (0..cells).map(|cell| holes >> (cell % 61) & 3 != 0).collect();
            mask[rank.index(cells)] = true;
            let window = Window { shape: &lengths, mask: &mask, origins: &origins };
            let rank = rank.index(mask.iter().filter(|cell| **cell).count());
            let border = Border::from_code(code).unwrap();
            let image = noise(&shape);
            let mut output = ArrayD::zeros(image.raw_dim());
            let _threads = LocalThreads::new(threads);
            let view = ViewMut::I16(output.view_mut());
            rank_filter(&View::I16(image.view()), view, window, rank, border, Outside::Double(77.9)).unwrap();
            prop_assert_eq!(output, plain(&image, window, rank, border, 77));
        }
    }

    #[test]
    fn bands_meet_without_a_seam() {
        let image = noise(&[700, 130, 2]);
        let (shape, mask) = ([5, 3, 1], [true; 15]);
        let window = Window { shape: &shape, mask: &mask, origins: &[1, 0, 0] };
        let mut output = ArrayD::zeros(image.raw_dim());
        let _threads = LocalThreads::new(3);
        let view = ViewMut::I16(output.view_mut());
        rank_filter(&View::I16(image.view()), view, window, 7, Border::Mirror, Outside::Double(0.0)).unwrap();
        assert_eq!(output, plain(&image, window, 7, Border::Mirror, 0));
    }

    #[test]
    fn wide_integers_lose_bits_unless_asked_not_to() {
        let image = ArrayD::from_shape_vec(vec![3], vec![(1_i64 << 53) + 1, i64::MAX, i64::MIN]).unwrap();
        let window = Window { shape: &[3], mask: &[true; 3], origins: &[0] };
        let filter = |outside| {
            let mut output = ArrayD::zeros(image.raw_dim());
            let view = ViewMut::I64(output.view_mut());
            rank_filter(&View::I64(image.view()), view, window, 1, Border::Nearest, outside).unwrap();
            output.into_raw_vec_and_offset().0
        };
        assert_eq!(filter(Outside::Exact(0)), [(1 << 53) + 1, (1 << 53) + 1, i64::MIN]);
        assert_eq!(filter(Outside::Double(0.0)), [1 << 53, 1 << 53, i64::MIN]);
    }

    #[test]
    fn impossible_windows_are_refused() {
        let image = noise(&[4, 4]);
        let filter = |shape: &[usize], mask: &[bool], origins: &[isize], rank| {
            let mut output = image.clone();
            let window = Window { shape, mask, origins };
            let view = ViewMut::I16(output.view_mut());
            rank_filter(&View::I16(image.view()), view, window, rank, Border::Nearest, Outside::Double(0.0))
        };
        assert!(matches!(filter(&[1], &[true], &[0], 0), Err(KernelError::Shape(_))));
        assert!(matches!(filter(&[1, 2], &[true], &[0, 0], 0), Err(KernelError::Shape(_))));
        assert!(matches!(filter(&[1, 2], &[true; 2], &[0, 1], 0), Err(KernelError::Parameter(_))));
        assert!(matches!(filter(&[1, 2], &[true, false], &[0, 0], 1), Err(KernelError::Parameter(_))));
    }
}
