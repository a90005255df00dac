//! Walk slabs of neighbouring lines: the filters' counterpart of [`crate::line`].
//!
//! In C order the lines along an axis form slabs: `len` rows of `width` neighbouring samples, one sample of each
//! line in a row. A slab is read into `f64`, extended by rows before and after, computed and stored. In such a
//! buffer the neighbour of a sample along the line is `width` further on, whatever the axis: one plain loop over
//! the buffer computes many lines at once, or a single line where `width` is 1, and runs as SIMD either way.

use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::line::Extension;
use crate::match_dtype;
use crate::parallel;
use crate::sample::Sample;
use crate::simd::{Kernel, dispatch};
use crate::view::{View, ViewMut};
use ndarray::{ArrayViewMutD, Axis, Slice};

/// A slab of about this many samples stays in the second-level cache.
const SLAB_SAMPLES: usize = 16 * 1024;

/// Rows narrower than this waste what memory delivers at once.
const SMALLEST_WIDTH: usize = 16;

/// Compute every line of `output` along `axis` from the extended line of `input`; both are in C order.
///
/// `compute(extended, result, width)` gets `before + len + after` rows of `width` samples, which it may change, and
/// fills `len` rows, which are stored by the truncating cast. `cost` estimates the nanoseconds of one sample.
pub fn filter_slabs(
    input: &View<'_>,
    output: ViewMut<'_>,
    axis: usize,
    extension: Extension,
    cost: usize,
    compute: impl Fn(&mut [f64], &mut [f64], usize) + Sync,
) -> Result<()> {
    let (shape, size) = (input.shape().to_vec(), input.len());
    if shape != output.shape() || axis >= shape.len() {
        return Err(KernelError::shape(format!(
            "cannot filter axis {axis} of an array of shape {shape:?} into one of shape {:?}",
            output.shape()
        )));
    }
    if size == 0 {
        return Ok(());
    }
    let (len, inner) = (shape[axis], shape[axis + 1..].iter().product());
    let extended_len = [len, extension.before, extension.after].into_iter().try_fold(0, usize::checked_add);
    let width = (SLAB_SAMPLES / extended_len.unwrap_or(usize::MAX)).max(SMALLEST_WIDTH).min(inner);
    let room = extended_len.and_then(|rows| rows.checked_mul(width)).unwrap_or(usize::MAX);
    check_room::<f64>(room)?;
    let blocks = output
        .into_shape(&[size / (len * inner), len, inner])?
        .split_blocks(&[1], parallel::blocks_for(size.saturating_mul(cost)));
    match_dtype!(View, input, array => {
        let data = array.as_slice().ok_or_else(|| KernelError::shape("the input is not in C order"))?;
        let source = Source { data, len, inner, width, extension };
        parallel::for_each_block(blocks, |(origin, block)| {
            match_dtype!(ViewMut, block, block => source.filter(&origin, block, &compute));
        });
    });
    Ok(())
}

/// Refuse a request whose buffer of `samples` the machine has no room for: a failing `vec!` would end the process.
pub(crate) fn check_room<T>(samples: usize) -> Result<()> {
    Vec::<T>::new().try_reserve_exact(samples).map_err(|_| {
        KernelError::memory(format!("no memory for {samples} samples, which a window of this size needs"))
    })
}

/// The samples that lines are read from, and how.
struct Source<'a, T> {
    data: &'a [T],
    len: usize,
    inner: usize,
    width: usize,
    extension: Extension,
}

impl<T: Sample> Source<'_, T> {
    /// Fill `block`, whose first sample is at `origin` of the array seen as (outer, len, inner).
    fn filter<U: Sample>(
        &self,
        origin: &[usize],
        mut block: ArrayViewMutD<'_, U>,
        compute: &impl Fn(&mut [f64], &mut [f64], usize),
    ) {
        let Extension { before, after, .. } = self.extension;
        let (rows, columns) = (before + self.len + after, block.len_of(Axis(2)));
        let width = self.width.min(columns);
        let (mut extended, mut result) = (vec![0.0; rows * width], vec![0.0; self.len * width]);
        for (outer, mut plane) in block.axis_iter_mut(Axis(0)).enumerate() {
            for column in (0..columns).step_by(width) {
                let width = width.min(columns - column);
                let extended = &mut extended[..rows * width];
                let result = &mut result[..self.len * width];
                dispatch(Read {
                    from: &self.data[(origin[0] + outer) * self.len * self.inner + origin[2] + column..],
                    pitch: self.inner,
                    width,
                    to: &mut extended[before * width..(before + self.len) * width],
                });
                extend_rows(extended, width, self.len, self.extension);
                compute(extended, result, width);
                let columns = Slice::from(column..column + width);
                dispatch(Write { from: result, width, to: plane.slice_axis_mut(Axis(1), columns) });
            }
        }
    }
}

/// Fill the rows around the `len` rows of a line's own samples.
fn extend_rows(rows: &mut [f64], width: usize, len: usize, extension: Extension) {
    let Extension { before, after, border, fill } = extension;
    for row in (0..before).chain(before + len..before + len + after) {
        let to = row * width;
        match border.index(row as isize - before as isize, len) {
            Some(inside) => {
                let from = (before + inside) * width;
                rows.copy_within(from..from + width, to);
            }
            None => rows[to..to + width].fill(fill),
        }
    }
}

/// Read rows of `width` samples, `pitch` apart.
struct Read<'a, T> {
    from: &'a [T],
    pitch: usize,
    width: usize,
    to: &'a mut [f64],
}

impl<T: Sample> Kernel for Read<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        // Whole rows lie one behind the other: read them as one.
        let width = if self.width == self.pitch { self.to.len() } else { self.width };
        for (to, from) in self.to.chunks_exact_mut(width).zip(self.from.chunks(self.pitch.max(width))) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = from.to_f64());
        }
    }
}

/// Store rows of `width` samples.
struct Write<'a, U> {
    from: &'a [f64],
    width: usize,
    to: ArrayViewMutD<'a, U>,
}

impl<U: Sample> Kernel for Write<'_, U> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let store = |to: &mut [U], from: &[f64]| {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = U::from_f64_truncated(*from));
        };
        if let Some(to) = self.to.as_slice_mut() {
            return store(to, self.from);
        }
        for (mut to, from) in self.to.outer_iter_mut().zip(self.from.chunks_exact(self.width)) {
            store(to.as_slice_mut().expect("rows of an array in C order"), from);
        }
    }
}

/// Extension for a window of `size` samples that begins `before` samples ahead of the pixel.
///
/// Beyond twice the line's length a border brings no value that was not there before, so it is cut there: only for
/// filters that do not care how often a value comes.
pub(crate) fn set_extension(before: usize, size: usize, len: usize, border: Border, fill: f64) -> Extension {
    let most = len.saturating_mul(2);
    Extension { before: before.min(most), after: (size - 1 - before).min(most), border, fill }
}
