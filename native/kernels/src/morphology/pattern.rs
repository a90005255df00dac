//! A structure decomposed into runs or a box, and one pass of erosion by it.

use crate::array::sample::Bool;
use crate::doubling::{cover, levels_for};
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::memory::{self, CollectVec};
use crate::morphology::bits::{BitGrid, Shift, WORD, all};
use ndarray::ArrayViewD;

/// Words of the result that are computed together; they stay in the first-level cache.
const CHUNK: usize = 128;

/// Reads between two checks whether a chunk is already clear.
const READS_PER_CHECK: usize = 8;

/// Pixels of a structure that are adjacent along the packed axis.
#[derive(Debug)]
struct PixelRun {
    /// The first one, relative to the centre.
    start: Vec<isize>,
    len: usize,
}

#[derive(Debug)]
enum Form {
    /// All pixels from a lowest to a highest offset along each axis.
    Box(Vec<(isize, isize)>),
    /// Runs along this axis.
    Runs(usize, Vec<PixelRun>),
}

/// The pixels of a structure, as offsets from the centre.
#[derive(Debug)]
pub(super) struct Pattern {
    form: Form,
    /// Whether the centre is one of them.
    pub centre: bool,
    /// Whether some lie outside the array wherever the centre is.
    beside: bool,
}

impl Pattern {
    /// For arrays of shape `shape`.
    pub(super) fn read(structure: &Structure<'_>, shape: &[usize]) -> Self {
        let elements = &structure.elements;
        let middle: Vec<usize> = elements
            .shape()
            .iter()
            .zip(structure.origin)
            .map(|(len, origin)| (len / 2).wrapping_add_signed(*origin))
            .collect_vec();
        if elements.iter().all(|element| element.0 != 0) {
            let extent =
                |(len, middle): (&usize, &usize)| (-(*middle as isize), *len as isize - 1 - *middle as isize);
            let extents = elements.shape().iter().zip(&middle).map(extent).collect_vec();
            return Self { form: Form::Box(extents), centre: true, beside: false };
        }
        let packed = BitGrid::axis_order(shape).last().copied().unwrap_or(0);
        let mut runs: Vec<PixelRun> = Vec::new();
        let distance = |index: &ndarray::IxDyn| -> Vec<isize> {
            (0..middle.len()).map(|axis| index[axis] as isize - middle[axis] as isize).collect_vec()
        };
        for (index, element) in elements.indexed_iter() {
            if element.0 == 0 {
                continue;
            }
            let before = index[packed].checked_sub(1).is_some_and(|before| {
                let mut neighbour = index.clone();
                neighbour[packed] = before;
                elements[&neighbour].0 != 0
            });
            if !before {
                let mut end = index.clone();
                while end[packed] < elements.shape()[packed] && elements[&end].0 != 0 {
                    end[packed] += 1;
                }
                memory::push(
                    &mut runs,
                    PixelRun { start: distance(&index), len: end[packed] - index[packed] },
                );
            }
        }
        let centre = elements[middle.as_slice()].0 != 0;
        Self { form: Form::Runs(packed, runs), centre, beside: false }
    }

    /// Turn into the pattern of `count` passes; false if passes do not combine into one pattern.
    pub(super) fn repeat(&mut self, count: usize) -> bool {
        let Form::Box(extents) = &mut self.form else { return false };
        // Inside the grown box any pixel is reached by steps that stay inside the array.
        let count = isize::try_from(count).unwrap_or(isize::MAX);
        for (low, high) in extents {
            *low = low.saturating_mul(count);
            *high = high.saturating_mul(count);
        }
        true
    }

    /// Drop what lies outside an array of this shape for every pixel; return the reach of the rest along each axis.
    pub(super) fn cut(&mut self, shape: &[usize]) -> Vec<usize> {
        let farthest = |axis: usize| shape[axis].saturating_sub(1).min(isize::MAX as usize) as isize;
        let mut reach = memory::zeros(shape.len());
        let mut beside = false;
        match &mut self.form {
            Form::Box(extents) => {
                for (axis, (low, high)) in extents.iter_mut().enumerate() {
                    let limit = farthest(axis);
                    beside |= *low < -limit || *high > limit;
                    (*low, *high) = ((*low).max(-limit), (*high).min(limit));
                    reach[axis] = low.unsigned_abs().max(high.unsigned_abs());
                }
            }
            Form::Runs(packed, runs) => {
                runs.retain_mut(|run| {
                    let limit = farthest(*packed);
                    let end = run.start[*packed] + run.len as isize;
                    let (low, high) = (run.start[*packed].max(-limit), end.min(limit + 1));
                    beside |= low > run.start[*packed] || high < end;
                    let elsewhere = (0..shape.len())
                        .any(|axis| axis != *packed && run.start[axis].abs() > farthest(axis));
                    beside |= elsewhere;
                    run.start[*packed] = low;
                    run.len = (high - low).max(0) as usize;
                    run.len > 0 && !elsewhere
                });
                for run in runs {
                    for (axis, (reach, start)) in reach.iter_mut().zip(&run.start).enumerate() {
                        let end = start + if axis == *packed { run.len as isize - 1 } else { 0 };
                        *reach = (*reach).max(start.unsigned_abs()).max(end.unsigned_abs());
                    }
                }
            }
        }
        self.beside = beside;
        reach
    }

