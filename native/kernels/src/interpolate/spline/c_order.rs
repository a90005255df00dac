//! Prefilter arrays whose result is C-ordered: interleave lines, filter them, store them.
//!
//! Along an axis the array is `outer` planes of `len` rows of `inner` samples. If `inner` is large, adjacent columns of
//! a plane already are interleaved lines; if it is small, enough planes to fill a few registers are transposed. Either
//! way the next sample of a line is one row further on in a workspace that stays in the second-level cache, and one
//! plain loop filters every axis. Nothing but the result is written to memory.

use crate::array::sample::Sample;
use crate::array::scratch::Scratch;
use crate::array::view::{View, ViewMut, read_line};
use crate::error::Result;
use crate::exec::simd::{Convert, Kernel, dispatch, prefetch};
use crate::exec::threads;
use crate::interpolate::spline::recursion::Filter;
use crate::match_dtype;
use crate::memory::CollectVec;
use ndarray::{ArrayView1, ArrayView2, ArrayView3, ArrayViewD, ArrayViewMut3, ArrayViewMutD, Axis, Ix3, s};

/// Lines that are interleaved, if the workspace stays small enough.
const WIDTH: usize = 64;

/// A workspace of this many samples stays in the second-level cache.
const BUFFER_SAMPLES: usize = 48 * 1024;

/// Largest workspace, unless a single line is longer.
const MAX_BUFFER_SAMPLES: usize = 1024 * 1024;

/// Shorter rows are transposed.
const SHORT_ROW: usize = 32;

/// Filter every line along `axis` of `output`, a C-ordered array; in place, or from `input`, the same elements as
/// [three axes](View::as_three_axes).
pub(super) fn filter_in_c_order(
    input: Option<&View<'_>>,
    output: ViewMut<'_>,
    axis: usize,
    filter: &Filter,
) -> Result<()> {
    let (shape, size) = (output.shape(), output.len());
    let (len, inner): (usize, usize) = (shape[axis], shape[axis + 1..].iter().product());
    let shape = [size / (len * inner), len, inner];
    let plan = SplineTiling::new(shape);
    let keep: &[usize] = if plan.transposed { &[1, 2] } else { &[1] };
    let count = threads::blocks_for(size.saturating_mul(filter.cost()));
    let outputs = output.into_shape(&shape)?.split_blocks(keep, count);
    let mut inputs: Vec<Option<View<'_>>> = outputs.iter().map(|_| None).collect_vec();
    if let Some(input) = input {
        let blocks = input.view().split_blocks(keep, count);
        inputs = blocks.into_iter().map(|(_, block)| Some(block)).collect_vec();
    }
    let blocks = inputs.into_iter().zip(outputs).map(|(input, (_, output))| (input, output)).collect_vec();
    threads::for_each_block(blocks, |(input, output)| {
        match_dtype!(ViewMut, output, output => {
            let mut output = into_3d_mut(output);
            match input {
                Some(input) => match_dtype!(View, input, input => {
                    plan.run(filter, Some(&into_3d(input)), &mut output);
                }),
                None => plan.run(filter, None, &mut output),
            }
        });
    });
    Ok(())
}

fn into_3d<T>(array: ArrayViewD<'_, T>) -> ArrayView3<'_, T> {
    array.into_dimensionality::<Ix3>().expect("three axes")
}

fn into_3d_mut<T>(array: ArrayViewMutD<'_, T>) -> ArrayViewMut3<'_, T> {
    array.into_dimensionality::<Ix3>().expect("three axes")
}

/// A range of planes and columns of a block, with all its rows.
#[derive(Clone, Copy)]
struct FilterTile {
    plane: usize,
    planes: usize,
    column: usize,
    columns: usize,
}

/// Reads a tile as interleaved lines, each sample times `gain`: row by row, then column by column, then plane by plane.
trait ReadTile {
    fn read(&self, tile: FilterTile, gain: f64, to: &mut [f64]);
}

/// Stores a tile.
trait StoreTile: ReadTile {
    /// Planes, rows and columns.
    fn shape(&self) -> [usize; 3];

    fn store(&mut self, tile: FilterTile, from: &[f64]);
}

/// How many rows ahead to prefetch.
const ROWS_AHEAD: usize = 8;

/// Extent of the rows in bytes beyond which they come from main memory.
const FAR_BYTES: usize = 1 << 18;

/// Pixels of a row per cache line, if rows are too far apart for hardware prefetch.
fn pixels_per_cache_line<T>(rows: &ArrayView2<'_, T>) -> Option<usize> {
    let bytes = |axis: usize| rows.strides()[axis].unsigned_abs() * size_of::<T>();
    (bytes(0) * rows.nrows() > FAR_BYTES).then(|| (64 / bytes(1).max(1)).max(1))
}

/// Prefetch a row of a tile that is read or written some rows later.
fn prefetch_row<T>(rows: &ArrayView2<'_, T>, row: usize, pixels_per_cache_line: Option<usize>) {
    let (height, width) = rows.dim();
    if let Some(step) = pixels_per_cache_line.filter(|_| row < height) {
        for column in (0..width).step_by(step).chain([width - 1]) {
            prefetch(std::slice::from_ref(&rows[[row, column]]), 0);
        }
    }
}

impl<T: Sample> ReadTile for ArrayView3<'_, T> {
    fn read(&self, tile: FilterTile, gain: f64, to: &mut [f64]) {
        let FilterTile { plane, planes, column, columns } = tile;
        let load = |sample: T| sample.to_f64() * gain;
        let read_strided = |line: ArrayView1<'_, T>, to: &mut [f64]| {
            read_line(line, to);
            to.iter_mut().for_each(|sample| *sample *= gain);
        };
        if planes > 1 {
            let rows = self.slice(s![plane..plane + planes, .., ..]);
            if let Some(from) = rows.to_slice() {
                dispatch(Transpose { from, rows: planes, to, convert: load });
            } else {
                let lines = rows.lanes(Axis(0)).into_iter().zip(to.chunks_exact_mut(planes));
                lines.for_each(|(line, to)| read_strided(line, to));
            }
            return;
        }
        let rows = self.slice(s![plane, .., column..column + columns]);
        let pixels = pixels_per_cache_line(&rows);
        for (number, (row, to)) in rows.outer_iter().zip(to.chunks_exact_mut(columns)).enumerate() {
            prefetch_row(&rows, number + ROWS_AHEAD, pixels);
            match row.to_slice() {
                Some(from) => dispatch(Convert { from, to, convert: load }),
                None => read_strided(row, to),
            }
        }
    }
}

