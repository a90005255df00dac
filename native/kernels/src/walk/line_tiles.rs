//! Walk strips of neighbouring lines: the way of the linear filters through an array in C order.
//!
//! The lines along an axis of an array in C order are `len` rows of `inner` neighbouring samples, for each position
//! of the axes before. A strip is some of these rows and columns, with the rows that a window needs before and
//! after: it is read into a buffer, computed and stored, and stays in a near cache meanwhile. In the buffer the next
//! sample of a line is `width` further on, whatever the axis: one plain loop serves every axis, and its lanes are
//! different pixels. Where `inner` is small, lines are laid side by side.
//!
//! Reading and storing know the element types, one at a time; computing does not.

use crate::array::scratch::{Element, LINE, Scratch};
use crate::array::view::ViewMut;
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::memory;
use crate::walk::transpose::{SIDE, one_after_the_other, side_by_side};
use ndarray::{ArrayViewMutD, Axis};

/// A strip of about this many samples stays in the second-level cache.
const STRIP_SAMPLES: usize = 16 * 1024;

/// Rows of a strip, if the window is small; else twice the window.
const ROWS: usize = 32;

/// Columns of a strip, if there are so many: memory delivers 64 bytes at once.
const COLUMNS: usize = 64;

/// Samples at most in a strip of lines laid side by side; longer ones are computed alone.
const LANES_SAMPLES: usize = 256 * 1024;

/// Results are computed by so many at a time: the buffers end at a multiple of it.
pub(crate) const TILE: usize = 64;

/// How a line is extended before it is computed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extension {
    /// Samples added before the line.
    pub before: usize,
    /// Samples added after the line.
    pub after: usize,
    /// Where they come from.
    pub border: Border,
}

impl Extension {
    /// The sample of a line of `len` that stands at `position` of the extended line; `None` is the fill value.
    pub(crate) fn at(&self, position: usize, len: usize) -> Option<usize> {
        self.border.index(position as isize - self.before as isize, len)
    }
}

/// What to walk along, and how.
pub(crate) struct Walk {
    /// The axis of the lines.
    pub axis: usize,
    /// Samples before and after a line.
    pub extension: Extension,
    /// Estimated nanoseconds of a sample.
    pub cost: usize,
    /// Whether a line must be computed from its first sample to its last, in one go.
    pub whole: bool,
    /// The first row of the lines that the output has, where it has not all.
    pub first: usize,
}

/// Rows of samples that lie apart by `pitch`.
///
/// With lanes there are `group` such blocks, one after the other, each in one piece: the buffer has a row of `lanes`
/// neighbours, one of each block, for every sample of theirs.
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
    /// `width` neighbouring samples.
    pub(crate) fn row(start: usize, width: usize) -> Self {
        Self { start, rows: 1, pitch: width, width, group: 1, lanes: 1 }
    }
}

/// Reads samples as `B`.
pub(crate) trait Reader<B>: Sync {
    /// Put the block's rows, its lines side by side, into `to`.
    fn read(&self, block: Block, to: &mut [B]);
}

/// An array in C order, and how its elements become samples.
pub(crate) struct Source<'a, T, F>(pub &'a [T], pub F);

impl<T: Copy + Sync, B: Copy, F: Fn(T) -> B + Copy + Sync> Reader<B> for Source<'_, T, F> {
    fn read(&self, block: Block, to: &mut [B]) {
        dispatch(Read { from: self.0, block, to, load: self.1 });
    }
}

struct Read<'a, T, B, F> {
    from: &'a [T],
    block: Block,
    to: &'a mut [B],
    load: F,
}

impl<T: Copy, B: Copy, F: Fn(T) -> B + Copy> Kernel for Read<'_, T, B, F> {
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
            side_by_side(&from[..group * len], len, &mut to[..len * lanes], lanes, load);
        } else if width == pitch {
            copy(&mut to[..rows * width], &from[..rows * width]);
        } else {
            for (row, to) in to.chunks_exact_mut(width).take(rows).enumerate() {
                copy(to, &from[row * pitch..][..width]);
            }
        }
    }
}

/// Stores results of type `R`, and reads what it holds as `B`. Blocks are counted from the first sample of this part.
pub(crate) trait Writer<B, R> {
    /// Put the block's rows, its lines side by side, into `to`.
    fn read(&self, block: Block, column: usize, to: &mut [B]);

    /// Store the rows of `from`, lines side by side.
    fn write(&mut self, block: Block, column: usize, from: &[R]);
}

/// A part of the output, all lines in full; how its elements become samples, and results its elements.
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
            dispatch(Read { from, block, to, load: self.1 });
            return;
        }
        let plane = self.0.index_axis(Axis(0), block.start / (len * inner));
        for (row, to) in (block.start / inner % len..).zip(to.chunks_exact_mut(block.width).take(block.rows))
        {
            let from = plane.index_axis(Axis(0), row);
            let from = from.as_slice().expect(IN_C_ORDER);
            dispatch(Read { from, block: Block::row(column, block.width), to, load: self.1 });
        }
    }

    fn write(&mut self, block: Block, column: usize, from: &[R]) {
        let (len, inner) = (self.0.len_of(Axis(1)), self.0.len_of(Axis(2)));
        if let Some(to) = self.0.as_slice_mut() {
            let block = Block { start: block.start + column, pitch: inner, ..block };
            dispatch(Write { from, block, to, store: self.2 });
            return;
        }
        // Columns of one plane: lines are never laid side by side here.
        let mut plane = self.0.index_axis_mut(Axis(0), block.start / (len * inner));
        for (row, from) in (block.start / inner % len..).zip(from.chunks_exact(block.width).take(block.rows))
        {
            let mut to = plane.index_axis_mut(Axis(0), row);
            let to = to.as_slice_mut().expect(IN_C_ORDER);
            dispatch(Write { from, block: Block::row(column, block.width), to, store: self.2 });
        }
    }
}

