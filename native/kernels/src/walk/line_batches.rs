//! Process the lines of an array of any strides along one axis, in `f64`: gather, compute, store.
//!
//! The arithmetic of one line is a dependency chain, so [`LANES`] lines are interleaved: SIMD lanes are different
//! lines. Blocks of lines may run on several threads.

use crate::array::sample::{Cast, Sample};
use crate::array::view::{View, ViewMut, with_cast};
use crate::error::{KernelError, Result};
use crate::exec::threads;
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use ndarray::{ArrayView1, ArrayViewMut1, ArrayViewMutD, Axis};

/// Lines that are computed together.
pub const LANES: usize = 8;

/// Compute every line of `output` along `axis` from the same line of `input`, [`LANES`] at a time.
///
/// `compute(batch)` changes [`LANES`] interleaved lines in place; unused lanes hold stale values. `input` is `None` to
/// change `output` itself.
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

/// Fail if the shapes differ or lack the axis.
pub(crate) fn check_lines(input: &[usize], output: &[usize], axis: usize) -> Result<()> {
    if input != output {
        return Err(KernelError::shape(format!("input shape {input:?} is not output shape {output:?}")));
    }
    if axis >= input.len() {
        return Err(KernelError::shape(format!("axis {axis} of an array with {} axes", input.len())));
    }
    Ok(())
}

impl View<'_> {
    /// The lines along `axis`, in C order of the other axes.
    pub fn lines(&self, axis: usize) -> Box<dyn LineReader + '_> {
        match_dtype!(View, self, array => Box::new(LineIter(array.lanes(Axis(axis)).into_iter())))
    }
}

impl ViewMut<'_> {
    /// The lines along `axis`, in C order of the other axes.
    pub fn lines_mut(&mut self, axis: usize, cast: Cast) -> Box<dyn LineWriter + '_> {
        match_dtype!(ViewMut, self, array => {
            Box::new(LineIterMut(array.lanes_mut(Axis(axis)).into_iter(), cast))
        })
    }
}

/// Reads line after line as `f64`.
pub trait LineReader {
    /// Read the next lines, interleaved; return how many there were.
    fn read_batch(&mut self, to: &mut [[f64; LANES]]) -> usize;
}

/// Stores line after line from `f64`.
pub trait LineWriter {
    /// Store interleaved lines as the next ones; return how many there were.
    fn write_batch(&mut self, from: &[[f64; LANES]]) -> usize;
}

struct LineIter<I>(I);

impl<'a, T: Sample, I: Iterator<Item = ArrayView1<'a, T>>> LineReader for LineIter<I> {
    fn read_batch(&mut self, to: &mut [[f64; LANES]]) -> usize {
        let lines: Vec<ArrayView1<'_, T>> = self.0.by_ref().take(LANES).collect_vec();
        gather_batch(&lines, to);
        lines.len()
    }
}

struct LineIterMut<I>(I, Cast);

impl<'a, T: Sample, I: Iterator<Item = ArrayViewMut1<'a, T>>> LineWriter for LineIterMut<I> {
    fn write_batch(&mut self, from: &[[f64; LANES]]) -> usize {
        let mut lines: Vec<ArrayViewMut1<'_, T>> = self.0.by_ref().take(LANES).collect_vec();
        scatter_batch(&mut lines, from, self.1);
        lines.len()
    }
}

/// Interleave up to [`LANES`] lines of equal length.
pub fn gather_batch<T: Sample>(lines: &[ArrayView1<'_, T>], to: &mut [[f64; LANES]]) {
    // Position by position, because adjacent lines of another axis share cache lines.
    for (position, to) in to.iter_mut().enumerate() {
        for (to, line) in to.iter_mut().zip(lines) {
            *to = line[position].to_f64();
        }
    }
}

/// Store up to [`LANES`] interleaved lines with the given cast.
pub fn scatter_batch<T: Sample>(lines: &mut [ArrayViewMut1<'_, T>], from: &[[f64; LANES]], cast: Cast) {
    with_cast!(T, cast, cast => {
        for (position, from) in from.iter().enumerate() {
            for (line, from) in lines.iter_mut().zip(from) {
                line[position] = cast(*from);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, s};
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

    #[test]
    fn lines_are_read_and_written_through_any_strides() {
        let mut array = ArrayD::from_shape_fn(vec![4, 6], |index| (index[0] * 10 + index[1]) as u8);
        let view = View::U8(array.slice(s![..;-1, ..;2]).into_dyn());
        let mut lines = view.lines(0);
        let mut batch = [[0.0; LANES]; 4];
        assert_eq!(lines.read_batch(&mut batch), 3);
        assert_eq!(batch.map(|position| position[0]), [30.0, 20.0, 10.0, 0.0]);
        assert_eq!(batch[1][..4], [20.0, 22.0, 24.0, 0.0]);
        drop(lines);
        let mut target = ViewMut::U8(array.slice_mut(s![..;-1, ..;2]).into_dyn());
        let mut lines = target.lines_mut(1, Cast::Rounded);
        let mut from = [[0.0; LANES]; 3];
        (from[0][0], from[1][0], from[2][0], from[2][3]) = (1.5, 2.4, 300.0, 7.0);
        assert_eq!(lines.write_batch(&from), 4);
        drop(lines);
        assert_eq!(array.slice(s![3, ..]).to_vec(), [2, 31, 2, 33, 255, 35]);
        assert_eq!(array.slice(s![0, ..]).to_vec(), [0, 1, 0, 3, 7, 5]);
    }
}
