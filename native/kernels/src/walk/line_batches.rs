//! Compute the lines of an array of any strides along one axis, in `f64`: gather, compute, store.
//!
//! Lines come in batches of [`LANES`], interleaved, as the arithmetic of one line is a chain: the lanes of a register are
//! then different lines. Blocks of lines may run on several threads.

use crate::array::sample::{Cast, Sample};
use crate::array::view::{View, ViewMut, gather_batch, scatter_batch};
use crate::error::{KernelError, Result};
use crate::exec::threads;
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use ndarray::{ArrayView1, ArrayViewMut1, ArrayViewMutD, Axis};

/// Lines that are computed side by side.
pub const LANES: usize = 8;

/// Compute every line of `output` along `axis` from the line of `input`, [`LANES`] at a time.
///
/// `compute(batch)` changes `n` positions of [`LANES`] lines in place; lanes without a line hold leftovers. `input` is
/// `None` to change `output` itself.
pub fn map_line_batches(
    input: Option<&View<'_>>,
    output: ViewMut<'_>,
    axis: usize,
    cast: Cast,
    cost: usize,
    compute: impl Fn(&mut [[f64; LANES]]) + Sync,
) -> Result<()> {
    let Some(input) = input else {
        check_lines(output.shape(), output.shape(), axis)?;
        let count = threads::blocks_for(output.len().saturating_mul(cost));
        let blocks = output.split_blocks(&[axis], count);
        threads::for_each_block(blocks, |(_, block)| {
            match_dtype!(ViewMut, block, array => update_batches(array, axis, cast, &compute));
        });
        return Ok(());
    };
    check_lines(input.shape(), output.shape(), axis)?;
    if input.is_empty() {
        return Ok(());
    }
    for_each_line_block(input, output, axis, cost, |input, mut output| {
        let mut batch = memory::zeros(input.shape()[axis]);
        let mut reader = input.lines(axis);
        let mut writer = output.lines_mut(axis, cast);
        while reader.read_batch(&mut batch) > 0 {
            compute(&mut batch);
            writer.write_batch(&batch);
        }
    });
    Ok(())
}

fn update_batches<T: Sample>(
    mut array: ArrayViewMutD<'_, T>,
    axis: usize,
    cast: Cast,
    compute: &impl Fn(&mut [[f64; LANES]]),
) {
    let mut batch = memory::zeros(array.shape()[axis]);
    let mut lines = array.lanes_mut(Axis(axis)).into_iter();
    loop {
        let mut batch_lines: Vec<ArrayViewMut1<'_, T>> = lines.by_ref().take(LANES).collect_vec();
        if batch_lines.is_empty() {
            break;
        }
        let views: Vec<ArrayView1<'_, T>> = batch_lines.iter().map(|line| line.view()).collect_vec();
        gather_batch(&views, &mut batch);
        compute(&mut batch);
        scatter_batch(&mut batch_lines, &batch, cast);
    }
}

fn for_each_line_block(
    input: &View<'_>,
    output: ViewMut<'_>,
    axis: usize,
    cost: usize,
    work: impl Fn(View<'_>, ViewMut<'_>) + Sync,
) {
    let count = threads::blocks_for(output.len().saturating_mul(cost));
    let inputs = input.view().split_blocks(&[axis], count);
    let outputs = output.split_blocks(&[axis], count);
    let blocks =
        inputs.into_iter().zip(outputs).map(|((_, input), (_, output))| (input, output)).collect_vec();
    threads::for_each_block(blocks, |(input, output)| work(input, output));
}

/// Refuse arrays of two shapes, or without that axis.
pub(crate) fn check_lines(input: &[usize], output: &[usize], axis: usize) -> Result<()> {
    if input != output {
        return Err(KernelError::shape(format!("input shape {input:?} is not output shape {output:?}")));
    }
    if axis >= input.len() {
        return Err(KernelError::shape(format!("axis {axis} of an array with {} axes", input.len())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    fn numbered(shape: &[usize]) -> ArrayD<i16> {
        let mut next = 0;
        ArrayD::from_shape_simple_fn(shape, || {
            next += 1;
            (next * 37 % 101) - 50
        })
    }

    proptest! {
        #[test]
        fn batches_see_every_line_once(
            shape in prop::collection::vec(1_usize..7, 1..4),
            axis in 0_usize..3,
            in_place in any::<bool>(),
        ) {
            let axis = axis % shape.len();
            let array = numbered(&shape);
            let mut result = array.clone();
            let running_sum = |batch: &mut [[f64; LANES]]| {
                for position in 1..batch.len() {
                    let before = batch[position - 1];
                    batch[position].iter_mut().zip(before).for_each(|(value, before)| *value += before);
                }
            };
            let input = View::I16(array.view());
            let source = (!in_place).then_some(&input);
            map_line_batches(source, ViewMut::I16(result.view_mut()), axis, Cast::Truncated, 1_000_000, running_sum)
                .unwrap();
            let mut expected = array.clone();
            expected.accumulate_axis_inplace(Axis(axis), |before, value| *value += before);
            prop_assert_eq!(result, expected);
        }
    }

    #[test]
    fn shapes_and_axes_are_checked() {
        let array = ArrayD::<u8>::zeros(vec![2, 3]);
        let mut other = ArrayD::<u8>::zeros(vec![3, 2]);
        let input = View::U8(array.view());
        let wrong =
            map_line_batches(Some(&input), ViewMut::U8(other.view_mut()), 0, Cast::Rounded, 1, |_| ());
        assert!(matches!(wrong, Err(KernelError::Shape(_))));
        let wrong = map_line_batches(None, ViewMut::U8(other.view_mut()), 2, Cast::Rounded, 1, |_| ());
        assert!(matches!(wrong, Err(KernelError::Shape(_))));
    }
}
