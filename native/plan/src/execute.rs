//! Run the plan of one sample.

use crate::dtype::{DType, match_pair};
use crate::op::Op;
use crate::workspace::Workspace;
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::error::{KernelError, Result};

/// One target of a sample that has pixels: an image, a mask, a heatmap.
#[derive(Debug)]
pub struct Target<'a> {
    /// What is read, with the axes `[outer…, spatial…, inner…]`.
    pub input: View<'a>,
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
    targets.into_iter().try_for_each(run)
}

fn run(target: Target<'_>) -> Result<()> {
    let Target { input, mut output, axes, ops } = target;
    let refused = |shape: &[usize], dtype, output: &ViewMut<'_>| {
        let wanted = (output.shape(), DType::of_mut(output));
        Err(KernelError::shape(format!("a plan that makes {shape:?} of {dtype:?} cannot fill {wanted:?}")))
    };
    let mut made: Option<Workspace> = None;
    for (number, op) in ops.iter().enumerate() {
        let source = made.as_ref().map_or_else(|| input.view(), Workspace::view);
        let (shape, dtype) = op.output(source.shape(), DType::of(&source), axes);
        if number + 1 == ops.len() {
            if shape != output.shape() || dtype != DType::of_mut(&output) {
                return refused(&shape, dtype, &output);
            }
            return op.run(&source, output.reborrow(), axes);
        }
        let mut next = Workspace::new(dtype, &shape);
        op.run(&source, next.view_mut(), axes)?;
        drop(source);
        made = Some(next);
    }
    if input.shape() != output.shape() {
        return refused(input.shape(), DType::of(&input), &output);
    }
    match_pair!(input.view(), output.reborrow(), (from, to) => {
        let mut to = to;
        to.assign(&from);
        Ok(())
    }, _ => refused(input.shape(), DType::of(&input), &output))
}