    /// The distance in the string to each pixel of the structure, except the centre.
    pub(super) fn offsets(&self, grid: &BitGrid) -> Vec<isize> {
        let mut offsets = Vec::new();
        let mut push = |distance: isize| {
            if distance != 0 {
                memory::push(&mut offsets, distance);
            }
        };
        match &self.form {
            Form::Box(extents) => {
                let mut at: Vec<isize> = extents.iter().map(|(low, _)| *low).collect_vec();
                loop {
                    push(grid.distance(&at));
                    // Count like an odometer, the last axis first.
                    let Some(axis) = (0..at.len()).rev().find(|axis| at[*axis] < extents[*axis].1) else {
                        break;
                    };
                    at[axis] += 1;
                    for later in axis + 1..at.len() {
                        at[later] = extents[later].0;
                    }
                }
            }
            Form::Runs(_, runs) => {
                for run in runs {
                    let start = grid.distance(&run.start);
                    (start..start + run.len as isize).for_each(&mut push);
                }
            }
        }
        offsets
    }
}

/// The initial value of each word of the result.
#[derive(Debug, Clone, Copy)]
enum InitialWord {
    Set,
    Pixels,
    Clear,
}

/// Combine a string with itself, shifted.
#[derive(Debug)]
struct Step {
    /// A level, or `None` for the pixels themselves.
    from: Option<usize>,
    to: usize,
    ahead: Shift,
}

/// A shifted string that the result is combined from.
#[derive(Debug)]
struct ShiftedRead {
    level: Option<usize>,
    shift: Shift,
}

/// One pass of erosion by a pattern.
#[derive(Debug)]
pub(super) struct ErosionPass {
    /// Strings whose bits each stand for several pixels, and how to compute them.
    levels: Vec<Vec<u64>>,
    steps: Vec<Step>,
    reads: Vec<ShiftedRead>,
    start: InitialWord,
}

impl ErosionPass {
    /// `border`: whether pixels outside the array count as set.
    pub(super) fn new(pattern: &Pattern, grid: &BitGrid, border: bool) -> Self {
        let (mut steps, mut reads) = (Vec::new(), Vec::new());
        let mut start = if pattern.centre { InitialWord::Pixels } else { InitialWord::Set };
        if pattern.beside && !border {
            start = InitialWord::Clear;
        } else {
            match &pattern.form {
                Form::Box(extents) => decompose_box(extents, grid, &mut steps, &mut reads),
                Form::Runs(_, runs) => read_runs(runs, grid, &mut steps, &mut reads),
            }
        }
        let count = steps.iter().map(|step: &Step| step.to + 1).max().unwrap_or(0);
        let levels = (0..count).map(|_| grid.filled(0)).collect_vec();
        Self { levels, steps, reads, start }
    }

    /// Estimated nanoseconds for `words` words.
    pub(super) fn cost(&self, words: usize) -> usize {
        words.saturating_mul(self.steps.len() + self.reads.len() + 2).div_ceil(4)
    }

    /// Compute the levels from the pixels.
    pub(super) fn prepare(&mut self, pixels: &[u64]) {
        for step in &self.steps {
            let mut to = std::mem::take(&mut self.levels[step.to]);
            let from = step.from.map_or(pixels, |level| self.levels[level].as_slice());
            let size = to.len().div_ceil(threads::blocks_for(to.len() / 2)).max(1);
            let blocks = to.chunks_mut(size).enumerate().collect_vec();
            threads::for_each_block(blocks, |(block, to)| {
                dispatch(CombineAhead { from, start: block * size, ahead: step.ahead, to });
            });
            self.levels[step.to] = to;
        }
    }

    /// Erode the words from `start` on, where `open`; return how many changed. The levels must be those of `pixels`.
    pub(super) fn erode(&self, pixels: &[u64], open: &[u64], start: usize, to: &mut [u64]) -> usize {
        dispatch(Combine { pass: self, pixels, open, start, to })
    }
}

