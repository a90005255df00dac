//! Lay the lines of an array side by side, filter them, store them in C order.
//!
//! Along an axis the array is `outer` planes of `len` rows of `inner` samples. Where `inner` is large, neighbouring
//! columns of a plane are neighbouring lines already; where it is small, as many planes as fill a few registers are
//! turned around. Either way the next sample of a line is one row further on in a buffer that stays in the second
//! cache, and one plain loop filters every axis. Nothing else is written but the result.

use super::recursion::Filter;
use crate::array::sample::Sample;
use crate::array::scratch::Scratch;
use crate::array::view::{View, ViewMut, read_line};
use crate::error::Result;
use crate::exec::simd::{Convert, Kernel, dispatch, prefetch};
use crate::exec::threads;
use crate::match_dtype;
use crate::memory::CollectVec;
use ndarray::{ArrayView1, ArrayView2, ArrayView3, ArrayViewD, ArrayViewMut3, ArrayViewMutD, Axis, Ix3, s};

/// Lines side by side, if the buffer stays small enough.
const WIDTH: usize = 64;

/// A buffer of so many samples stays in the second cache.
const SAMPLES: usize = 48 * 1024;

/// No buffer is larger than this, however long the lines are, unless a single one is.
const MOST_SAMPLES: usize = 1024 * 1024;

/// Rows shorter than this are turned around.
const SHORT: usize = 32;

/// Filter every line along `axis` of `output`, which lies in C order; in place, or from `input`, the same elements
/// [around](View::around) that axis.
pub(super) fn filter_in_c_order(
    input: Option<&View<'_>>,
    output: ViewMut<'_>,
    axis: usize,
    filter: &Filter,
) -> Result<()> {
    let (shape, size) = (output.shape(), output.len());
    let (len, inner): (usize, usize) = (shape[axis], shape[axis + 1..].iter().product());
    let shape = [size / (len * inner), len, inner];
    let plan = Plan::new(shape);
    let keep: &[usize] = if plan.turned { &[1, 2] } else { &[1] };
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
            let mut output = fixed_mut(output);
            match input {
                Some(input) => match_dtype!(View, input, input => {
                    plan.run(filter, Some(&fixed(input)), &mut output);
                }),
                None => plan.run(filter, None, &mut output),
            }
        });
    });
    Ok(())
}

fn fixed<T>(array: ArrayViewD<'_, T>) -> ArrayView3<'_, T> {
    array.into_dimensionality::<Ix3>().expect("three axes")
}

fn fixed_mut<T>(array: ArrayViewMutD<'_, T>) -> ArrayViewMut3<'_, T> {
    array.into_dimensionality::<Ix3>().expect("three axes")
}

/// Some planes and columns of a block, with all their rows.
#[derive(Clone, Copy)]
struct Tile {
    plane: usize,
    planes: usize,
    column: usize,
    columns: usize,
}

/// Reads lines side by side, each sample times `gain`: row by row, column by column, plane by plane.
trait Read {
    fn read(&self, tile: Tile, gain: f64, to: &mut [f64]);
}

/// Stores them.
trait Store: Read {
    /// Planes, rows and columns.
    fn shape(&self) -> [usize; 3];

    fn store(&mut self, tile: Tile, from: &[f64]);
}

/// So many rows before its turn a row is asked for.
const AHEAD: usize = 8;

/// Bytes from the first row to the last beyond which rows come from behind the caches.
const FAR: usize = 1 << 18;

/// How many pixels of a row share a cache line, where rows lie too far apart for a processor to foresee the next.
fn pixels_of_line<T>(rows: &ArrayView2<'_, T>) -> Option<usize> {
    let bytes = |axis: usize| rows.strides()[axis].unsigned_abs() * size_of::<T>();
    (bytes(0) * rows.nrows() > FAR).then(|| (64 / bytes(1).max(1)).max(1))
}

/// Ask for the row of a tile that is read or written some rows later.
fn ask_for<T>(rows: &ArrayView2<'_, T>, row: usize, pixels_of_line: Option<usize>) {
    let (height, width) = rows.dim();
    if let Some(step) = pixels_of_line.filter(|_| row < height) {
        for column in (0..width).step_by(step).chain([width - 1]) {
            prefetch(std::slice::from_ref(&rows[[row, column]]), 0);
        }
    }
}

impl<T: Sample> Read for ArrayView3<'_, T> {
    fn read(&self, tile: Tile, gain: f64, to: &mut [f64]) {
        let Tile { plane, planes, column, columns } = tile;
        let load = |sample: T| sample.to_f64() * gain;
        let read_apart = |line: ArrayView1<'_, T>, to: &mut [f64]| {
            read_line(line, to);
            to.iter_mut().for_each(|sample| *sample *= gain);
        };
        if planes > 1 {
            let rows = self.slice(s![plane..plane + planes, .., ..]);
            if let Some(from) = rows.to_slice() {
                dispatch(Turn { from, rows: planes, to, convert: load });
            } else {
                let lines = rows.lanes(Axis(0)).into_iter().zip(to.chunks_exact_mut(planes));
                lines.for_each(|(line, to)| read_apart(line, to));
            }
            return;
        }
        let rows = self.slice(s![plane, .., column..column + columns]);
        let pixels = pixels_of_line(&rows);
        for (number, (row, to)) in rows.outer_iter().zip(to.chunks_exact_mut(columns)).enumerate() {
            ask_for(&rows, number + AHEAD, pixels);
            match row.to_slice() {
                Some(from) => dispatch(Convert { from, to, convert: load }),
                None => read_apart(row, to),
            }
        }
    }
}

