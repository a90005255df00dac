//! Images that do not lie in memory as rows are read from them, and would be copied for a call: what each block of the
//! output needs is picked instead, whatever the border mode makes of it.

use super::axis_table::Line;
use super::{Recipe, Zoom, cost};
use crate::array::sample::Sample;
use crate::array::view::{ViewMut, copy_lines};
use crate::exec::threads::{self, LocalThreads};
use crate::memory::{self, CollectVec};
use crate::walk::rows::{Axes, LONGEST_ROW, Pixels, is_better_in_parts, lies_as_gathered, make_rows};
use ndarray::{ArrayD, ArrayViewD, Axis, Slice};
use std::ops::Range;

/// How the output is cut.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// About the bytes that are picked for a block.
    picked: usize,
    /// Positions of a row that are made from one pick: a row is read as `f64` in full.
    row: usize,
    /// Samples that are picked without need, between two that are needed along the last axis: pieces cost more.
    gap: usize,
}

/// What is picked stays in the second cache.
const SIZES: Sizes = Sizes { picked: 1 << 18, row: 1 << 14, gap: 16 };

/// Whether to pick what the output needs: if its image would be copied, and if rows are long, which are read in full.
pub(super) fn are_picked<T: Sample>(image: &ArrayViewD<'_, T>, output: &ViewMut<'_>, axes: Axes) -> bool {
    let row = |shape: &[usize]| shape[axes.outer + axes.spatial - 1];
    let bytes = image.len().saturating_mul(size_of::<T>());
    let is_copied = !lies_as_gathered(image) && is_better_in_parts(image.len(), bytes, output.len());
    is_copied || row(image.shape()).max(row(output.shape())) > LONGEST_ROW
}

/// Fill the output block by block; `line` tells what some positions along a spatial axis are made of.
pub(super) fn run<T: Sample, const TAPS: usize>(
    image: &ArrayViewD<'_, T>,
    output: ViewMut<'_>,
    recipe: Recipe<'_>,
    line: impl Fn(usize, Range<usize>) -> Line<TAPS> + Sync,
) {
    run_by(SIZES, image, output, recipe, line);
}

fn run_by<T: Sample, const TAPS: usize>(
    sizes: Sizes,
    image: &ArrayViewD<'_, T>,
    output: ViewMut<'_>,
    recipe: Recipe<'_>,
    line: impl Fn(usize, Range<usize>) -> Line<TAPS> + Sync,
) {
    let axes = recipe.axes;
    let last = axes.outer + axes.spatial - 1;
    let rows: Vec<usize> = (last..output.ndim()).collect_vec();
    let others: Vec<usize> = (0..output.ndim()).filter(|axis| *axis != last).collect_vec();
    // As many blocks as the image has picks, though an output may need less of it.
    let samples = image.len().min(output.len().saturating_mul(TAPS.saturating_pow(axes.spatial as u32)));
    let count = (samples.saturating_mul(size_of::<T>()) / sizes.picked).max(1);
    let in_a_row = output.shape()[last].div_ceil(sizes.row);
    let cost = cost::<TAPS>(axes);
    let least = threads::blocks_for(output.len().saturating_mul(cost));
    let (is_little, count) = (least == 1, count.max(least));
    // The samples that some positions read, and what these are made of from them.
    let picked = |axis: usize, positions: Range<usize>, gap: usize| {
        let line = line(axis - axes.outer, positions);
        let reached = line.reached(gap);
        (line.of_picked(&reached), reached)
    };
    for (first, part) in output.split_blocks(&others, in_a_row) {
        let (of_columns, columns) = picked(last, first[last]..first[last] + part.shape()[last], sizes.gap);
        let blocks = part.split_blocks(&rows, count.div_ceil(in_a_row));
        let fill_block = |(origin, block): (Vec<usize>, ViewMut<'_>)| {
            let _alone = LocalThreads::new(1);
            let positions = |axis: usize| origin[axis]..origin[axis] + block.shape()[axis];
            let mut ranges: Vec<Vec<Range<usize>>> =
                (0..axes.outer).map(|axis| memory::filled(positions(axis), 1)).collect_vec();
            let leading: Vec<_> =
                (axes.outer..last).map(|axis| picked(axis, positions(axis), 0)).collect_vec();
            memory::extend(&mut ranges, leading.iter().map(|(_, reached)| memory::copy(reached)));
            memory::push(&mut ranges, memory::copy(&columns));
            let lines: Vec<&Line<TAPS>> =
                leading.iter().map(|(line, _)| line).chain([&of_columns]).collect_vec();
            let pixels = Pixels::of_copy(pick(image, &ranges), axes);
            make_rows(block, axes, cost, &Zoom::new(&pixels, &lines, recipe));
            threads::pause();
        };
        if is_little {
            blocks.into_iter().for_each(fill_block);
        } else {
            threads::for_each_block(blocks, fill_block);
        }
    }
}

