//! Walk a C-ordered array in tiles of adjacent lines; used by the linear filters.
//!
//! Along an axis, a C-ordered array is `outer` planes of `len` rows of `inner` adjacent samples. A tile is a range of
//! these rows and columns, plus the rows (the halo) that a window needs before and after it:
//!
//! ```text
//! for each tile:
//!     read rows - before .. rows + after into a workspace, extended by the border mode
//!     compute the rows
//!     store them
//! ```
//!
//! 1. The tile stays in a near cache from reading to storing.
//! 2. In the workspace the next sample of a line is always `width` elements away, so one plain loop serves every axis,
//!    and its lanes are different pixels.
//! 3. Where `inner` is small, lines of different planes are interleaved (see [`transpose`](crate::walk::transpose)).
//! 4. Only reading and storing know the element types, one each; computing does not.

use crate::array::scratch::{CACHE_LINE, Element, Scratch};
use crate::array::view::ViewMut;
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::memory;
use crate::walk::transpose::{SIDE, deinterleave, interleave};
use ndarray::{ArrayViewMutD, Axis};

/// A tile of about this many samples stays in the second-level cache.
const TILE_SAMPLES: usize = 16 * 1024;

/// Rows of a tile for small windows; for larger ones, twice the window.
const MIN_ROWS: usize = 32;

/// Columns of a tile if there are that many, as memory delivers 64 bytes at a time.
const MIN_COLUMNS: usize = 64;

/// Largest tile of interleaved lines, in samples; longer lines are computed without interleaving.
const MAX_INTERLEAVED_SAMPLES: usize = 256 * 1024;

/// Results are computed in chunks of this many samples; workspaces are padded to a multiple.
pub(crate) const CHUNK: usize = 64;

/// How a line is extended by its border before it is filtered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extension {
    /// Samples added before the line.
    pub before: usize,
    /// Samples added after the line.
    pub after: usize,
    /// Where the added samples come from.
    pub border: Border,
}

impl Extension {
    /// The sample of a line of length `len` at `position` of the extended line; `None` for the fill value.
    pub(crate) fn at(&self, position: usize, len: usize) -> Option<usize> {
        self.border.index(position as isize - self.before as isize, len)
    }
}

/// What to walk along, and how.
pub(crate) struct Walk {
    /// The axis of the lines.
    pub axis: usize,
    /// Samples added before and after a line.
    pub extension: Extension,
    /// Estimated nanoseconds per sample.
    pub cost: usize,
    /// Whether each line must be computed from first to last sample in one go.
    pub whole: bool,
    /// The first row that the output has, if it is only a part of the lines.
    pub first: usize,
}

/// `rows` rows of `width` samples that lie `pitch` elements apart.
///
/// With `lanes` > 1 there are `group` such blocks, each contiguous, one after another. The workspace then has a row of
/// `lanes` values for every sample, one from each block.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    start: usize,
    rows: usize,
    pitch: usize,
    width: usize,
    group: usize,
    lanes: usize,
}

impl Block {
    /// A single row of `width` adjacent samples.
    pub(crate) fn row(start: usize, width: usize) -> Self {
        Self { start, rows: 1, pitch: width, width, group: 1, lanes: 1 }
    }
}

/// Reads samples as `B`.
pub(crate) trait Reader<B>: Sync {
    /// Read the block's rows, interleaved if it has lanes, into `to`.
    fn read(&self, block: Block, to: &mut [B]);
}

/// A C-ordered array and the conversion of its elements to samples.
pub(crate) struct Source<'a, T, F>(pub &'a [T], pub F);

impl<T: Copy + Sync, B: Copy, F: Fn(T) -> B + Copy + Sync> Reader<B> for Source<'_, T, F> {
    fn read(&self, block: Block, to: &mut [B]) {
        dispatch(ReadBlock { from: self.0, block, to, load: self.1 });
    }
}

