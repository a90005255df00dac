//! Sums that run down rows, all columns at once: the samples are read where they lie.
//!
//! Where an axis has many neighbours behind it, strips of its whole lines are narrow, and each row of a strip lies on
//! another page of memory. Rows of the array are read from left to right instead; what has to be kept are the sums.

use super::{Addend, Divide};
use crate::array::scratch::{Element, Scratch};
use crate::array::view::{View, ViewMut};
use crate::error::Result;
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::filter::correlate1d::{Alike, c_order};
use crate::memory;
use crate::walk::line_tiles::{Extension, Walk};
use ndarray::{ArrayViewMutD, Axis};
use std::hint;

/// Columns of a row, at least.
const LEAST: usize = 64;

/// Columns at most whose sums are kept: they fit the nearest cache, and the rows of small windows the next one.
const MOST: usize = 2048;

/// Rows between two questions whether to go on.
const PAUSE: usize = 64;

/// Whether rows are the way; with a window longer than the axis, most of its samples are the border's.
pub(super) fn suits(shape: &[usize], walk: &Walk) -> bool {
    let Extension { before, after, .. } = walk.extension;
    walk.axis < shape.len()
        && before + after < shape[walk.axis]
        && shape[walk.axis + 1..].iter().product::<usize>() >= LEAST
}

/// The means along the walk's axis of arrays of one shape, the input's elements in C order.
///
/// `load` makes a sample of an element, `divide` an element of a sum.
pub(super) fn means<T: Alike + Element, S: Addend + Element>(
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
        let mut sums = Scratch::<S>::new(columns.min(MOST));
        let outside = memory::filled(fill, columns.min(MOST));
        for plane in 0..planes {
            let input = &input[(origin[0] + plane) * len * inner..][..len * inner];
            for column in (0..columns).step_by(MOST) {
                let width = MOST.min(columns - column);
                let row = |position: usize| match walk.extension.at(position, len) {
                    Some(row) => &input[row * inner + origin[2] + column..][..width],
                    None => &outside[..width],
                };
                down(row, &mut block, [plane, column], &mut sums[..width], walk.extension, load, divide);
            }
        }
    });
    Ok(())
}

/// The means of some columns of a plane; `row(position)` are their samples, counted from the first window's first.
fn down<'a, T: Alike, S: Addend>(
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
        dispatch(Row { sums, enters: row(position), leaves: None, means: &mut [], load, divide });
    }
    let mut plane = output.index_axis_mut(Axis(0), plane);
    for (index, mut means) in plane.outer_iter_mut().enumerate() {
        if index % PAUSE == 0 {
            threads::pause();
        }
        let means = means.as_slice_mut().expect("rows of an array in C order");
        let means = &mut means[column..][..sums.len()];
        let leaves = index.checked_sub(1).map(&row);
        dispatch(Row { sums, enters: row(index + around), leaves, means, load, divide });
    }
}

/// The sums of a row's windows, and their means; while the first windows fill, there are none.
struct Row<'a, T, S, L, D> {
    sums: &'a mut [S],
    enters: &'a [T],
    leaves: Option<&'a [T]>,
    means: &'a mut [T],
    load: L,
    divide: D,
}

impl<T: Copy, S: Addend, L: Fn(T) -> S, D: Divide<S, T>> Kernel for Row<'_, T, S, L, D> {
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
            *mean = divide.guess(*sum);
            bits |= D::bits(*sum);
        }
        // Hidden, or compilers cut every sum to a byte first.
        if hint::black_box(bits) & D::LOW != 0 {
            means.iter_mut().zip(&*sums).for_each(|(mean, sum)| *mean = divide.of(*sum));
        }
    }
}