/// What lies in these ranges of the first axes, one behind the other, in C order.
fn pick<T: Sample>(image: &ArrayViewD<'_, T>, ranges: &[Vec<Range<usize>>]) -> ArrayD<T> {
    let mut shape = memory::copy(image.shape());
    for (len, ranges) in shape.iter_mut().zip(ranges) {
        *len = ranges.iter().map(|range| range.len()).sum();
    }
    let mut picked = memory::zero_array(&shape);
    pick_into(picked.view_mut(), image.view(), 0, ranges);
    picked
}

/// Pick along this axis and those behind it.
fn pick_into<T: Sample>(
    mut to: ndarray::ArrayViewMutD<'_, T>,
    from: ArrayViewD<'_, T>,
    axis: usize,
    ranges: &[Vec<Range<usize>>],
) {
    let Some(of_axis) = ranges.get(axis) else {
        copy_lines(from, to, |element| element);
        return;
    };
    let mut done = 0;
    for range in of_axis {
        let mut to = to.view_mut();
        to.slice_axis_inplace(Axis(axis), Slice::from(done..done + range.len()));
        let from = from.slice_axis(Axis(axis), Slice::from(range.clone()));
        pick_into(to, from, axis + 1, ranges);
        done += range.len();
    }
}

#[cfg(test)]
mod tests {
    use super::super::AxisMap;
    use super::*;
    use crate::border::Border;
    use crate::interpolate::warp::{Options, blends_to_the_end};
    use proptest::prelude::*;

    fn check<const TAPS: usize>(
        image: &ArrayD<f32>,
        shape: &[usize],
        maps: &[AxisMap],
        options: &Options,
        sizes: Sizes,
    ) -> Result<(), TestCaseError> {
        let axes = Axes { outer: 1, spatial: maps.len() };
        let to_the_end = blends_to_the_end(false, options);
        let line = |axis: usize, positions| {
            Line::<TAPS>::new(maps[axis], image.shape()[axis + 1], positions, to_the_end, options)
        };
        let lines: Vec<Line<TAPS>> = (0..maps.len()).map(|axis| line(axis, 0..shape[axis + 1])).collect();
        let recipe = Recipe { axes, maps, options, is_finite: None };
        let mut of_whole = ArrayD::<f32>::zeros(shape);
        let mut of_parts = of_whole.clone();
        let pixels = Pixels::new(image.view(), axes);
        let all: Vec<&Line<TAPS>> = lines.iter().collect();
        make_rows(ViewMut::F32(of_whole.view_mut()), axes, 1, &Zoom::new(&pixels, &all, recipe));
        // The same elements, the other way round in memory.
        let turned = image.view().reversed_axes().as_standard_layout().into_owned();
        let turned = turned.view().reversed_axes();
        run_by(sizes, &turned, ViewMut::F32(of_parts.view_mut()), recipe, line);
        prop_assert_eq!(of_parts, of_whole);
        Ok(())
    }

    proptest! {
        #[test]
        fn parts_give_what_the_whole_image_gives(
            axes in prop::collection::vec((1_usize..30, 1_usize..30, -2.0_f64..2.0, 0.05_f64..3.0), 1..=3),
            planes in (1_usize..3, 1_usize..4),
            order in 0_usize..=5,
            border in 0_i32..7,
            grid in any::<bool>(),
            sizes in (1_usize..2000, 1_usize..40, 0_usize..4),
            seed in any::<u32>(),
        ) {
            let options = Options { order, border: Border::from_code(border).unwrap(), fill: 7.5, pad: 0 };
            let maps: Vec<AxisMap> =
                axes.iter().map(|(_, _, shift, zoom)| AxisMap { shift: Some(*shift), zoom: Some(*zoom), grid }).collect();
            let around = |lens: Vec<usize>| [vec![planes.0], lens, vec![planes.1]].concat();
            let mut state = seed;
            let image = ArrayD::from_shape_simple_fn(around(axes.iter().map(|axis| axis.0).collect()), || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 12) as f32 / 7.0
            });
            let shape = around(axes.iter().map(|axis| axis.1).collect());
            let sizes = Sizes { picked: sizes.0, row: sizes.1, gap: sizes.2 };
            match order {
                0 => check::<1>(&image, &shape, &maps, &options, sizes)?,
                1 => check::<2>(&image, &shape, &maps, &options, sizes)?,
                2 => check::<3>(&image, &shape, &maps, &options, sizes)?,
                3 => check::<4>(&image, &shape, &maps, &options, sizes)?,
                4 => check::<5>(&image, &shape, &maps, &options, sizes)?,
                _ => check::<6>(&image, &shape, &maps, &options, sizes)?,
            }
        }
    }
}