/// A box is one segment per axis, in turn; a segment is doubled until it is long enough.
fn decompose_box(
    extents: &[(isize, isize)],
    grid: &BitGrid,
    steps: &mut Vec<Step>,
    reads: &mut Vec<ShiftedRead>,
) {
    let lowest: Vec<isize> = extents.iter().map(|(low, _)| *low).collect_vec();
    let mut latest = None;
    for (axis, (low, high)) in extents.iter().enumerate() {
        let mut unit = memory::zeros(extents.len());
        unit[axis] = 1;
        let (len, stride) = (high - low + 1, grid.distance(&unit));
        let mut covered = 1;
        while covered < len {
            let grown = (2 * covered).min(len);
            let to = latest.map_or(0, |level: usize| 1 - level);
            memory::push(steps, Step { from: latest, to, ahead: Shift::new((grown - covered) * stride) });
            (covered, latest) = (grown, Some(to));
        }
    }
    if latest.is_some() {
        memory::push(reads, ShiftedRead { level: latest, shift: Shift::new(grid.distance(&lowest)) });
    }
}

/// Runs are read along the packed axis. Level k + 1 is computed from level k, and level 0 is the pixels themselves.
fn read_runs(runs: &[PixelRun], grid: &BitGrid, steps: &mut Vec<Step>, reads: &mut Vec<ShiftedRead>) {
    let levels = levels_for(&runs.iter().map(|run| run.len).collect_vec());
    for level in 0..levels as usize {
        memory::push(steps, Step { from: level.checked_sub(1), to: level, ahead: Shift::new(1 << level) });
    }
    for run in runs {
        let start = grid.distance(&run.start);
        memory::extend(
            reads,
            cover(run.len, levels).map(|(level, at)| ShiftedRead {
                level: level.checked_sub(1),
                shift: Shift::new(start + at as isize),
            }),
        );
    }
}

struct CombineAhead<'a> {
    from: &'a [u64],
    start: usize,
    ahead: Shift,
    to: &'a mut [u64],
}

impl Kernel for CombineAhead<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { from, start, ahead, to } = self;
        // Words whose shifted neighbours lie past the string are margin, and never read.
        let end = from.len().saturating_sub(ahead.words as usize + 1);
        let len = end.saturating_sub(start).min(to.len());
        for (part, to) in to[..len].chunks_mut(CHUNK).enumerate() {
            let start = start + part * CHUNK;
            to.copy_from_slice(&from[start..start + to.len()]);
            and_shifted(to, from, start, ahead);
        }
    }
}

struct Combine<'a> {
    pass: &'a ErosionPass,
    pixels: &'a [u64],
    open: &'a [u64],
    start: usize,
    to: &'a mut [u64],
}

impl Kernel for Combine<'_> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let Self { pass, pixels, open, start, to } = self;
        let mut changed = 0;
        let mut sum = [0; CHUNK];
        for (part, to) in to.chunks_mut(CHUNK).enumerate() {
            let (start, len) = (start + part * CHUNK, to.len());
            let (old, open) = (&pixels[start..start + len], &open[start..start + len]);
            let sum = &mut sum[..len];
            match pass.start {
                InitialWord::Set => sum.fill(all(true)),
                InitialWord::Pixels => sum.copy_from_slice(old),
                InitialWord::Clear => sum.fill(all(false)),
            }
            for reads in pass.reads.chunks(READS_PER_CHECK) {
                for read in reads {
                    let words = read.level.map_or(pixels, |level| pass.levels[level].as_slice());
                    and_shifted(sum, words, start, read.shift);
                }
                if sum.iter().all(|word| *word == 0) {
                    break;
                }
            }
            for (((to, sum), old), open) in to.iter_mut().zip(sum.iter()).zip(old).zip(open) {
                *to = (sum & open) | (old & !open);
                changed += usize::from(*to != *old);
            }
        }
        changed
    }
}

/// Combine `sum` with the shifted words from `start` on.
#[inline(always)]
fn and_shifted(sum: &mut [u64], words: &[u64], start: usize, shift: Shift) {
    let at = start.wrapping_add_signed(shift.words);
    let near = &words[at..at + sum.len()];
    if shift.bits == 0 {
        sum.iter_mut().zip(near).for_each(|(sum, near)| *sum &= near);
        return;
    }
    let far = &words[at + 1..at + 1 + sum.len()];
    let (down, up) = (shift.bits, WORD as u32 - shift.bits);
    for ((sum, near), far) in sum.iter_mut().zip(near).zip(far) {
        *sum &= (near >> down) | (far << up);
    }
}

/// A structuring element, and how pixels outside the array count.
#[derive(Debug, Clone)]
pub struct Structure<'a> {
    /// The structuring element.
    pub elements: ArrayViewD<'a, Bool>,
    /// The centre relative to the middle `shape / 2` of each axis; inside the structure.
    pub origin: &'a [isize],
    /// Whether pixels outside the array count as set.
    pub border: bool,
}
