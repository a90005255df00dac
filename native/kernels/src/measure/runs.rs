//! Runs of equal labels, found block by block.
//!
//! Sixty-four labels at a time are compared with those before them, which gives a word with a bit per change. The places of
//! its bits are written eight at a time, the last ones in vain: how many there are is not guessed by a branch.
//!
//! Labels change little from line to line: lines that are one another's copies are one block, and their runs are found once.
//!
//! Loops over runs never see how labels are stored, so that they are compiled for each type of values alone.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;

use crate::array::index::advance;
use crate::array::packing::{WORD, changes};
use crate::array::view::View;
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::match_dtype;
use crate::measure::labelled::{Label, for_each_line};
use crate::measure::run_buffer::{BLOCK, Numbering, PLACES, ROOM, RunBuffer, SHORT_RUN};
use crate::memory;
use ndarray::ArrayViewD;

/// Shorter lines are taken together, whether they are copies or not.
const SHORT_LINE: usize = 48;

/// Lines of one block.
const MOST_REPEATS: usize = 1 << 9;

/// Elements between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 20;

/// The runs of a part of a line, of equal numbers.
pub(super) struct RunBlock<'a> {
    /// Elements before it in C order.
    pub position: usize,
    /// Index of its line along all axes but the last; empty if it may be several.
    pub line: &'a [usize],
    /// Place of its first element in the line; means nothing if it may be several.
    pub start: usize,
    /// The label of each run.
    pub labels: &'a [u32],
    /// Where each run starts in the block, and then how long the block is.
    pub ends: &'a [u32],
    /// Labels element by element where runs are short; else empty.
    pub each: &'a [u32],
    /// How many lines of this length follow one another that all have these runs; more than one only if the block is a line.
    pub repeats: usize,
    /// The largest of the labels.
    pub largest: u32,
}

impl RunBlock<'_> {
    /// Label, start and end of each run.
    #[inline(always)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, usize, usize)> {
        let spans = self.ends.windows(2).map(|ends| (ends[0] as usize, ends[1] as usize));
        self.labels.iter().zip(spans).map(|(label, (start, end))| (*label, start, end))
    }

    /// Number of elements, of one line if there are several.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.ends.last().map_or(0, |end| *end as usize)
    }
}

/// Whether blocks keep to lines, where the place in a line matters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockLines {
    /// Each block lies in one line along the last axis.
    Kept,
    /// Blocks may hold several lines: their place in the array is all that is known.
    Joined,
}

/// Call `work` with the runs of each block in C order; the array has an axis.
pub(super) fn for_each_run_block(
    labels: &View<'_>,
    lines: BlockLines,
    numbering: Numbering,
    work: &mut dyn FnMut(&RunBlock<'_>),
) {
    let mut blocks = Blocks { buffer: RunBuffer::new(), numbering, position: 0, work };
    let length = labels.shape().last().copied().unwrap_or(0);
    match_dtype!(View, labels, array => match (array.as_slice(), lines) {
        (Some(elements), BlockLines::Kept) => blocks.take_lines(array, elements),
        (Some(elements), BlockLines::Joined) => for elements in elements.chunks((CHECK_EVERY / length.max(1)).max(1) * length.max(1)) {
            if (SHORT_LINE..=BLOCK).contains(&length) {
                blocks.take_joined(elements, length);
            } else {
                blocks.take(&[], elements, 1);
            }
            threads::check_interrupt();
        },
        (None, _) => for_each_line(array, |line, labels| blocks.take(line, labels, 1)),
    });
}

/// Blocks one after the other.
struct Blocks<'a> {
    /// What was found in the block before.
    buffer: RunBuffer,
    numbering: Numbering,
    /// Elements so far.
    position: usize,
    work: &'a mut dyn FnMut(&RunBlock<'_>),
}

