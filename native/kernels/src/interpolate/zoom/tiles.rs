//! Tiled zooms, for images that would otherwise be copied whole: each block of the output gathers just the input rows
//! and columns that its tables name, wherever the border mode puts them.

use crate::array::axes::{Axes, MAX_ROW_LEN};
use crate::array::pixels::{Pixels, is_dense, prefers_tiles};
use crate::array::sample::Sample;
use crate::array::view::{ViewMut, copy_lines};
use crate::exec::threads::{self, LocalThreads};
use crate::interpolate::zoom::axis_table::AxisTable;
use crate::interpolate::zoom::plan::ZoomPlan;
use crate::interpolate::zoom::rows::{Zoom, cost};
use crate::memory::{self, CollectVec};
use crate::walk::rows::make_rows;
use ndarray::{ArrayD, ArrayViewD, Axis, Slice};
use std::ops::Range;

/// Sizes of blocks.
#[derive(Debug, Clone, Copy)]
struct ZoomTileSizes {
    /// Bytes to gather for a block, about.
    gathered: usize,
    /// Positions of a row that are made from one gather, because rows are read as `f64` in full.
    row: usize,
    /// Samples along the last axis that are gathered needlessly rather than starting another range.
    gap: usize,
}

/// Gathered pixels fit the second-level cache.
const SIZES: ZoomTileSizes = ZoomTileSizes { gathered: 1 << 18, row: 1 << 14, gap: 16 };

/// Whether to gather what the output needs: if the image would be copied, or if rows are long, since they are read in
/// full.
pub(super) fn uses_tiles<T: Sample>(image: &ArrayViewD<'_, T>, output: &ViewMut<'_>, axes: Axes) -> bool {
    let row = |shape: &[usize]| shape[axes.outer + axes.spatial - 1];
    let bytes = image.len().saturating_mul(size_of::<T>());
    let is_copied = !is_dense(image) && prefers_tiles(image.len(), bytes, output.len());
    is_copied || row(image.shape()).max(row(output.shape())) > MAX_ROW_LEN
}

/// Fill the output block by block; `table` returns the table of some positions along a spatial axis.
pub(super) fn run<T: Sample, const TAPS: usize>(
    image: &ArrayViewD<'_, T>,
    output: ViewMut<'_>,
    plan: ZoomPlan<'_>,
    table: impl Fn(usize, Range<usize>) -> AxisTable<TAPS> + Sync,
) {
    run_by(SIZES, image, output, plan, table);
}

fn run_by<T: Sample, const TAPS: usize>(
    sizes: ZoomTileSizes,
    image: &ArrayViewD<'_, T>,
    output: ViewMut<'_>,
    plan: ZoomPlan<'_>,
    table: impl Fn(usize, Range<usize>) -> AxisTable<TAPS> + Sync,
) {
    let axes = plan.axes;
    let last = axes.outer + axes.spatial - 1;
    let rows: Vec<usize> = (last..output.ndim()).collect_vec();
    let others: Vec<usize> = (0..output.ndim()).filter(|axis| *axis != last).collect_vec();
    // As many blocks as the image has gathers, even if the output needs less of it.
    let samples = image.len().min(output.len().saturating_mul(TAPS.saturating_pow(axes.spatial as u32)));
    let count = (samples.saturating_mul(size_of::<T>()) / sizes.gathered).max(1);
    let in_a_row = output.shape()[last].div_ceil(sizes.row);
    let cost = cost::<TAPS>(axes);
    let least = threads::blocks_for(output.len().saturating_mul(cost));
    let (is_little, count) = (least == 1, count.max(least));
    // The samples that some positions read, and their table renumbered for these.
    let gathered = |axis: usize, positions: Range<usize>, gap: usize| {
        let table = table(axis - axes.outer, positions);
        let reached = table.reached(gap);
        (table.renumbered(&reached), reached)
    };
    for (first, part) in output.split_blocks(&others, in_a_row) {
        let (of_columns, columns) = gathered(last, first[last]..first[last] + part.shape()[last], sizes.gap);
        let blocks = part.split_blocks(&rows, count.div_ceil(in_a_row));
        let fill_block = |(origin, block): (Vec<usize>, ViewMut<'_>)| {
            let _alone = LocalThreads::new(1);
            let positions = |axis: usize| origin[axis]..origin[axis] + block.shape()[axis];
            let mut ranges: Vec<Vec<Range<usize>>> =
                (0..axes.outer).map(|axis| memory::filled(positions(axis), 1)).collect_vec();
            let leading: Vec<_> =
                (axes.outer..last).map(|axis| gathered(axis, positions(axis), 0)).collect_vec();
            memory::extend(&mut ranges, leading.iter().map(|(_, reached)| memory::copy(reached)));
            memory::push(&mut ranges, memory::copy(&columns));
            let tables: Vec<&AxisTable<TAPS>> =
                leading.iter().map(|(table, _)| table).chain([&of_columns]).collect_vec();
            let pixels = Pixels::from_copy(gather_ranges(image, &ranges), axes);
            make_rows(block, axes, cost, &Zoom::new(&pixels, &tables, plan));
            threads::check_interrupt();
        };
        if is_little {
            blocks.into_iter().for_each(fill_block);
        } else {
            threads::for_each_block(blocks, fill_block);
        }
    }
}

