//! Runs of equal labels, found block by block.
//!
//! Sixty-four labels at a time are compared with those before them, which gives a word with a bit per change. The places of
//! its bits are written eight at a time, the last ones in vain: how many there are is not guessed by a branch.
//!
//! Loops over runs never see how labels are stored, so that they are compiled for each type of values alone.

use crate::array::packing::{WORD, changes};
use crate::array::view::View;
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::match_dtype;
use crate::measure::labelled::{Label, for_each_line};

/// Most elements per block: their labels and values stay in the first cache.
pub(super) const BLOCK: usize = 2048;

/// Places that are written at once.
const PLACES: usize = 8;

/// Room for the runs of a block, what is written in vain after them, and the end of the last one.
pub(super) const ROOM: usize = BLOCK + 2 * PLACES;

/// In a block with more runs than one per this many elements, loops go element by element.
const SHORT_RUN: usize = 4;

/// Elements between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 20;

/// What number of 32 bits a label is read as.
#[derive(Clone, Copy)]
pub(super) enum Numbering {
    /// The label modulo 2^32.
    Modulo,
    /// The label less one, in C's arithmetic of its type; those without an object are `u32::MAX`.
    Object,
}

/// The runs of a part of a line.
pub(super) struct RunBlock<'a> {
    /// Elements before it in C order.
    pub position: usize,
    /// Index of its line along all axes but the last; empty if the array was taken as one line.
    pub line: &'a [usize],
    /// Place of its first element in the line.
    pub start: usize,
    /// The label of each run.
    pub labels: &'a [u32],
    /// Where each run starts in the block, and then how long the block is.
    pub ends: &'a [u32],
    /// Labels element by element where runs are short; else empty.
    pub each: &'a [u32],
}

impl RunBlock<'_> {
    /// Label, start and end of each run.
    #[inline(always)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, usize, usize)> {
        let spans = self.ends.windows(2).map(|ends| (ends[0] as usize, ends[1] as usize));
        self.labels.iter().zip(spans).map(|(label, (start, end))| (*label, start, end))
    }

    /// Number of elements.
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
    /// Blocks may hold several lines.
    Joined,
}

/// Call `work` with the runs of each block in C order; the array has an axis.
pub(super) fn for_each_run_block(
    labels: &View<'_>,
    lines: BlockLines,
    numbering: Numbering,
    work: &mut dyn FnMut(&RunBlock<'_>),
) {
    let mut buffer = RunBuffer { labels: [0; ROOM], ends: [0; ROOM], each: [0; BLOCK] };
    let mut position = 0;
    match_dtype!(View, labels, array => {
        let mut line_of = |line: &[usize], labels: &[_]| {
            for (number, labels) in labels.chunks(BLOCK).enumerate() {
                let runs = dispatch(FindRunEnds { labels, buffer: &mut buffer, numbering });
                work(&RunBlock {
                    position,
                    line,
                    start: number * BLOCK,
                    labels: &buffer.labels[..runs],
                    ends: &buffer.ends[..=runs],
                    each: if runs * SHORT_RUN > labels.len() { &buffer.each[..labels.len()] } else { &[] },
                });
                position += labels.len();
            }
        };
        match array.as_slice().filter(|_| lines == BlockLines::Joined) {
            Some(elements) => for elements in elements.chunks(CHECK_EVERY) {
                line_of(&[], elements);
                threads::check_interrupt();
            },
            None => for_each_line(array, line_of),
        }
    });
}

struct RunBuffer {
    labels: [u32; ROOM],
    ends: [u32; ROOM],
    each: [u32; BLOCK],
}

struct FindRunEnds<'a, T> {
    labels: &'a [T],
    buffer: &'a mut RunBuffer,
    numbering: Numbering,
}

impl<T: Label> Kernel for FindRunEnds<'_, T> {
    /// The number of runs.
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let Self { labels, buffer, numbering } = self;
        let runs = find_ends(labels, &mut buffer.ends);
        let number = |label: T| match numbering {
            Numbering::Modulo => label.to_i64() as u32,
            Numbering::Object => u32::try_from(label.object()).unwrap_or(u32::MAX),
        };
        let starts = &buffer.ends[..runs];
        buffer.labels.iter_mut().zip(starts).for_each(|(to, start)| *to = number(labels[*start as usize]));
        if runs * SHORT_RUN > labels.len() {
            buffer.each.iter_mut().zip(labels).for_each(|(to, label)| *to = number(*label));
        }
        runs
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
                _ => runs.push((*label as u32, at, at + 1)),
            }
        }
        runs
    }

    proptest! {
        #[test]
        fn runs_are_those_of_each_part_of_a_line(
            rows in 1_usize..4,
            runs in prop::collection::vec((-2_i16..4, 1_usize..90), 1..120),
            wide in any::<bool>(),
            joined in any::<bool>(),
        ) {
            let elements: Vec<i16> =
                runs.iter().flat_map(|(label, len)| std::iter::repeat_n(*label, if wide { *len } else { 1 + len % 3 })).collect();
            let columns = elements.len() / rows;
            prop_assume!(columns > 0);
            let image = ArrayD::from_shape_vec(vec![rows, columns], elements[..rows * columns].to_vec()).unwrap();
            let lines = if joined { BlockLines::Joined } else { BlockLines::Kept };
            let length = if joined { rows * columns } else { columns };
            at_every_level(1, || {
                let mut position = 0;
                let mut blocks = Vec::new();
                for_each_run_block(&View::I16(image.view()), lines, Numbering::Modulo, &mut |block| {
                    assert_eq!((block.position, block.start), (position, position % length));
                    assert_eq!(block.line.to_vec(), if joined { vec![] } else { vec![position / columns] });
                    position += block.len();
                    blocks.push((block.iter().collect::<Vec<_>>(), block.each.to_vec()));
                });
                prop_assert_eq!(position, rows * columns);
                let parts = elements[..position].chunks(length).flat_map(|line| line.chunks(BLOCK));
                for (part, (runs, each)) in parts.zip(blocks) {
                    let expected = plain(part);
                    let is_short = expected.len() * SHORT_RUN > part.len();
                    let labels: Vec<u32> = part.iter().filter(|_| is_short).map(|label| *label as u32).collect();
                    prop_assert_eq!((runs, each), (expected, labels));
                }
                Ok(())
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