impl Blocks<'_> {
    /// Take the lines along the last axis of a C-contiguous array.
    fn take_lines<T: Label>(&mut self, array: &ArrayViewD<'_, T>, elements: &[T]) {
        let Some((length, outer)) = array.shape().split_last() else { return };
        let mut index = memory::zeros(outer.len());
        let mut lines = elements.chunks((*length).max(1)).peekable();
        let mut checked = 0;
        while let Some(line) = lines.next() {
            let mut repeats = 1;
            while *length <= BLOCK && repeats < MOST_REPEATS && lines.next_if(|next| *next == line).is_some()
            {
                repeats += 1;
            }
            self.take(&index, line, repeats);
            (0..repeats).for_each(|_| _ = advance(&mut index, outer));
            if self.position - checked >= CHECK_EVERY {
                checked = self.position;
                threads::check_interrupt();
            }
        }
    }

    /// Take lines of this length, no longer than a block, those that differ together.
    fn take_joined<T: Label>(&mut self, elements: &[T], length: usize) {
        let repeats_of = |line: &[T], rest: &[T]| {
            1 + rest.chunks_exact(length).take(MOST_REPEATS).take_while(|next| *next == line).count()
        };
        let (mut first, mut at) = (0, 0);
        while at < elements.len() {
            let (line, rest) = elements[at..].split_at(length);
            let repeats = repeats_of(line, rest);
            if repeats > 1 || at + length - first > BLOCK {
                self.take(&[], &elements[first..at], 1);
                first = at;
            }
            if repeats > 1 {
                self.take(&[], line, repeats);
                first = at + repeats * length;
            }
            at += repeats * length;
        }
        self.take(&[], &elements[first..], 1);
    }

    /// Take a line that occurs so often; more than once only if it is no longer than a block.
    fn take<T: Label>(&mut self, line: &[usize], labels: &[T], repeats: usize) {
        for (number, labels) in labels.chunks(BLOCK).enumerate() {
            find(labels, &mut self.buffer, self.numbering);
            let RunBuffer { labels: of_runs, ends, each, runs, largest } = &self.buffer;
            (self.work)(&RunBlock {
                position: self.position,
                line,
                start: number * BLOCK,
                labels: &of_runs[..*runs],
                ends: &ends[..=*runs],
                each: if runs * SHORT_RUN > labels.len() { &each[..labels.len()] } else { &[] },
                repeats,
                largest: *largest,
            });
            self.position += repeats * labels.len();
        }
    }
}

/// Find the runs of a block.
fn find<T: Label>(labels: &[T], buffer: &mut RunBuffer, numbering: Numbering) {
    if !T::find_wide(labels, buffer, numbering) {
        dispatch(FindLabelRuns { labels, buffer, numbering });
    }
}

struct FindLabelRuns<'a, T> {
    labels: &'a [T],
    buffer: &'a mut RunBuffer,
    numbering: Numbering,
}

impl<T: Label> Kernel for FindLabelRuns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { labels, buffer, numbering } = self;
        let runs = find_ends(labels, &mut buffer.ends);
        buffer.runs = runs;
        let number = |label: T| match numbering {
            Numbering::Itself => u32::try_from(label.to_i64()).unwrap_or(u32::MAX),
            Numbering::Object => u32::try_from(label.object()).unwrap_or(u32::MAX),
        };
        let starts = &buffer.ends[..runs];
        buffer.labels.iter_mut().zip(starts).for_each(|(to, start)| *to = number(labels[*start as usize]));
        buffer.largest = buffer.labels[..runs].iter().fold(0, |largest, label| largest.max(*label));
        if runs * SHORT_RUN > labels.len() {
            buffer.each.iter_mut().zip(labels).for_each(|(to, label)| *to = number(*label));
        }
    }
}