impl<T: Sample> ReadTile for ArrayViewMut3<'_, T> {
    fn read(&self, tile: FilterTile, gain: f64, to: &mut [f64]) {
        self.view().read(tile, gain, to);
    }
}

impl<T: Sample> StoreTile for ArrayViewMut3<'_, T> {
    fn shape(&self) -> [usize; 3] {
        let (planes, rows, columns) = self.dim();
        [planes, rows, columns]
    }

    fn store(&mut self, tile: FilterTile, from: &[f64]) {
        let FilterTile { plane, planes, column, columns } = tile;
        if planes > 1 {
            let rows = self.slice_mut(s![plane..plane + planes, .., ..]);
            let rows = rows.into_slice().expect("whole planes in C order");
            dispatch(Transpose { from, rows: from.len() / planes, to: rows, convert: T::from_f64_truncated });
            return;
        }
        let mut rows = self.slice_mut(s![plane, .., column..column + columns]);
        let pixels = pixels_per_cache_line(&rows.view());
        for (number, from) in from.chunks_exact(columns).enumerate() {
            prefetch_row(&rows.view(), number + ROWS_AHEAD, pixels);
            let to = rows.row_mut(number).into_slice().expect("rows of an array in C order");
            dispatch(Convert { from, to, convert: T::from_f64_truncated });
        }
    }
}

/// How lines are grouped into tiles.
struct SplineTiling {
    /// Whether lines of different planes are interleaved.
    transposed: bool,
    /// Columns or planes per tile.
    width: usize,
}

impl SplineTiling {
    fn new([outer, len, inner]: [usize; 3]) -> Self {
        let transposed = inner < SHORT_ROW && outer > 1;
        let row = len.max(1) * if transposed { inner } else { 1 };
        let wanted = if transposed { WIDTH.div_ceil(inner) } else { WIDTH };
        let fitting = (BUFFER_SAMPLES / row).max(wanted.min(8));
        // Enough short lines to be worth one call of each loop.
        let wanted = if row < 16 { 512 } else { wanted.next_multiple_of(8) };
        let width = wanted.min(fitting / 8 * 8).max(8).min((MAX_BUFFER_SAMPLES / row).max(1));
        Self { transposed, width }
    }

    fn run(&self, filter: &Filter, input: Option<&dyn ReadTile>, output: &mut dyn StoreTile) {
        let [planes, len, columns] = output.shape();
        let (plane_step, column_step) = if self.transposed { (self.width, columns) } else { (1, self.width) };
        let most = plane_step.min(planes) * column_step.min(columns);
        let mut buffer = Scratch::<f64>::new(len * most);
        for plane in (0..planes).step_by(plane_step) {
            for column in (0..columns).step_by(column_step) {
                threads::check_interrupt();
                let planes = plane_step.min(planes - plane);
                let tile = FilterTile { plane, planes, column, columns: column_step.min(columns - column) };
                let width = planes * tile.columns;
                let samples = &mut buffer[..filter.len() * width];
                match input {
                    Some(input) => input.read(tile, filter.gain(), samples),
                    None => output.read(tile, filter.gain(), samples),
                }
                filter.run_scaled(samples, width);
                output.store(tile, samples);
            }
        }
    }
}

/// Transpose contiguous rows.
struct Transpose<'a, A, B, F> {
    from: &'a [A],
    rows: usize,
    to: &'a mut [B],
    convert: F,
}

impl<A: Copy, B, F: Fn(A) -> B> Kernel for Transpose<'_, A, B, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { from, rows, to, convert } = self;
        let len = from.len() / rows;
        // In blocks of 8 × 8, so that `f64` is written in whole cache lines. The outer loop runs over the shorter side:
        // the lines of long rows, one below the other, fall into the same sets of the first-level cache.
        let (whole_rows, whole_columns) = (rows / 8 * 8, len / 8 * 8);
        let (outer, inner) =
            if rows > len { (whole_columns, whole_rows) } else { (whole_rows, whole_columns) };
        for outer in (0..outer).step_by(8) {
            for inner in (0..inner).step_by(8) {
                let (row, column) = if rows > len { (inner, outer) } else { (outer, inner) };
                let lines: [&[A; 8]; 8] = std::array::from_fn(|k| {
                    from[(row + k) * len + column..].first_chunk().expect("a whole block")
                });
                for j in 0..8 {
                    let to = to[(column + j) * rows + row..].first_chunk_mut::<8>().expect("a whole block");
                    for k in 0..8 {
                        to[k] = convert(lines[k][j]);
                    }
                }
            }
        }
        for row in 0..rows {
            let columns = if row < whole_rows { whole_columns..len } else { 0..len };
            for column in columns {
                to[column * rows + row] = convert(from[row * len + column]);
            }
        }
    }
}
