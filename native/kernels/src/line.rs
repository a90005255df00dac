//! Walk the lines of an array along one axis: gather into `f64`, extend by the border, compute, store.
//!
//! A line is computed alone, from its own samples, so blocks of lines may run on several threads. Lines come in
//! batches of [`LANES`], interleaved, where the arithmetic of one line is a chain: the lanes of a register are then
//! different lines.

use crate::border::{Border, extend_line};
use crate::error::{KernelError, Result};
use crate::match_dtype;
use crate::parallel;
use crate::sample::{Cast, Sample};
use crate::view::{View, ViewMut, gather_batch, scatter_batch};
use ndarray::{ArrayView1, ArrayViewMut1, ArrayViewMutD, Axis};

/// Lines that are computed side by side.
pub const LANES: usize = 8;

/// How a line is extended before it is computed.
#[derive(Debug, Clone, Copy)]
pub struct Extension {
    /// Samples added before the line.
    pub before: usize,
    /// Samples added after the line.
    pub after: usize,
    /// Where they come from.
    pub border: Border,
    /// The fill value of the constant modes.
    pub fill: f64,
}

/// Compute every line of `output` along `axis` from the extended line of `input`.
///
/// `compute(scratch, extended, result)` gets `before + n + after` samples and fills `n`, which are stored by `cast`.
/// `scratch` is made once a block; `cost` estimates the nanoseconds of one sample. The arrays have one shape.
pub fn filter_lines<S>(
    input: &View<'_>,
    output: ViewMut<'_>,
    axis: usize,
    extension: Extension,
    cast: Cast,
    cost: usize,
    scratch: impl Fn() -> S + Sync,
    compute: impl Fn(&mut S, &[f64], &mut [f64]) + Sync,
) -> Result<()> {
    check_lines(input.shape(), output.shape(), axis)?;
    let len = input.shape()[axis];
    let Extension { before, after, border, fill } = extension;
    let extended_len = before
        .checked_add(len)
        .and_then(|sum| sum.checked_add(after))
        .filter(|sum| *sum <= isize::MAX as usize / 8)
        .ok_or_else(|| KernelError::parameter("the filter is too long for this machine's memory"))?;
    if input.is_empty() {
        return Ok(());
    }
    for_each_line_block(input, output, axis, cost, |input, mut output| {
        let mut scratch = scratch();
        let mut extended = vec![0.0; extended_len];
        let mut result = vec![0.0; len];
        let mut reader = input.lines(axis);
        let mut writer = output.lines_mut(axis, cast);
        while reader.read_next(&mut extended[before..before + len]) {
            extend_line(&mut extended, len, before, after, border, fill);
            compute(&mut scratch, &extended, &mut result);
            writer.write_next(&result);
        }
    });
    Ok(())
}

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
        let count = parallel::blocks_for(output.len().saturating_mul(cost));
        let blocks = output.split_blocks(&[axis], count);
        parallel::for_each_block(blocks, |(_, block)| {
            match_dtype!(ViewMut, block, array => update_batches(array, axis, cast, &compute));
        });
        return Ok(());
    };
    check_lines(input.shape(), output.shape(), axis)?;
    if input.is_empty() {
        return Ok(());
    }
    for_each_line_block(input, output, axis, cost, |input, mut output| {
        let mut batch = vec![[0.0; LANES]; input.shape()[axis]];
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
    let mut batch = vec![[0.0; LANES]; array.shape()[axis]];
    let mut lines = array.lanes_mut(Axis(axis)).into_iter();
    loop {
        let mut batch_lines: Vec<ArrayViewMut1<'_, T>> = lines.by_ref().take(LANES).collect();
        if batch_lines.is_empty() {
            break;
        }
        let views: Vec<ArrayView1<'_, T>> = batch_lines.iter().map(|line| line.view()).collect();
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
    let count = parallel::blocks_for(output.len().saturating_mul(cost));
    let inputs = input.view().split_blocks(&[axis], count);
    let outputs = output.split_blocks(&[axis], count);
    let blocks = inputs.into_iter().zip(outputs).map(|((_, input), (_, output))| (input, output)).collect();
    parallel::for_each_block(blocks, |(input, output)| work(input, output));
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

    /// One sum over a window, one element at a time.
    fn window_sums(
        array: &ArrayD<i16>,
        axis: usize,
        before: usize,
        after: usize,
        border: Border,
    ) -> ArrayD<i32> {
        ArrayD::from_shape_fn(array.raw_dim(), |index| {
            let centre = index[axis] as isize;
            (centre - before as isize..=centre + after as isize)
                .map(|position| {
                    border.index(position, array.shape()[axis]).map_or(7, |inside| {
                        let mut at = index.clone();
                        at[axis] = inside;
                        i32::from(array[at])
                    })
                })
                .sum()
        })
    }

    proptest! {
        #[test]
        fn filtered_lines_equal_a_plain_loop(
            shape in prop::collection::vec(1_usize..5, 1..4),
            axis in 0_usize..3,
            before in 0_usize..7,
            after in 0_usize..7,
            code in prop::sample::select(vec![0, 2, 3, 5, 6]),
            threads in 1_usize..4,
        ) {
            let axis = axis % shape.len();
            let border = Border::from_code(code).unwrap();
            let array = numbered(&shape);
            let mut sums = ArrayD::<i32>::zeros(shape.clone());
            let extension = Extension { before, after, border, fill: 7.0 };
            let outer = parallel::set_local_threads(threads);
            filter_lines(
                &View::I16(array.view()), ViewMut::I32(sums.view_mut()), axis, extension, Cast::Truncated,
                // A cost that makes the smallest array worth sharing.
                1_000_000, || (), |(), line, result| {
                    for (sum, window) in result.iter_mut().zip(line.windows(before + after + 1)) {
                        *sum = window.iter().sum();
                    }
                },
            ).unwrap();
            parallel::set_local_threads(outer);
            prop_assert_eq!(sums, window_sums(&array, axis, before, after, border));
        }

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