impl<T: Sample> Read for ArrayViewMut3<'_, T> {
    fn read(&self, tile: Tile, gain: f64, to: &mut [f64]) {
        self.view().read(tile, gain, to);
    }
}

impl<T: Sample> Store for ArrayViewMut3<'_, T> {
    fn shape(&self) -> [usize; 3] {
        let (planes, rows, columns) = self.dim();
        [planes, rows, columns]
    }

    fn store(&mut self, tile: Tile, from: &[f64]) {
        let Tile { plane, planes, column, columns } = tile;
        if planes > 1 {
            let rows = self.slice_mut(s![plane..plane + planes, .., ..]);
            let rows = rows.into_slice().expect("whole planes in C order");
            dispatch(Turn { from, rows: from.len() / planes, to: rows, convert: T::from_f64_truncated });
            return;
        }
        let mut rows = self.slice_mut(s![plane, .., column..column + columns]);
        let pixels = pixels_of_line(&rows.view());
        for (number, from) in from.chunks_exact(columns).enumerate() {
            ask_for(&rows.view(), number + AHEAD, pixels);
            let to = rows.row_mut(number).into_slice().expect("rows of an array in C order");
            dispatch(Convert { from, to, convert: T::from_f64_truncated });
        }
    }
}

/// How the lines are taken.
struct Plan {
    /// Whether lines of different planes lie side by side.
    turned: bool,
    /// Columns, or planes, taken at once.
    width: usize,
}

impl Plan {
    fn new([outer, len, inner]: [usize; 3]) -> Self {
        let turned = inner < SHORT && outer > 1;
        let row = len.max(1) * if turned { inner } else { 1 };
        let wanted = if turned { WIDTH.div_ceil(inner) } else { WIDTH };
        let fitting = (SAMPLES / row).max(wanted.min(8));
        // Short lines: enough of them that one call of each loop is worth it.
        let wanted = if row < 16 { 512 } else { wanted.next_multiple_of(8) };
        let width = wanted.min(fitting / 8 * 8).max(8).min((MOST_SAMPLES / row).max(1));
        Self { turned, width }
    }

    fn run(&self, filter: &Filter, input: Option<&dyn Read>, output: &mut dyn Store) {
        let [planes, len, columns] = output.shape();
        let (plane_step, column_step) = if self.turned { (self.width, columns) } else { (1, self.width) };
        let most = plane_step.min(planes) * column_step.min(columns);
        let mut buffer = Scratch::<f64>::new(len * most);
        for plane in (0..planes).step_by(plane_step) {
            for column in (0..columns).step_by(column_step) {
                threads::pause();
                let planes = plane_step.min(planes - plane);
                let tile = Tile { plane, planes, column, columns: column_step.min(columns - column) };
                let width = planes * tile.columns;
                let samples = &mut buffer[..filter.len() * width];
                match input {
                    Some(input) => input.read(tile, filter.gain(), samples),
                    None => output.read(tile, filter.gain(), samples),
                }
                filter.run_on_multiplied(samples, width);
                output.store(tile, samples);
            }
        }
    }
}

/// Make rows, one behind the other, columns.
struct Turn<'a, A, B, F> {
    from: &'a [A],
    rows: usize,
    to: &'a mut [B],
    convert: F,
}

impl<A: Copy, B, F: Fn(A) -> B> Kernel for Turn<'_, A, B, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { from, rows, to, convert } = self;
        let len = from.len() / rows;
        // Eight by eight, so that `f64` is written by whole cache lines. Of two lengths the shorter is gone through in the
        // outer loop: long rows, one below the other, have their lines in the same places of the first cache.
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
