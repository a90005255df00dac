//! Run the plan of one sample, or of many.
//!
//! A target begins with an array, or with a file that gives its first workspace ([`crate::source`]).

use crate::dtype::{DType, match_pair};
use crate::op::Op;
use crate::source::Source;
use crate::warp::shared::SharedFields;
use crate::workspace::Workspace;
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::error::{KernelError, Result};
use offgraph_kernels::exec::threads;
use offgraph_kernels::memory;
use std::cell::Cell;

/// One target of a sample that has pixels: an image, a mask, a heatmap.
#[derive(Debug)]
pub struct Target<'a> {
    /// What is read, with the axes `[outer…, spatial…, inner…]`.
    pub input: Source<'a>,
    /// What is written; it shares no memory with any input.
    pub output: ViewMut<'a>,
    /// How the axes of both are used.
    pub axes: Axes,
    /// What lies between them; a copy if there is nothing.
    pub ops: &'a [Op],
}

/// Run the plans of all targets of a sample, one after the other.
///
/// # Errors
///
/// Where an operation does not fit its input; outputs may hold a part of the result then.
pub fn execute(targets: Vec<Target<'_>>) -> Result<()> {
    let _shared = (targets.len() > 1).then(SharedFields::new);
    targets.into_iter().try_for_each(execute_target)
}

/// Run the plan of one target.
pub(crate) fn execute_target(target: Target<'_>) -> Result<()> {
    run(target, &Cell::new(0))
}

/// Why a sample of several has no result.
#[derive(Debug)]
pub struct Refused {
    /// The target.
    pub target: usize,
    /// The operation; the number of all of them where what they make does not fit the output.
    pub op: usize,
    /// Why.
    pub error: KernelError,
}

/// Run samples on as many threads as the call may use, each on one; `None` for those that are done.
///
/// A sample that fails leaves the others alone. If the call is interrupted, this function does not return.
pub fn execute_each(samples: Vec<Vec<Target<'_>>>) -> Vec<Option<Refused>> {
    let mut results = memory::with_capacity(samples.len());
    results.resize_with(samples.len(), || None);
    let is_alone = samples.len() == 1;
    let mut blocks = memory::with_capacity(samples.len());
    memory::extend(&mut blocks, samples.into_iter().zip(&mut results));
    threads::for_each_block(blocks, |(targets, result)| {
        let _one = (!is_alone).then(OneThread::new);
        *result = execute_one(targets);
    });
    results
}

/// Run one sample; running out of memory is its error, too.
fn execute_one(targets: Vec<Target<'_>>) -> Option<Refused> {
    let (target, op) = (Cell::new(0), Cell::new(0));
    let _shared = (targets.len() > 1).then(SharedFields::new);
    let done = memory::catch_memory_error(|| {
        targets.into_iter().enumerate().try_for_each(|(number, each)| {
            target.set(number);
            run(each, &op)
        })
    });
    done.err().map(|error| Refused { target: target.get(), op: op.get(), error })
}

/// RAII guard: calls from this thread use one thread until it is dropped.
pub(crate) struct OneThread(usize);

impl OneThread {
    pub(crate) fn new() -> Self {
        Self(threads::set_local_threads(1))
    }
}

impl Drop for OneThread {
    fn drop(&mut self) {
        threads::set_local_threads(self.0);
    }
}

/// What the operations so far have made.
fn latest<'a>(made: &'a Option<Workspace>, input: &'a Source<'_>) -> View<'a> {
    match (made, input) {
        (Some(made), _) => made.view(),
        (None, Source::Array(array)) => array.view(),
        (None, Source::File(_)) => unreachable!("it was decoded"),
    }
}

/// Run one target; `at` is the operation that it has come to.
fn run(target: Target<'_>, at: &Cell<usize>) -> Result<()> {
    let Target { input, mut output, axes, ops } = target;
    let refused = |shape: &[usize], dtype, output: &ViewMut<'_>| {
        let wanted = (output.shape(), DType::of_mut(output));
        Err(KernelError::shape(format!("a plan that makes {shape:?} of {dtype:?} cannot fill {wanted:?}")))
    };
    at.set(0);
    let (mut made, done) = match &input {
        Source::Array(_) => (None, 0),
        Source::File(image) => {
            let (decoded, done) = image.decode(ops)?;
            (Some(decoded), done)
        }
    };
    for (number, op) in ops.iter().enumerate().skip(done) {
        at.set(number);
        let input = latest(&made, &input);
        let (shape, dtype) = op.output(input.shape(), DType::of(&input), axes);
        if number + 1 == ops.len() {
            if shape != output.shape() || dtype != DType::of_mut(&output) {
                at.set(ops.len());
                return refused(&shape, dtype, &output);
            }
            return op.run(&input, output.reborrow(), axes);
        }
        let mut next = Workspace::new(dtype, &shape);
        op.run(&input, next.view_mut(), axes)?;
        drop(input);
        made = Some(next);
    }
    at.set(ops.len());
    let last = latest(&made, &input);
    if last.shape() != output.shape() {
        return refused(last.shape(), DType::of(&last), &output);
    }
    match_pair!(last.view(), output.reborrow(), (from, to) => {
        let mut to = to;
        to.assign(&from);
        Ok(())
    }, _ => refused(last.shape(), DType::of(&last), &output))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Grid, GridAxis};
    use ndarray::ArrayD;
    use offgraph_kernels::border::Border;

    fn flip(len: usize) -> Op {
        let axis =
            |axis, flip, len| GridAxis { axis, flip, start: if flip { len as isize - 1 } else { 0 }, len };
        Op::Grid(Grid {
            axes: vec![axis(0, false, 1), axis(1, true, len)],
            border: Border::Nearest,
            fill: 0.0,
        })
    }

    #[test]
    fn a_sample_that_fails_leaves_the_others_alone() {
        let ops: Vec<Vec<Op>> = (0..40)
            .map(|number| match number {
                7 => vec![flip(5), flip(5), flip(6)],
                8 => vec![
                    flip(5),
                    Op::Grid(Grid { axes: vec![], border: Border::Nearest, fill: 0.0 }),
                    flip(5),
                ],
                _ => (0..number % 4).map(|_| flip(5)).collect(),
            })
            .collect();
        let input = ArrayD::from_shape_fn(vec![1, 5], |at| at[1] as u8);
        let reversed = ArrayD::from_shape_fn(vec![1, 5], |at| 4 - at[1] as u8);
        for count in [1, 2, 5] {
            let before = threads::set_local_threads(count);
            let mut outputs = vec![ArrayD::<u8>::zeros(vec![1, 5]); ops.len()];
            let samples = outputs.iter_mut().zip(&ops).map(|(output, ops)| {
                let output = ViewMut::U8(output.view_mut());
                vec![Target {
                    input: Source::Array(View::U8(input.view())),
                    output,
                    axes: Axes { outer: 0, spatial: 2 },
                    ops,
                }]
            });
            let results = execute_each(samples.collect());
            threads::set_local_threads(before);
            for (number, (output, result)) in outputs.iter().zip(&results).enumerate() {
                match (number, result) {
                    (7, Some(Refused { target: 0, op: 3, .. }))
                    | (8, Some(Refused { target: 0, op: 1, .. })) => {}
                    (_, None) => assert_eq!(output, if number % 2 == 0 { &input } else { &reversed }),
                    _ => panic!("{number}: {result:?}"),
                }
            }
        }
    }
}