struct ReadBlock<'a, T, B, F> {
    from: &'a [T],
    block: Block,
    to: &'a mut [B],
    load: F,
}

impl<T: Copy, B: Copy, F: Fn(T) -> B + Copy> Kernel for ReadBlock<'_, T, B, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { from, block, to, load } = self;
        let Block { start, rows, pitch, width, group, lanes } = block;
        let from = &from[start..];
        let copy =
            |to: &mut [B], from: &[T]| to.iter_mut().zip(from).for_each(|(to, from)| *to = load(*from));
        if lanes > 1 {
            let len = rows * width;
            interleave(&from[..group * len], len, &mut to[..len * lanes], lanes, load);
        } else if width == pitch {
            copy(&mut to[..rows * width], &from[..rows * width]);
        } else {
            for (row, to) in to.chunks_exact_mut(width).take(rows).enumerate() {
                copy(to, &from[row * pitch..][..width]);
            }
        }
    }
}

/// Stores results of type `R`, and reads what it holds as `B`. Offsets count from the first sample of this part.
pub(crate) trait Writer<B, R> {
    /// Read the block's rows, interleaved if it has lanes, into `to`.
    fn read(&self, block: Block, column: usize, to: &mut [B]);

    /// Store the rows of `from`, which are interleaved if the block has lanes.
    fn write(&mut self, block: Block, column: usize, from: &[R]);
}

/// A part of the output with whole lines, and the conversions from elements to samples and from results to elements.
pub(crate) struct Target<'a, U, L, S>(pub ArrayViewMutD<'a, U>, pub L, pub S);

impl<U, B, R, L, S> Writer<B, R> for Target<'_, U, L, S>
where
    U: Copy,
    B: Copy,
    R: Copy,
    L: Fn(U) -> B + Copy,
    S: Fn(R) -> U + Copy,
{
    fn read(&self, block: Block, column: usize, to: &mut [B]) {
        let (len, inner) = (self.0.len_of(Axis(1)), self.0.len_of(Axis(2)));
        if let Some(from) = self.0.as_slice() {
            let block = Block { start: block.start + column, pitch: inner, ..block };
            dispatch(ReadBlock { from, block, to, load: self.1 });
            return;
        }
        let plane = self.0.index_axis(Axis(0), block.start / (len * inner));
        for (row, to) in (block.start / inner % len..).zip(to.chunks_exact_mut(block.width).take(block.rows))
        {
            let from = plane.index_axis(Axis(0), row);
            let from = from.as_slice().expect(IN_C_ORDER);
            dispatch(ReadBlock { from, block: Block::row(column, block.width), to, load: self.1 });
        }
    }

    fn write(&mut self, block: Block, column: usize, from: &[R]) {
        let (len, inner) = (self.0.len_of(Axis(1)), self.0.len_of(Axis(2)));
        if let Some(to) = self.0.as_slice_mut() {
            let block = Block { start: block.start + column, pitch: inner, ..block };
            dispatch(WriteBlock { from, block, to, store: self.2 });
            return;
        }
        // A range of columns of one plane: never interleaved.
        let mut plane = self.0.index_axis_mut(Axis(0), block.start / (len * inner));
        for (row, from) in (block.start / inner % len..).zip(from.chunks_exact(block.width).take(block.rows))
        {
            let mut to = plane.index_axis_mut(Axis(0), row);
            let to = to.as_slice_mut().expect(IN_C_ORDER);
            dispatch(WriteBlock { from, block: Block::row(column, block.width), to, store: self.2 });
        }
    }
}

const IN_C_ORDER: &str = "rows of an array in C order";

struct WriteBlock<'a, R, U, F> {
    from: &'a [R],
    block: Block,
    to: &'a mut [U],
    store: F,
}