/// Write where each run starts, and the number of labels; return the number of runs.
#[inline(always)]
fn find_ends<T: Label>(labels: &[T], ends: &mut [u32; ROOM]) -> usize {
    if labels.is_empty() {
        ends[0] = 0;
        return 0;
    }
    let (mut runs, mut at) = (1, 1);
    ends[0] = 0;
    while let (Some(before), Some(own)) =
        (labels.get(at - 1..).and_then(<[T]>::first_chunk), labels.get(at..).and_then(<[T]>::first_chunk))
    {
        let mut changes: u64 = changes(before, own);
        let found = changes.count_ones() as usize;
        let mut written = 0;
        loop {
            for place in &mut ends[runs + written..][..PLACES] {
                *place = at as u32 + changes.trailing_zeros();
                changes &= changes.wrapping_sub(1);
            }
            written += PLACES;
            if written >= found {
                break;
            }
        }
        runs += found;
        at += WORD;
    }
    for at in at..labels.len() {
        ends[runs] = at as u32;
        runs += usize::from(labels[at] != labels[at - 1]);
    }
    ends[runs] = labels.len() as u32;
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::{Array2, ArrayD};
    use proptest::prelude::*;

    /// Runs of a line as (label, first, after the last).
    fn plain(labels: &[i16]) -> Vec<(u32, usize, usize)> {
        let mut runs: Vec<(u32, usize, usize)> = Vec::new();
        for (at, label) in labels.iter().enumerate() {
            match runs.last_mut() {
                Some(run) if at > 0 && labels[at - 1] == *label => run.2 = at + 1,
                _ => runs.push((u32::try_from(*label).unwrap_or(u32::MAX), at, at + 1)),
            }
        }
        runs
    }

    /// Neighbours of labels that are no number of 32 bits may be one run or several.
    fn merged(runs: impl Iterator<Item = (u32, usize, usize)>) -> Vec<(u32, usize, usize)> {
        let mut merged: Vec<(u32, usize, usize)> = Vec::new();
        for run in runs {
            match merged.last_mut() {
                Some(last) if last.0 == run.0 && run.0 == u32::MAX => last.2 = run.2,
                _ => merged.push(run),
            }
        }
        merged
    }

    proptest! {
        #[test]
        fn runs_are_those_of_each_part_of_a_line(
            rows in 1_usize..4,
            runs in prop::collection::vec((-2_i16..4, 1_usize..90), 1..120),
            wide in any::<bool>(),
            joined in any::<bool>(),
            period in 1_usize..2000,
        ) {
            let mut elements: Vec<i16> =
                runs.iter().flat_map(|(label, len)| std::iter::repeat_n(*label, if wide { *len } else { 1 + len % 3 })).collect();
            // So that many lines are like the one before.
            let (rows, columns) = if period < elements.len() / 2 { (elements.len() / period, period) } else { (rows, elements.len() / rows) };
            if columns == period {
                (period..elements.len()).for_each(|at| if at / period % 4 != 0 { elements[at] = elements[at - period] });
            }
            prop_assume!(columns > 0);
            let image = ArrayD::from_shape_vec(vec![rows, columns], elements[..rows * columns].to_vec()).unwrap();
            let lines = if joined { BlockLines::Joined } else { BlockLines::Kept };
            let number = |label: &i16| u32::try_from(*label).unwrap_or(u32::MAX);
            at_every_level(1, || {
                let mut position = 0;
                for_each_run_block(&View::I16(image.view()), lines, Numbering::Itself, &mut |block| {
                    assert_eq!(block.position, position);
                    for repeat in 0..block.repeats {
                        let part = &elements[position..][..block.len()];
                        if !joined {
                            let (line, place) = (position / columns, position % columns);
                            assert_eq!((block.line, block.start), (&[line - repeat][..], place));
                            assert_eq!(block.len(), BLOCK.min(columns - place));
                        }
                        assert_eq!(merged(block.iter()), merged(plain(part).into_iter()));
                        assert_eq!(Some(block.largest), part.iter().map(number).max());
                        assert_eq!(!block.each.is_empty(), block.labels.len() * SHORT_RUN > part.len());
                        assert!(block.each.is_empty() || block.each.iter().copied().eq(part.iter().map(number)));
                        position += block.len();
                    }
                });
                prop_assert_eq!(position, rows * columns);
                Ok::<(), TestCaseError>(())
            })?;
        }
    }

    #[test]
    fn labels_without_an_object_are_told_apart() {
        let image = Array2::from_shape_vec((1, 5), vec![0_u32, 1, u32::MAX, 7, 7]).unwrap().into_dyn();
        let mut found: Vec<u32> = Vec::new();
        for_each_run_block(&View::U32(image.view()), BlockLines::Kept, Numbering::Object, &mut |block| {
            found.extend(block.labels);
        });
        assert_eq!(found, [u32::MAX, 0, u32::MAX - 1, 6]);
    }
}
