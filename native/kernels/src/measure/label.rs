//! Connected components, numbered as SciPy numbers them: by their first pixels in the order of the lines.
//!
//! SciPy labels pixel by pixel; the labels depend on the components alone, so this works on runs of set pixels:
//!
//! 1. Each line is packed into bits. A run starts where a bit is set and the one before is not; it is numbered by the starts
//!    before it, which are counted by word (`slab`).
//! 2. Runs of two neighbouring lines that touch do so from a place on where one of both starts. Shifted words, combined,
//!    are these places. A run has the label of the first run that it touches, and a new one if there is none; where it
//!    touches another run, their labels are joined (`join`). Most runs of noise touch one run or none, so that few labels are
//!    joined: a twelfth of the runs' number in a plane.
//! 3. The root of a component is its first label. Roots are numbered in order, and every line is written once (`write`).
//!
//! Threads take slabs of lines. Lines on both sides of a seam are joined after that.

mod join;
#[cfg(target_arch = "x86_64")]
mod pack;
mod slab;
mod structure;
mod unite;
#[cfg(target_arch = "x86_64")]
mod wide;
mod write;

use crate::array::sample::Bool;
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::dispatch;
use crate::exec::threads;
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use join::{join_runs, join_slabs, number_roots};
use ndarray::{ArrayViewD, ArrayViewMutD, Axis};
use slab::{FindRuns, RunNumber, slabs_of};
use structure::Neighbours;
use write::{LabelSample, number_runs, write_line, write_lines};

/// Label the components of the nonzero elements of `input`; return how many there are.
///
/// `structure` has three elements along each axis and is symmetric at its centre, which does not count. Lines lie along
/// the last axis. `output` holds `i32` or `i64`.
///
/// # Errors
///
/// If shapes do not fit, or `output` has another element type or one too small for its number of elements.
pub fn label(output: ViewMut<'_>, input: &View<'_>, structure: &ArrayViewD<'_, Bool>) -> Result<usize> {
    let shape = input.shape();
    if output.shape() != shape || shape.is_empty() || structure.shape() != memory::filled(3, shape.len()) {
        return Err(KernelError::shape(format!(
            "labels of shape {:?} of an array of shape {shape:?} by a structure of shape {:?}",
            output.shape(),
            structure.shape()
        )));
    }
    let few = input.len() < i32::MAX as usize;
    match output {
        _ if input.is_empty() => Ok(0),
        ViewMut::I32(output) if few => label_as::<_, u32>(output, input, structure),
        ViewMut::I64(output) if few => label_as::<_, u32>(output, input, structure),
        ViewMut::I64(output) => label_as::<_, usize>(output, input, structure),
        _ => Err(KernelError::parameter("labels are 32-bit integers, or 64-bit ones for large arrays")),
    }
}