impl<R: Copy, U: Copy, F: Fn(R) -> U + Copy> Kernel for WriteBlock<'_, R, U, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { from, block, to, store } = self;
        let Block { start, rows, pitch, width, group, lanes } = block;
        let to = &mut to[start..];
        let copy =
            |to: &mut [U], from: &[R]| to.iter_mut().zip(from).for_each(|(to, from)| *to = store(*from));
        if lanes > 1 {
            let len = rows * width;
            deinterleave(&from[..len * lanes], lanes, &mut to[..group * len], len, store);
        } else if width == pitch {
            copy(&mut to[..rows * width], &from[..rows * width]);
        } else {
            for (row, from) in from.chunks_exact(width).take(rows).enumerate() {
                copy(&mut to[row * pitch..][..width], from);
            }
        }
    }
}

/// Compute the lines of `output`, a C-ordered array, from extended lines.
///
/// `reader` reads a C-ordered array of the output's shape, or with more rows, as the number beside it says; without
/// one, the output's own lines are filtered. `compute(extended, result, width)` gets `before + rows + after` rows of
/// `width` samples and fills `rows` rows; both slices are padded to whole chunks, which are computed too. Only `reader`
/// and `writer` know element types.
pub(crate) fn walk_line_tiles<'v, B: Element + Sync, R: Element>(
    output: ViewMut<'v>,
    walk: &Walk,
    fill: B,
    reader: Option<(&dyn Reader<B>, usize)>,
    writer: impl Fn(ViewMut<'v>) -> Box<dyn Writer<B, R> + 'v> + Sync,
    compute: impl Fn(&mut [B], &mut [R], usize) + Sync,
) -> Result<()> {
    let (shape, size, axis) = (output.shape(), output.len(), walk.axis);
    if axis >= shape.len() {
        return Err(KernelError::shape(format!("an array of shape {shape:?} has no axis {axis} to filter")));
    }
    if size == 0 {
        return Ok(());
    }
    let (len, inner): (usize, usize) = (shape[axis], shape[axis + 1..].iter().product());
    // In place, a line must not be read again after a part of it was written.
    let outer = size / (len * inner);
    let plan =
        LineTiling::new::<B>([outer, len, inner], &Walk { whole: walk.whole || reader.is_none(), ..*walk })?;
    let blocks = output
        .into_shape(&[outer, len, inner])?
        .split_blocks(&[1], threads::blocks_for(size.saturating_mul(walk.cost)));
    threads::for_each_block(blocks, |(origin, block)| {
        let shape = [block.shape()[0], len, block.shape()[2]];
        let mut writer = writer(block);
        plan.run(&origin, shape, inner, walk, fill, reader, writer.as_mut(), &compute);
    });
    Ok(())
}

/// The size of the tiles.
struct LineTiling {
    rows: usize,
    width: usize,
    /// Lines of different planes that are interleaved; 1 for none.
    lanes: usize,
}

impl LineTiling {
    fn new<B>([outer, len, inner]: [usize; 3], walk: &Walk) -> Result<Self> {
        let too_long = || KernelError::memory("the window is longer than this machine's memory");
        let halo = walk.extension.before.checked_add(walk.extension.after).ok_or_else(too_long)?;
        let line = len.checked_add(halo).and_then(|rows| rows.checked_mul(inner)).ok_or_else(too_long)?;
        // Enough to fill a register.
        let least = SIDE.max(CACHE_LINE / size_of::<B>());
        let plan = if inner < MIN_COLUMNS && outer >= SIDE / 2 && line <= MAX_INTERLEAVED_SAMPLES / least {
            let lanes = (TILE_SAMPLES / line).max(least).min(outer);
            Self { rows: len, width: inner, lanes: lanes.next_multiple_of(SIDE) }
        } else {
            let target = if walk.whole { len } else { len.min(halo.saturating_mul(2).max(MIN_ROWS)) };
            let extended = target.checked_add(halo).ok_or_else(too_long)?;
            // Whole registers, so that no load of the next row straddles cache lines.
            let width = (TILE_SAMPLES / extended / MIN_COLUMNS * MIN_COLUMNS).max(MIN_COLUMNS).min(inner);
            let rows = target.max((TILE_SAMPLES / width).saturating_sub(halo)).min(len);
            Self { rows, width, lanes: 1 }
        };
        let samples = (plan.rows + halo).checked_mul(plan.width * plan.lanes).ok_or_else(too_long)?;
        memory::check::<f64>(samples.checked_add(CHUNK).ok_or_else(too_long)?)?;
        Ok(plan)
    }

