//! Make an image row by row. A worker fills a row of `f64`, which is stored with the rounding cast, or stores the row
//! itself.
//!
//! Axes are `[outer…, spatial…, inner…]`. Outer and inner planes share all coordinates: a row is one line along the
//! last spatial axis with all its inner planes.

use crate::array::axes::Axes;
use crate::array::index::IndexCounter;
use crate::array::pixels::PLANE_GROUP_SAMPLES;
use crate::array::sample::Sample;
use crate::array::view::{ViewMut, copy_lines};
use crate::exec::simd::{Convert, dispatch};
use crate::exec::threads;
use crate::memory::{self, CollectVec};
use ndarray::{ArrayView, ArrayViewMut1, ArrayViewMutD, Axis};

/// Gives each thread its own [`RowWorker`].
pub trait RowMaker: Sync {
    /// A worker with its own workspace.
    fn worker(&self) -> Box<dyn RowWorker + '_>;
}

/// Computes rows.
pub trait RowWorker {
    /// Prepare for rows of this outer plane; others may follow.
    fn start_plane(&mut self, _outer: &[usize]) {}

    /// Prepare for the row at this position on all spatial axes but the last.
    fn start(&mut self, row: &[usize]);

    /// Fill the row of this outer plane: all inner planes of the first pixel, then of the second, and so on.
    fn fill(&mut self, outer: &[usize], to: &mut [f64]);

    /// Store the result of [`fill`](Self::fill) and the rounding cast directly; return false if not supported.
    fn fill_bytes(&mut self, _outer: &[usize], _to: &mut [u8]) -> bool {
        false
    }

    /// Like [`fill_bytes`](Self::fill_bytes).
    fn fill_floats(&mut self, _outer: &[usize], _to: &mut [f32]) -> bool {
        false
    }

    /// The same for the other types; `to` is one line.
    fn fill_samples(&mut self, _outer: &[usize], _to: ViewMut<'_>) -> bool {
        false
    }
}

/// Fill `output`, an image with these axes, on one or more threads; `cost` estimates nanoseconds per sample.
pub fn make_rows(output: ViewMut<'_>, axes: Axes, cost: usize, maker: &dyn RowMaker) {
    if output.is_empty() {
        return;
    }
    let keep: Vec<usize> = (axes.outer + axes.spatial - 1..output.ndim()).collect_vec();
    let count = threads::blocks_for(output.len().saturating_mul(cost));
    let mut blocks = Vec::new();
    let planes: Vec<usize> = (axes.outer..output.ndim()).collect_vec();
    let groups = output.len() / PLANE_GROUP_SAMPLES;
    let groups = output.split_blocks(&planes, groups.max(1));
    let count = count.div_ceil(groups.len());
    for (first, group) in groups {
        for (mut origin, block) in group.split_blocks(&keep, count) {
            origin.iter_mut().zip(&first).for_each(|(origin, first)| *origin += first);
            memory::push(&mut blocks, (origin, block));
        }
    }
    threads::for_each_block(blocks, |(origin, block)| {
        let worker = &mut *maker.worker();
        match block {
            ViewMut::U8(block) => make_block(block, &origin, axes, worker, RowWorker::fill_bytes),
            ViewMut::F32(block) => make_block(block, &origin, axes, worker, RowWorker::fill_floats),
            block => make_samples(block, &origin, axes, worker),
        }
    });
}

/// [`make_block`] for types other than those of most images.
fn make_samples<'w>(block: ViewMut<'_>, origin: &[usize], axes: Axes, worker: &mut (dyn RowWorker + 'w)) {
    macro_rules! make {
        ($($variant:ident)*) => {
            match block {
                $(ViewMut::$variant(block) => make_block(block, origin, axes, worker, |worker, outer, to| {
                    worker.fill_samples(outer, ViewMut::$variant(ArrayViewMut1::from(to).into_dyn()))
                }),)*
            }
        };
    }
    make!(Bool U8 I8 U16 I16 U32 I32 U64 I64 F32 F64);
}

fn make_block<'w, T: Sample>(
    mut block: ArrayViewMutD<'_, T>,
    origin: &[usize],
    axes: Axes,
    worker: &mut (dyn RowWorker + 'w),
    fill_directly: impl Fn(&mut (dyn RowWorker + 'w), &[usize], &mut [T]) -> bool,
) {
    let lead = axes.outer + axes.spatial - 1;
    let (outer_shape, row_shape) = block.shape()[..lead].split_at(axes.outer);
    let (outer_shape, row_shape) = (memory::copy(outer_shape), memory::copy(row_shape));
    let row_len: usize = block.shape()[lead..].iter().product();
    let row_count: usize = row_shape.iter().product();
    let mut values = Vec::new();
    let mut fill = |worker: &mut (dyn RowWorker + 'w), outer: &[usize], to: &mut [T]| {
        if !fill_directly(worker, outer, to) {
            memory::resize(&mut values, row_len, 0.0);
            worker.fill(outer, &mut values);
            dispatch(Convert { from: &values, to, convert: T::from_f64_rounded });
        }
    };
    let shapes = (&outer_shape[..], &row_shape[..]);
    if let Some(elements) = block.as_slice_mut() {
        each_row(worker, shapes, origin, |worker, row| {
            let start = (row.outer_number * row_count + row.number) * row_len;
            fill(worker, row.outer, &mut elements[start..start + row_len]);
        });
        return;
    }
    let mut odd_row = Vec::new();
    each_row(worker, shapes, origin, |worker, row| {
        let mut target = block.view_mut();
        let inside_block = row.outer.iter().chain(row.row).zip(origin).map(|(index, first)| index - first);
        inside_block.for_each(|index| target.index_axis_inplace(Axis(0), index));
        if let Some(target) = target.as_slice_mut() {
            fill(worker, row.outer, target);
        } else {
            memory::resize(&mut odd_row, row_len, T::default());
            fill(worker, row.outer, &mut odd_row);
            let filled = ArrayView::from_shape(target.raw_dim(), &odd_row).expect("room for a row");
            copy_lines(filled, target, |element| element);
        }
    });
}

/// Which row of which outer plane.
struct RowIndex<'a> {
    outer: &'a [usize],
    row: &'a [usize],
    /// Both count in C order from the start of the block.
    outer_number: usize,
    number: usize,
}

/// Start one row after another, and visit it in every outer plane.
fn each_row<'w>(
    worker: &mut (dyn RowWorker + 'w),
    (outer_shape, row_shape): (&[usize], &[usize]),
    origin: &[usize],
    mut visit: impl FnMut(&mut (dyn RowWorker + 'w), RowIndex<'_>),
) {
    let counts = (outer_shape.iter().product(), row_shape.iter().product());
    let (mut outer, mut row) =
        (IndexCounter::new(outer_shape, origin), IndexCounter::new(row_shape, &origin[outer_shape.len()..]));
    for _ in 0..counts.0 {
        worker.start_plane(&outer.index);
        outer.step();
    }
    for number in 0..counts.1 {
        worker.start(&row.index);
        for outer_number in 0..counts.0 {
            visit(worker, RowIndex { outer: &outer.index, row: &row.index, outer_number, number });
            outer.step();
        }
        row.step();
    }
}