/// The elements in these ranges of the first axes, joined into one C-ordered array.
fn gather_ranges<T: Sample>(image: &ArrayViewD<'_, T>, ranges: &[Vec<Range<usize>>]) -> ArrayD<T> {
    let mut shape = memory::copy(image.shape());
    for (len, ranges) in shape.iter_mut().zip(ranges) {
        *len = ranges.iter().map(|range| range.len()).sum();
    }
    let mut gathered = memory::zero_array(&shape);
    gather_into(gathered.view_mut(), image.view(), 0, ranges);
    gathered
}

/// Gather along this axis and those after it.
fn gather_into<T: Sample>(
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
        gather_into(to, from, axis + 1, ranges);
        done += range.len();
    }
}

#[cfg(test)]
mod tests {
    use super::super::AxisMap;
    use super::*;
    use crate::border::Border;
    use crate::interpolate::intervals::reaches_last_sample;
    use crate::interpolate::options::Options;
    use proptest::prelude::*;

    fn check<const TAPS: usize>(
        image: &ArrayD<f32>,
        shape: &[usize],
        maps: &[AxisMap],
        options: &Options,
        sizes: ZoomTileSizes,
    ) -> Result<(), TestCaseError> {
        let axes = Axes { outer: 1, spatial: maps.len() };
        let to_last = reaches_last_sample(false, options);
        let table = |axis: usize, positions| {
            AxisTable::<TAPS>::new(maps[axis], image.shape()[axis + 1], positions, to_last, options)
        };
        let tables: Vec<AxisTable<TAPS>> =
            (0..maps.len()).map(|axis| table(axis, 0..shape[axis + 1])).collect();
        let plan = ZoomPlan { axes, maps, options, is_finite: None };
        let mut of_whole = ArrayD::<f32>::zeros(shape);
        let mut of_parts = of_whole.clone();
        let pixels = Pixels::new(image.view(), axes);
        let all: Vec<&AxisTable<TAPS>> = tables.iter().collect();
        make_rows(ViewMut::F32(of_whole.view_mut()), axes, 1, &Zoom::new(&pixels, &all, plan));
        // The same elements, stored in reverse order of axes.
        let turned = image.view().reversed_axes().as_standard_layout().into_owned();
        let turned = turned.view().reversed_axes();
        run_by(sizes, &turned, ViewMut::F32(of_parts.view_mut()), plan, table);
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
            let sizes = ZoomTileSizes { gathered: sizes.0, row: sizes.1, gap: sizes.2 };
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
