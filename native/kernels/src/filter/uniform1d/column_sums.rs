//! Running sums of all columns at once, row by row; samples are read in place.
//!
//! Where an axis has many inner neighbours, tiles of whole lines are narrow, and each row of a tile lies on another
//! page of memory. Reading the rows of the array from left to right instead only requires keeping the sums.

use crate::array::scratch::{Element, Scratch};
use crate::array::view::{View, ViewMut};
use crate::error::Result;
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::filter::line_filter::{SameType, c_order};
use crate::filter::uniform1d::division::{Addend, Divide};
use crate::memory;
use crate::walk::line_tiles::{Extension, Walk};
use ndarray::{ArrayViewMutD, Axis};
use std::hint;

/// Fewer columns are not worth it.
const MIN_COLUMNS: usize = 64;

/// Most columns whose sums are kept: they fit the first-level cache, and the rows of small windows the second.
const MAX_COLUMNS: usize = 2048;

/// Rows between two checks for an interrupt.
const ROWS_PER_CHECK: usize = 64;

/// Whether to sum row by row. With a window longer than the axis, most of its samples would come from the border.
pub(super) fn is_suitable(shape: &[usize], walk: &Walk) -> bool {
    let Extension { before, after, .. } = walk.extension;
    walk.axis < shape.len()
        && before + after < shape[walk.axis]
        && shape[walk.axis + 1..].iter().product::<usize>() >= MIN_COLUMNS
}

/// The means along the walk's axis, for arrays of one shape and an input in C order.
///
/// `load` converts an element to a summand, `divide` a sum to an element.
pub(super) fn means<T: SameType + Element, S: Addend + Element>(
    input: &View<'_>,
    output: ViewMut<'_>,
    walk: &Walk,
    fill: T,
    load: impl Fn(T) -> S + Copy + Sync,
    divide: impl Divide<S, T>,
) -> Result<()> {
    let (shape, size) = (output.shape(), output.len());
    let (len, inner): (usize, usize) = (shape[walk.axis], shape[walk.axis + 1..].iter().product());
    let input = c_order(T::elements(input))?;
    let blocks = output
        .into_shape(&[size / (len * inner), len, inner])?
        .split_blocks(&[1], threads::blocks_for(size.saturating_mul(walk.cost)));
    threads::for_each_block(blocks, |(origin, block)| {
        let mut block = T::array(block).expect("a part has the type of the whole");
        let (planes, columns) = (block.len_of(Axis(0)), block.len_of(Axis(2)));
        let mut sums = Scratch::<S>::new(columns.min(MAX_COLUMNS));
        let outside = memory::filled(fill, columns.min(MAX_COLUMNS));
        for plane in 0..planes {
            let input = &input[(origin[0] + plane) * len * inner..][..len * inner];
            for column in (0..columns).step_by(MAX_COLUMNS) {
                let width = MAX_COLUMNS.min(columns - column);
                let row = |position: usize| match walk.extension.at(position, len) {
                    Some(row) => &input[row * inner + origin[2] + column..][..width],
                    None => &outside[..width],
                };
                column_means(
                    row,
                    &mut block,
                    [plane, column],
                    &mut sums[..width],
                    walk.extension,
                    load,
                    divide,
                );
            }
        }
    });
    Ok(())
}

/// The means of a range of columns of a plane; `row(position)` returns their samples, counted from the first window's.
fn column_means<'a, T: SameType, S: Addend>(
    row: impl Fn(usize) -> &'a [T],
    output: &mut ArrayViewMutD<'_, T>,
    [plane, column]: [usize; 2],
    sums: &mut [S],
    extension: Extension,
    load: impl Fn(T) -> S + Copy,
    divide: impl Divide<S, T>,
) {
    let around = extension.before + extension.after;
    sums.fill(S::default());
    for position in 0..around {
        dispatch(SumRow { sums, enters: row(position), leaves: None, means: &mut [], load, divide });
    }
    let mut plane = output.index_axis_mut(Axis(0), plane);
    for (index, mut means) in plane.outer_iter_mut().enumerate() {
        if index % ROWS_PER_CHECK == 0 {
            threads::check_interrupt();
        }
        let means = means.as_slice_mut().expect("rows of an array in C order");
        let means = &mut means[column..][..sums.len()];
        let leaves = index.checked_sub(1).map(&row);
        dispatch(SumRow { sums, enters: row(index + around), leaves, means, load, divide });
    }
}

/// The sums of one row of windows and their means; there are no means while the first windows fill.
struct SumRow<'a, T, S, L, D> {
    sums: &'a mut [S],
    enters: &'a [T],
    leaves: Option<&'a [T]>,
    means: &'a mut [T],
    load: L,
    divide: D,
}

impl<T: Copy, S: Addend, L: Fn(T) -> S, D: Divide<S, T>> Kernel for SumRow<'_, T, S, L, D> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { sums, enters, leaves, means, load, divide } = self;
        let Some(leaves) = leaves else {
            for (sum, enters) in sums.iter_mut().zip(enters) {
                *sum = sum.plus(load(*enters));
            }
            means.iter_mut().zip(&*sums).for_each(|(mean, sum)| *mean = divide.of(*sum));
            return;
        };
        let mut bits = 0;
        for (((sum, enters), leaves), mean) in sums.iter_mut().zip(enters).zip(leaves).zip(&mut *means) {
            *sum = sum.plus(load(*enters).minus(load(*leaves)));
            *mean = divide.approx(*sum);
            bits |= D::bits(*sum);
        }
        // Hidden, or compilers would truncate every sum to a byte first.
        if hint::black_box(bits) & D::LOW_BITS != 0 {
            means.iter_mut().zip(&*sums).for_each(|(mean, sum)| *mean = divide.of(*sum));
        }
    }
}