fn label_as<O: LabelSample, N: RunNumber>(
    mut output: ArrayViewMutD<'_, O>,
    input: &View<'_>,
    structure: &ArrayViewD<'_, Bool>,
) -> Result<usize> {
    let shape = input.shape();
    let neighbours = Neighbours::read(structure, shape);
    let len = shape[shape.len() - 1];
    let mut slabs = slabs_of::<N>(input, len);
    match_dtype!(View, input, array => {
        threads::for_each_block(slabs.iter_mut().collect_vec(), |slab| {
            let lines = array.as_slice();
            dispatch(FindRuns { array: array.view(), lines, neighbours: &neighbours, slab });
            join_runs(slab, &neighbours);
        });
    });
    let mut numbers = join_slabs(&mut slabs, &neighbours);
    let count = number_roots(&mut numbers);
    match output.as_slice_mut() {
        Some(mut rest) => {
            let mut parts = memory::with_capacity(slabs.len());
            for slab in &mut slabs {
                let (part, later) = rest.split_at_mut(slab.lines.len() * len);
                rest = later;
                memory::push(&mut parts, (part, slab));
            }
            threads::for_each_block(parts, |(part, slab)| {
                number_runs(slab, &numbers);
                write_lines(part, slab, len, neighbours.joined);
            });
        }
        None => {
            let mut line = memory::filled(O::of_label(0), len);
            let last = Axis(output.ndim() - 1);
            let mut lanes = output.lanes_mut(last).into_iter();
            for slab in &mut slabs {
                number_runs(slab, &numbers);
                let mut run = 0;
                for number in 0..slab.lines.len() {
                    let pixels = slab.line(number).pixels;
                    run += write_line(&mut line, len, pixels, &slab.labels[run..], neighbours.joined);
                    let Some(lane) = lanes.next() else { break };
                    lane.into_iter().zip(&line).for_each(|(to, label)| *to = *label);
                }
            }
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    /// Flood from every pixel without a label, in order.
    fn plain(image: &ArrayD<u8>, structure: &ArrayD<Bool>) -> (ArrayD<i64>, usize) {
        let mut labels = ArrayD::zeros(image.raw_dim());
        let mut count = 0;
        for (start, pixel) in image.indexed_iter() {
            if *pixel == 0 || labels[&start] != 0 {
                continue;
            }
            count += 1;
            labels[&start] = count;
            let mut waiting = vec![start];
            while let Some(at) = waiting.pop() {
                for (offset, element) in structure.indexed_iter() {
                    let place: Vec<usize> =
                        (0..image.ndim()).map(|axis| (at[axis] + offset[axis]).wrapping_sub(1)).collect();
                    let inside = place.iter().zip(image.shape()).all(|(at, len)| at < len);
                    let place = IxDyn(&place);
                    if element.0 != 0 && inside && image[&place] != 0 && labels[&place] == 0 {
                        labels[&place] = count;
                        waiting.push(place);
                    }
                }
            }
        }
        (labels, count as usize)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]
        #[test]
        fn equals_floods_from_each_pixel(
            lengths in prop::collection::vec(1_usize..6, 0..4),
            line in 1_usize..150,
            pixels in prop::collection::vec(0_u8..4, 700),
            least in 1_u8..4,
            elements in prop::collection::vec(any::<bool>(), 81),
        ) {
            let shape: Vec<usize> = lengths.iter().copied().chain([line]).collect();
            let mut pixels = pixels.iter().cycle();
            let image = ArrayD::from_shape_simple_fn(IxDyn(&shape), || u8::from(*pixels.next().unwrap() >= least));
            let threes = vec![3; shape.len()];
            let cells = 3_usize.pow(shape.len() as u32);
            let at = |cell: usize| elements[cell.min(cells - 1 - cell)];
            let mut cell = 0;
            let structure = ArrayD::from_shape_simple_fn(IxDyn(&threes), || {
                cell += 1;
                Bool(u8::from(at(cell - 1)))
            });
            let (expected, count) = plain(&image, &structure);
            at_every_level(1, || {
                let mut output = ArrayD::<i32>::from_elem(image.raw_dim(), 77);
                let found = label(ViewMut::I32(output.view_mut()), &View::U8(image.view()), &structure.view());
                prop_assert_eq!(found, Ok(count));
                prop_assert_eq!(output.mapv(i64::from), expected.clone());
                let mut wide = ArrayD::<i64>::from_elem(image.raw_dim(), 77);
                let found = label_as::<_, usize>(wide.view_mut(), &View::U8(image.view()), &structure.view());
                prop_assert_eq!(found, Ok(count));
                prop_assert_eq!(&wide, &expected);
                Ok(())
            })?;
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let image = ArrayD::<u8>::zeros(vec![4, 4]);
        let input = View::U8(image.view());
        let structure = ArrayD::from_elem(vec![3, 3], Bool(1));
        let mut wrong = ArrayD::<i32>::zeros(vec![4, 5]);
        let found = label(ViewMut::I32(wrong.view_mut()), &input, &structure.view());
        assert!(matches!(found, Err(KernelError::Shape(_))));
        let mut bytes = image.clone();
        let found = label(ViewMut::U8(bytes.view_mut()), &input, &structure.view());
        assert!(matches!(found, Err(KernelError::Parameter(_))));
    }
}
