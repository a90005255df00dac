//! Sums of lines with the same labels at the same places, kept in the order of their runs.
//!
//! What a label's sum is read from, and written to, is found once for all of these lines. No label occurs twice in one.
//!
//! ```text
//! for each block: list its runs
//!     if it is several lines, and no two of its runs have the same label:
//!         read the sum of each run's label; for each line: add its runs to those; write them
//!     else: for each line: add its runs to the table
//! ```

#[cfg(target_arch = "x86_64")]
pub(super) use super::avx512::Lanes;
use super::by_element::AddElements;
use super::by_run::{AddLine, AddRuns};
use super::list::{BEYOND, BlockDoubles, RunList, SIDE};
use super::term::Term;
use crate::array::sample::Sample;
#[cfg(not(target_arch = "x86_64"))]
pub(super) use crate::array::sample::Sample as Lanes;
use crate::exec::simd::{Convert, Level, dispatch, level};
use crate::measure::run_buffer::ROOM;
use crate::measure::runs::RunBlock;

/// How the lines of a block are added.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Elements,
    Runs,
    /// To sums in the order of the runs.
    Kept,
}

/// The runs of a block.
pub(super) struct ListedRuns {
    /// Length of the tables.
    rows: usize,
    /// Labels below have no sum.
    least: u32,
    pub list: RunList,
    marks: Vec<u32>,
}

impl ListedRuns {
    pub(super) fn new(rows: usize, least: u32) -> Self {
        Self { rows, least, list: RunList::new(), marks: Vec::new() }
    }

    /// Take the next block.
    pub(super) fn list(&mut self, block: &RunBlock<'_>) -> Way {
        if !block.each.is_empty() {
            return Way::Elements;
        }
        self.fill(block);
        let is_kept = block.repeats > 1 && self.list.is_distinct(&mut self.marks, self.rows);
        if is_kept { Way::Kept } else { Way::Runs }
    }

    fn fill(&mut self, block: &RunBlock<'_>) {
        #[cfg(target_arch = "x86_64")]
        if has_wide_registers() {
            // SAFETY: there are such registers only with AVX-512.
            unsafe { super::avx512::fill(&mut self.list, block, self.least, self.rows) };
            return;
        }
        self.list.fill(block, self.least, self.rows);
    }
}

/// The values of the lines of a block.
pub(super) struct BlockValues<'a, T> {
    /// From the first of the block on.
    pub all: &'a [T],
    /// Values of a line.
    pub length: usize,
    /// Whether loops take values as they are stored.
    pub is_wide: bool,
    pub buffer: &'a mut BlockDoubles,
}

/// A block, and how it is added.
pub(super) struct Turn<'a, T> {
    pub block: &'a RunBlock<'a>,
    pub way: Way,
    pub list: &'a RunList,
    pub values: BlockValues<'a, T>,
}

impl<T: Lanes> BlockValues<'_, T> {
    /// Those of a line, and [`BEYOND`] that follow, if loops take them as they are stored.
    #[inline(always)]
    fn own(&self, line: usize) -> Option<&[T]> {
        let own = &self.all[line * self.length..];
        (self.is_wide && own.len() >= self.length + BEYOND).then_some(own)
    }

    /// Those of a line, and [`BEYOND`] numbers more.
    pub(super) fn doubles(&mut self, line: usize) -> &[f64] {
        let own = &self.all[line * self.length..];
        if let Some(doubles) = T::as_doubles(own).filter(|own| own.len() >= self.length + BEYOND) {
            return doubles;
        }
        dispatch(Convert { from: &own[..self.length], to: self.buffer, convert: Sample::to_f64 });
        self.buffer
    }
}

/// Whether eight sums fit a register.
pub(super) fn has_wide_registers() -> bool {
    cfg!(target_arch = "x86_64") && level() == Level::Avx512
}

/// Sums of labels, to which one term is added.
pub(super) struct Table<'a> {
    pub sums: &'a mut [f64],
    /// Sums in the order of a block's runs, and what the terms of each have in common.
    kept: [f64; ROOM],
    of_run: [f64; ROOM],
}

impl<'a> Table<'a> {
    pub(super) fn new(sums: &'a mut [f64]) -> Self {
        Self { sums, kept: [0.0; ROOM], of_run: [0.0; ROOM] }
    }

    /// Add the lines of a block; `term` gives what is added in each.
    pub(super) fn add<T: Lanes, M: Term>(
        &mut self,
        turn: &mut Turn<'_, T>,
        mut term: impl FnMut(usize) -> M,
    ) {
        let Turn { block, way, list, values } = turn;
        let (way, list) = (*way, *list);
        if way == Way::Kept {
            self.read(list, term(0));
        }
        for repeat in 0..block.repeats {
            let term = term(repeat);
            match (way, values.own(repeat)) {
                // SAFETY: there are such values only where the processor has AVX-512, and every run of the list has a row.
                #[cfg(target_arch = "x86_64")]
                (Way::Runs, Some(values)) => unsafe {
                    super::avx512::add_runs(self.sums, list, values, term)
                },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                (Way::Kept, Some(values)) => unsafe {
                    let lines = (block.len(), 1);
                    super::avx512::add_lines(&mut self.kept, &self.of_run, list, values, lines, term);
                },
                (Way::Runs, _) => {
                    dispatch(AddRuns { sums: self.sums, list, values: values.doubles(repeat), term });
                }
                (Way::Kept, _) => {
                    let (sums, of_run) = (&mut self.kept[..], &self.of_run[..]);
                    dispatch(AddLine { sums, of_run, list, values: values.doubles(repeat), term });
                }
                (Way::Elements, _) => {
                    let (labels, values) = (block.each, values.doubles(repeat));
                    dispatch(AddElements { sums: self.sums, labels, values, term });
                }
            }
        }
        if way == Way::Kept {
            self.write(list);
        }
    }

    /// Add the lines of a block, of all of which the same is added.
    pub(super) fn add_alike<T: Lanes, M: Term>(&mut self, turn: &mut Turn<'_, T>, term: M) {
        #[cfg(target_arch = "x86_64")]
        if turn.way == Way::Kept && turn.values.own(turn.block.repeats - 1).is_some() {
            let (list, lines) = (turn.list, (turn.block.len(), turn.block.repeats));
            self.read(list, term);
            // SAFETY: there are such values only where the processor has AVX-512, and every run of the list has a row.
            unsafe {
                super::avx512::add_lines(&mut self.kept, &self.of_run, list, turn.values.all, lines, term);
            }
            return self.write(list);
        }
        self.add(turn, |_| term);
    }

    /// Read the sums of a list's runs.
    fn read<M: Term>(&mut self, list: &RunList, term: M) {
        for run in 0..list.count {
            let label = list.labels[run];
            self.kept[run] = self.sums[label as usize];
            self.of_run[run] = term.of_run(label, list.starts[run] as usize);
        }
        // The runs that fill up the last batch, which add nothing.
        self.kept[list.count..list.count + SIDE].fill(0.0);
        self.of_run[list.count..list.count + SIDE].fill(0.0);
    }

    /// Write the sums of a list's runs.
    fn write(&mut self, list: &RunList) {
        for (label, sum) in list.labels[..list.count].iter().zip(&self.kept) {
            self.sums[*label as usize] = *sum;
        }
    }
}