    fn run<B: Element, R: Element>(
        &self,
        origin: &[usize],
        [planes, len, columns]: [usize; 3],
        inner: usize,
        walk: &Walk,
        fill: B,
        reader: Option<(&dyn Reader<B>, usize)>,
        writer: &mut dyn Writer<B, R>,
        compute: &impl Fn(&mut [B], &mut [R], usize),
    ) {
        let extension = walk.extension;
        let halo = extension.before + extension.after;
        let full = reader.map_or(len, |(_, full)| full);
        // A range of columns is not contiguous and cannot be interleaved.
        let lanes = if columns == inner { self.lanes } else { 1 };
        let tiles = |samples: usize| samples.next_multiple_of(CHUNK);
        let widest = self.width * lanes;
        let mut extended = Scratch::<B>::new(halo * widest + tiles(self.rows * widest));
        let mut result = Scratch::<R>::new(tiles(self.rows * widest));
        for plane in (0..planes).step_by(lanes) {
            let group = lanes.min(planes - plane);
            for column in (0..columns).step_by(self.width) {
                let width = self.width.min(columns - column);
                for row in (0..len).step_by(self.rows) {
                    threads::check_interrupt();
                    let rows = self.rows.min(len - row);
                    let samples = &mut extended[..halo * width * lanes + tiles(rows * width * lanes)];
                    // Padding and unused lanes are computed too: give them a value.
                    let filled = if group < lanes { 0 } else { (halo + rows) * width * lanes };
                    samples[filled..].fill(B::default());
                    let start = (origin[0] + plane) * full * inner + origin[2] + column;
                    let block = Block { start, rows: 0, pitch: inner, width, group, lanes };
                    let own = |row: usize, rows: usize| Block {
                        start: (plane * len + row) * columns,
                        rows,
                        ..block
                    };
                    read_extended(
                        samples,
                        [walk.first + row, rows, full],
                        extension,
                        width * lanes,
                        fill,
                        |row, rows, to| match reader {
                            Some((reader, _)) => {
                                reader.read(Block { start: start + row * inner, rows, ..block }, to);
                            }
                            None => writer.read(own(row, rows), column, to),
                        },
                    );
                    let result = &mut result[..tiles(rows * width * lanes)];
                    compute(samples, result, width * lanes);
                    writer.write(own(row, rows), column, result);
                }
            }
        }
    }
}

/// Fill `to` with rows `row - before` to `row + rows + after` of lines of length `len`, by `read(row, rows, to)`.
fn read_extended<B: Copy>(
    to: &mut [B],
    [row, rows, len]: [usize; 3],
    extension: Extension,
    width: usize,
    fill: B,
    read: impl Fn(usize, usize, &mut [B]),
) {
    let Extension { before, after, .. } = extension;
    // Rows inside the array are read in one go.
    let first = before.saturating_sub(row);
    let last = (before + rows + after).min(before + len - row);
    read(row + first - before, last - first, &mut to[first * width..last * width]);
    for position in (0..first).chain(last..before + rows + after) {
        let inside = extension.at(row + position, len);
        // A border row that was just read is copied, which is always possible if lines are whole.
        let copied = inside.map(|inside| (inside + before).wrapping_sub(row));
        match (inside, copied) {
            (Some(_), Some(from)) if (first..last).contains(&from) => {
                to.copy_within(from * width..(from + 1) * width, position * width);
            }
            (Some(inside), _) => read(inside, 1, &mut to[position * width..][..width]),
            (None, _) => to[position * width..][..width].fill(fill),
        }
    }
}