const IN_C_ORDER: &str = "rows of an array in C order";

struct Write<'a, R, U, F> {
    from: &'a [R],
    block: Block,
    to: &'a mut [U],
    store: F,
}

impl<R: Copy, U: Copy, F: Fn(R) -> U + Copy> Kernel for Write<'_, R, U, F> {
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
            one_after_the_other(&from[..len * lanes], lanes, &mut to[..group * len], len, store);
        } else if width == pitch {
            copy(&mut to[..rows * width], &from[..rows * width]);
        } else {
            for (row, from) in from.chunks_exact(width).take(rows).enumerate() {
                copy(&mut to[row * pitch..][..width], from);
            }
        }
    }
}

/// Compute the lines of `output`, in C order, from the extended lines of what `reader` reads, an array in C order of
/// that shape, or of more rows, as is said beside it; without a reader from its own lines.
///
/// `compute(extended, result, width)` gets `before + rows + after` rows of `width` samples, and what fills the
/// buffer up to whole tiles; it fills `rows` rows, and the same rest. `reader` and `writer` know the types.
pub(crate) fn walk_strips<'v, B: Element + Sync, R: Element>(
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
    // A line that is read after a part of it was written would be another.
    let outer = size / (len * inner);
    let plan = Plan::new::<B>([outer, len, inner], &Walk { whole: walk.whole || reader.is_none(), ..*walk })?;
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

/// How large the strips are.
struct Plan {
    rows: usize,
    width: usize,
    /// Lines of different planes that are laid side by side; 1 for none.
    lanes: usize,
}

impl Plan {
    fn new<B>([outer, len, inner]: [usize; 3], walk: &Walk) -> Result<Self> {
        let too_long = || KernelError::memory("the window is longer than this machine's memory");
        let around = walk.extension.before.checked_add(walk.extension.after).ok_or_else(too_long)?;
        let line = len.checked_add(around).and_then(|rows| rows.checked_mul(inner)).ok_or_else(too_long)?;
        // As many as fill a register.
        let least = SIDE.max(LINE / size_of::<B>());
        let plan = if inner < COLUMNS && outer >= SIDE / 2 && line <= LANES_SAMPLES / least {
            let lanes = (STRIP_SAMPLES / line).max(least).min(outer);
            Self { rows: len, width: inner, lanes: lanes.next_multiple_of(SIDE) }
        } else {
            let target = if walk.whole { len } else { len.min(around.saturating_mul(2).max(ROWS)) };
            let extended = target.checked_add(around).ok_or_else(too_long)?;
            // Whole registers, so that no load of the next row straddles cache lines.
            let width = (STRIP_SAMPLES / extended / COLUMNS * COLUMNS).max(COLUMNS).min(inner);
            let rows = target.max((STRIP_SAMPLES / width).saturating_sub(around)).min(len);
            Self { rows, width, lanes: 1 }
        };
        let samples = (plan.rows + around).checked_mul(plan.width * plan.lanes).ok_or_else(too_long)?;
        memory::check::<f64>(samples.checked_add(TILE).ok_or_else(too_long)?)?;
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
        let around = extension.before + extension.after;
        let full = reader.map_or(len, |(_, full)| full);
        // A part of the columns does not lie in one piece.
        let lanes = if columns == inner { self.lanes } else { 1 };
        let tiles = |samples: usize| samples.next_multiple_of(TILE);
        let widest = self.width * lanes;
        let mut extended = Scratch::<B>::new(around * widest + tiles(self.rows * widest));
        let mut result = Scratch::<R>::new(tiles(self.rows * widest));
        for plane in (0..planes).step_by(lanes) {
            let group = lanes.min(planes - plane);
            for column in (0..columns).step_by(self.width) {
                let width = self.width.min(columns - column);
                for row in (0..len).step_by(self.rows) {
                    threads::pause();
                    let rows = self.rows.min(len - row);
                    let samples = &mut extended[..around * width * lanes + tiles(rows * width * lanes)];
                    // What fills the last tile, and lanes without a line, are samples too.
                    let filled = if group < lanes { 0 } else { (around + rows) * width * lanes };
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

/// Put rows `row - before` to `row + rows + after` of lines of `len` samples into `to`, by `read(row, rows, to)`.
fn read_extended<B: Copy>(
    to: &mut [B],
    [row, rows, len]: [usize; 3],
    extension: Extension,
    width: usize,
    fill: B,
    read: impl Fn(usize, usize, &mut [B]),
) {
    let Extension { before, after, .. } = extension;
    // Rows that the array has lie in one piece.
    let first = before.saturating_sub(row);
    let last = (before + rows + after).min(before + len - row);
    read(row + first - before, last - first, &mut to[first * width..last * width]);
    for position in (0..first).chain(last..before + rows + after) {
        let inside = extension.at(row + position, len);
        // Copied if it is here, as it is where the lines are whole.
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
